package config

import (
	"errors"

	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/source/filesource"
	"github.com/tiercel/tiercel/pkg/source/grpcsource"
	"github.com/tiercel/tiercel/pkg/source/stdinsource"
	"github.com/tiercel/tiercel/pkg/source/syslogsource"
)

// Inputs are the ways in besides the receiver. All are off unless they are set up.
type Inputs struct {
	// Falco's gRPC API.
	GRPC grpcsource.Config `config:"grpc"`
	// Files that Falco or a container's runtime writes.
	File filesource.Config `config:"file"`
	// Standard input: falco -o json_output=true | tiercel run.
	Stdin stdinsource.Config `config:"stdin"`
	// Falco's syslog output.
	Syslog syslogsource.Config `config:"syslog"`
}

func defaultInputs() Inputs {
	return Inputs{
		GRPC:   grpcsource.Defaults(),
		File:   filesource.Defaults(),
		Stdin:  stdinsource.Defaults(),
		Syslog: syslogsource.Defaults(),
	}
}

// Validate returns every problem, joined.
func (i *Inputs) Validate() error {
	return errors.Join(
		problem.Under("grpc", i.GRPC.Validate()),
		problem.Under("file", i.File.Validate()),
		problem.Under("stdin", i.Stdin.Validate()),
		problem.Under("syslog", i.Syslog.Validate()),
	)
}
