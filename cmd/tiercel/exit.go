package main

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/config"
)

// Exit codes. The texts below and docs/cli.md explain them; they are promises to scripts.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitInvalid = 3
	exitTest    = 4
	exitSignal  = 128 // and the signal's number
)

const exitCodes = `Tiercel ends with one of these codes:

    0  it is done; also when SIGTERM or Ctrl-C stopped "tiercel run"
    1  it failed; the last line on standard error says why
    2  the command line is wrong: an unknown command, flag or output
    3  the config is not valid; standard error has a line for each problem
    4  "tiercel test": an output did not take the alert
  130  interrupted by Ctrl-C (SIGINT) before it was done
  143  the same by SIGTERM
`

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodes}
}

// exitError is an error with an exit code of its own. With a nil err everything has been said.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return "failed"
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

func usage(err error) error { return exitError{exitUsage, err} }

// interruption is why a context ended: a signal.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string { return "interrupted (" + i.signal.String() + ")" }

func (i interruption) exitCode() int {
	if number, ok := i.signal.(syscall.Signal); ok {
		return exitSignal + int(number)
	}
	return exitFailure
}

// exitCode says how the process ends after a command returned err.
func exitCode(ctx context.Context, err error) int {
	var (
		own     exitError
		stopped interruption
		invalid *config.Invalid
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(context.Cause(ctx), &stopped) && errors.Is(err, context.Canceled):
		return stopped.exitCode()
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &invalid):
		return exitInvalid
	}
	return exitFailure
}
