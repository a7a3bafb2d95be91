// Command load measures Tiercel from outside, as its neighbours see it: a load generator, the destinations and the
// program under test share one machine, and each figure that can be is a ratio to a bare gin server that answers
// 200 in the same run. `make bench` runs it; docs/performance.md explains the figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// scenario is one group of figures.
type scenario struct {
	name, about string
	run         func(context.Context, *bench) error
}

func scenarios() []scenario {
	return []scenario{
		{"rate", "alerts/s against bare gin, 64 connections, three batch outputs", rate},
		{"cpu", "CPU per alert with webhook, Loki and Slack", cpu},
		{"memory", "resident memory: idle, full rate, an output that hangs for a minute", memory},
		{"latency", "time to the answer: 10,000 alerts/s without fsync; one connection with fsync", latency},
		{"slow", "a destination that takes 100 ms, 50 alerts/s", slow},
		{"outage", "5 s of 500, of 503 with Retry-After, of refused connections", outage},
		{"pods", "100,000 pods", pods},
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	binary := flags.String("tiercel", "", "the tiercel binary to measure")
	rounds := flags.Int("rounds", 5, "rounds of each measurement, in turn")
	seconds := flags.Duration("time", 3*time.Second, "length of one round")
	only := flags.String("only", "", "scenarios to run, separated by commas; all when empty")
	attach := flags.String("attach", "", "address of a running program to load for -time, instead of measuring; its destination is 127.0.0.1:2898")
	perPost := flags.Int("per-post", 1, "alerts in one request, with -attach")
	connections := flags.Int("connections", 64, "with -attach")
	steadyRate := flags.Float64("rate", 0, "alerts/s, with -attach; as fast as answered when 0")
	ginPort := flags.Bool("gin", false, "be the bare gin server (used by the program itself)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *attach != "" {
		return steady(ctx, load{addr: *attach, connections: *connections, perPost: *perPost, rate: *steadyRate, length: *seconds})
	}
	if *ginPort {
		return bareGin(ctx, out)
	}
	if *binary == "" {
		return errors.New("-tiercel is needed: the path of the binary to measure")
	}
	b := &bench{binary: *binary, rounds: *rounds, length: *seconds, out: out}
	b.describe()
	for _, s := range scenarios() {
		if *only != "" && !strings.Contains(","+*only+",", ","+s.name+",") {
			continue
		}
		fmt.Fprintf(out, "\n## %s: %s\n\n", s.name, s.about)
		if err := s.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// bareGin answers 200 to everything and reads nothing: the mark against which rates are measured.
func bareGin(ctx context.Context, out io.Writer) error {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.POST("/", func(c *gin.Context) { c.Status(http.StatusOK) })
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, listener.Addr())
	server := &http.Server{Handler: engine, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
