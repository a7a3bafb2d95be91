package flow

import (
	"fmt"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Decision is whether an output's lane would send an alert.
type Decision struct {
	Wanted bool
	Why    string
}

// Decide tells what a lane with these settings would do with an alert. An error is one of the settings.
func Decide(s Settings, a *alert.Alert) (Decision, error) {
	filter, err := compileWhen(s.When)
	if err != nil {
		return Decision{}, err
	}
	switch {
	case a.IsTest():
		return Decision{true, "the test alert passes everywhere"}, nil
	case a.Priority < s.MinimumPriority:
		return Decision{false, fmt.Sprintf("priority %s is below minimumpriority %s", a.Priority, s.MinimumPriority)}, nil
	case filter == nil:
		return Decision{true, fmt.Sprintf("priority %s is at or above minimumpriority %s", a.Priority, s.MinimumPriority)}, nil
	}
	switch yes, err := filter.wants(a); {
	case err != nil:
		return Decision{true, fmt.Sprintf("the expression fails on it, so it is sent: %v", err)}, nil
	case yes:
		return Decision{true, "its expression is true: " + s.When}, nil
	}
	return Decision{false, "its expression is false: " + s.When}, nil
}
