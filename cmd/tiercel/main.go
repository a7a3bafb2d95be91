// Command tiercel takes Falco's alerts in and gets each one to every place that asked for it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is stamped by the linker: -ldflags "-X main.version=v1.2.3".
var version string

func main() {
	os.Exit(run(untilSignal(context.Background()), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// untilSignal returns a context that ends with the first SIGINT or SIGTERM. The second ends the process at once: what
// was accepted is in the journal.
func untilSignal(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		cancel(interruption{<-signals})
		os.Exit(interruption{<-signals}.exitCode())
	}()
	return ctx
}
