package config

import (
	"errors"

	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/source/grpcsource"
)

// Inputs are the ways in besides the receiver. All are off unless they are set up.
type Inputs struct {
	// Falco's gRPC API.
	GRPC grpcsource.Config `config:"grpc"`
}

func defaultInputs() Inputs {
	return Inputs{
		GRPC: grpcsource.Defaults(),
	}
}

// Validate returns every problem, joined.
func (i *Inputs) Validate() error {
	return errors.Join(
		problem.Under("grpc", i.GRPC.Validate()),
	)
}
