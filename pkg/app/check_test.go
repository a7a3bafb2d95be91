package app_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// asked is a place that can be asked.
type asked struct {
	place

	check func(context.Context) error
}

func (a *asked) Check(ctx context.Context) error { return a.check(ctx) }

func (a *asked) spec(name string) outputs.Spec {
	return outputs.Define(outputs.Spec{Name: name, Title: name, Category: "test", Batch: outputs.Batch{Max: 1}},
		func() placeConfig { return placeConfig{} },
		func(outputs.Env, placeConfig) (outputs.Output, error) { return a, nil })
}

func TestCheckAsksEachOutput(t *testing.T) {
	noLeaks(t)
	good := &asked{check: func(context.Context) error { return nil }}
	bad := &asked{check: func(context.Context) error { return verdict.Because(verdict.Auth, errors.New("who are you?")) }}
	hangs := &asked{check: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	mute, missing := &place{}, &place{fail: errors.New("no such place")}
	specs := []outputs.Spec{good.spec("good"), bad.spec("bad"), hangs.spec("hangs"), mute.spec("mute"), missing.spec("missing")}
	cfg := load(t, t.TempDir(), specs,
		"good: {enabled: true}", "bad: {enabled: true}", "hangs: {enabled: true, timeout: 10ms}", "mute: {enabled: true}", "missing: {enabled: true}")
	got := app.Check(t.Context(), cfg, deps(t.Output()))
	want := []app.Checked{
		{Output: "good", Result: app.CheckOK},
		{Output: "bad", Result: app.CheckFailed, Reason: verdict.Auth, Error: "who are you?"},
		{Output: "hangs", Result: app.CheckFailed, Reason: verdict.Timeout, Error: "context deadline exceeded"},
		{Output: "mute", Result: app.CheckUnknown},
		{Output: "missing", Result: app.CheckFailed, Reason: verdict.Unknown, Error: "output missing: no such place"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v, expected\n%+v", got, want)
	}
	for name, p := range map[string]*place{"good": &good.place, "bad": &bad.place, "hangs": &hangs.place, "mute": mute} {
		if n := p.closes(); n != 1 {
			t.Errorf("%s was closed %d times", name, n)
		}
	}
}
