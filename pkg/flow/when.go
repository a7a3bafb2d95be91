package flow

import (
	"fmt"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/tiercel/tiercel/pkg/alert"
)

// members is what a when expression sees of an alert. Priorities compare as numbers, so that
// `priority >= warning` reads as it should.
type members struct {
	Rule     string            `expr:"rule"`
	Priority int               `expr:"priority"`
	Source   string            `expr:"source"`
	Hostname string            `expr:"hostname"`
	Output   string            `expr:"output"`
	Tags     []string          `expr:"tags"`
	Fields   map[string]string `expr:"fields"`

	Debug         int `expr:"debug"`
	Informational int `expr:"informational"`
	Notice        int `expr:"notice"`
	Warning       int `expr:"warning"`
	Error         int `expr:"error"`
	Critical      int `expr:"critical"`
	Alert         int `expr:"alert"`
	Emergency     int `expr:"emergency"`
}

func membersOf(a *alert.Alert) members {
	fields := make(map[string]string, 16)
	for name, value := range a.Fields.All() {
		fields[name] = value.Text()
	}
	return members{
		Rule: a.Rule, Priority: int(a.Priority), Source: a.Source, Hostname: a.Hostname, Output: a.Output,
		Tags: a.Tags, Fields: fields,
		Debug: int(alert.Debug), Informational: int(alert.Informational), Notice: int(alert.Notice), Warning: int(alert.Warning),
		Error: int(alert.Error), Critical: int(alert.Critical), Alert: int(alert.Alarm), Emergency: int(alert.Emergency),
	}
}

// when is a compiled expression; nil lets every alert through.
type when struct{ program *vm.Program }

func compileWhen(text string) (*when, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no expression is a valid one
	}
	program, err := expr.Compile(text, expr.Env(members{}), expr.AsBool())
	if err != nil {
		return nil, fmt.Errorf("expected an expression that is true or false: %w", err)
	}
	return &when{program}, nil
}

// wants reports whether the expression is true of a. The test alert always passes.
func (w *when) wants(a *alert.Alert) (bool, error) {
	if w == nil || a.IsTest() {
		return true, nil
	}
	result, err := expr.Run(w.program, membersOf(a))
	if err != nil {
		return true, err
	}
	yes, ok := result.(bool)
	return yes || !ok, nil
}
