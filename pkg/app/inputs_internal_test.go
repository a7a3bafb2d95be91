package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercel/tiercel/pkg/source"
)

type sourceFunc func(ctx context.Context, put source.Put) error

func (f sourceFunc) Run(ctx context.Context, put source.Put) error { return f(ctx, put) }

func anInput(name string, vital bool, run sourceFunc) input {
	return input{name: name, source: run, vital: vital, health: health(slog.New(slog.DiscardHandler), name)}
}

// A client that fails is run again and stops nothing; a listener that fails ends all others, and its error is the app's.
func TestInputsEndWithTheVitalOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the listener broke")
		var mu sync.Mutex
		var ended []string
		tries := 0
		in := inputs{
			anInput("client", false, func(context.Context, source.Put) error {
				tries++
				return errors.New("no such socket")
			}),
			anInput("other", false, func(ctx context.Context, _ source.Put) error {
				<-ctx.Done()
				time.Sleep(5 * time.Second) // what is under way is finished
				mu.Lock()
				defer mu.Unlock()
				ended = append(ended, "other")
				return nil
			}),
			anInput("listener", true, func(context.Context, source.Put) error {
				time.Sleep(time.Hour)
				return broken
			}),
		}
		begin := time.Now()
		err := in.run(t.Context(), nil)
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "input listener: ") {
			t.Errorf("the error is %v", err)
		}
		if took := time.Since(begin); took != time.Hour+5*time.Second || !slices.Equal(ended, []string{"other"}) {
			t.Errorf("it ended after %s, and before it %v", took, ended)
		}
		if tries < 100 {
			t.Errorf("the client was run %d times in an hour", tries)
		}
	})
}

// The end of a pipe ends the app without an error.
func TestInputsEndWithThePipe(t *testing.T) {
	in := inputs{
		anInput("http", true, func(ctx context.Context, _ source.Put) error { <-ctx.Done(); return nil }),
		anInput("stdin", true, func(context.Context, source.Put) error { return nil }),
	}
	if err := in.run(t.Context(), nil); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestInputStates(t *testing.T) {
	in := inputs{anInput("http", true, nil), anInput("grpc/unix:///run/falco/falco.sock", false, nil)}
	in[0].health.Up()
	in[1].health.Down(errors.New("no such socket"))
	states := in.states()
	if !states[0].Up || states[0].Error != "" || states[0].Since != nil {
		t.Errorf("the first is %+v", states[0])
	}
	if s := states[1]; s.Up || s.Error != "no such socket" || s.Since == nil || s.Name != "grpc/unix:///run/falco/falco.sock" {
		t.Errorf("the second is %+v", s)
	}
}
