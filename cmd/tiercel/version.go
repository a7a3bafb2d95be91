package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// build says what is running.
type build struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (c *cli) build() build { return build{c.version, runtime.Version(), runtime.GOOS, runtime.GOARCH} }

func (c *cli) versionLine() string {
	b := c.build()
	return fmt.Sprintf("tiercel %s (%s, %s/%s)\n", b.Version, b.Go, b.OS, b.Arch)
}

func (c *cli) versionCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
	}
	f := formatFlag(command, formatText, formatJSON, formatYAML)
	command.RunE = func(*cobra.Command, []string) error {
		if f.isData() {
			return c.write(f, c.build())
		}
		_, err := fmt.Fprint(c.stdout, c.versionLine())
		return err
	}
	return command
}
