package outputs_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

func TestHalvesOfOneAlertGivesItsErrorAsItIs(t *testing.T) {
	for _, want := range []error{nil, errAgain, verdict.Permanent(errNever)} {
		err := outputs.Halves(t.Context(), from("a"), func(context.Context, []*alert.Alert) error { return want })
		if err != want { //nolint:errorlint // as it is
			t.Errorf("%v came back as %v", want, err)
		}
	}
}

// TestHalves: whatever is refused for good or fails, each alert is delivered once and in its order, or has an error.
func TestHalves(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		batch := from(make([]string, 1+random.IntN(20))...)
		refused, later := map[string]bool{}, map[string]bool{}
		for _, a := range batch {
			switch random.IntN(8) {
			case 0:
				refused[a.Rule] = true
			case 1:
				later[a.Rule] = true
			}
		}
		var taken []string
		err := outputs.Halves(t.Context(), batch, func(_ context.Context, part []*alert.Alert) error {
			if slices.ContainsFunc(part, func(a *alert.Alert) bool { return refused[a.Rule] }) {
				return verdict.Permanent(errNever)
			}
			if slices.ContainsFunc(part, func(a *alert.Alert) bool { return later[a.Rule] }) {
				return errAgain
			}
			for _, a := range part {
				taken = append(taken, a.Rule)
			}
			return nil
		})
		partial, ok := err.(verdict.Partial) //nolint:errorlint // as it is
		if err != nil && !ok {
			partial = verdict.Partial{0: err}
		}
		var want []string
		waits := false
		for i, a := range batch {
			switch err := partial[i]; {
			case err == nil:
				want = append(want, a.Rule)
				if refused[a.Rule] || later[a.Rule] || waits {
					t.Errorf("seed %d: alert %d counts as delivered", seed, i)
				}
			case verdict.IsPermanent(err):
				if !refused[a.Rule] || waits {
					t.Errorf("seed %d: alert %d: %v", seed, i, err)
				}
			case !errors.Is(err, errAgain) || verdict.IsHeld(err) && !waits:
				t.Errorf("seed %d: alert %d: %v", seed, i, err)
			default:
				waits = true
			}
		}
		if !slices.Equal(taken, want) {
			t.Errorf("seed %d: taken %v, said to be taken %v", seed, taken, want)
		}
	}
}
