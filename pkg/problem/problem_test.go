package problem_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/tiercel/tiercel/pkg/problem"
)

func texts(err error) []string {
	var all []string
	for _, e := range problem.Each(err) {
		all = append(all, e.Error())
	}
	return all
}

func TestAt(t *testing.T) {
	err := problem.At("retry.max", "expected %d or more, got %q", 1, "x%d")
	if err.Error() != `retry.max: expected 1 or more, got "x%d"` {
		t.Errorf("got %v", err)
	}
}

func TestUnder(t *testing.T) {
	inner := errors.Join(problem.At("max", "too small"), nil, errors.Join(problem.At("min", "too large")))
	tests := []struct {
		prefix string
		err    error
		want   []string
	}{
		{"retry", inner, []string{"retry.max: too small", "retry.min: too large"}},
		{"slack", problem.Under("retry", inner), []string{"slack.retry.max: too small", "slack.retry.min: too large"}},
		{"", inner, []string{"max: too small", "min: too large"}},
		{"slack", problem.At("", "is odd"), []string{"slack: is odd"}},
		{"slack", io.EOF, []string{"slack: EOF"}},
		{"slack", fmt.Errorf("wrapped: %w", problem.At("max", "too small")), []string{"slack.max: too small"}},
		{"slack", nil, nil},
	}
	for _, tt := range tests {
		if got := texts(problem.Under(tt.prefix, tt.err)); !slices.Equal(got, tt.want) {
			t.Errorf("under %q: got %q, expected %q", tt.prefix, got, tt.want)
		}
	}
	if err := problem.Under("slack", nil); err != nil {
		t.Errorf("nothing wrong became %v", err)
	}
}

func TestEachKeepsTheOrder(t *testing.T) {
	err := errors.Join(errors.Join(io.EOF, errors.Join(io.ErrNoProgress)), io.ErrShortBuffer)
	if got := texts(err); !slices.Equal(got, []string{"EOF", io.ErrNoProgress.Error(), "short buffer"}) {
		t.Errorf("got %q", got)
	}
	if problem.Each(nil) != nil {
		t.Error("nil has problems")
	}
}
