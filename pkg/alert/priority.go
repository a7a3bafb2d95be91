package alert

import (
	"fmt"
	"strings"
)

// Priority is how serious an alert is. The zero value is [Debug], so an unset minimum lets everything through.
type Priority uint8

// Falco's eight priorities, from the least to the most serious.
const (
	Debug Priority = iota
	Informational
	Notice
	Warning
	Error
	Critical
	Alarm // Falco's name of it is Alert
	Emergency
)

var priorityNames = [...]string{"Debug", "Informational", "Notice", "Warning", "Error", "Critical", "Alert", "Emergency"}

// Priorities lists all priorities in rising order.
func Priorities() []Priority {
	return []Priority{Debug, Informational, Notice, Warning, Error, Critical, Alarm, Emergency}
}

// String gives the name as Falco writes it, "Informational" for example.
func (p Priority) String() string {
	if int(p) < len(priorityNames) {
		return priorityNames[p]
	}
	return fmt.Sprintf("Priority(%d)", uint8(p))
}

// ParsePriority reads a priority's name in any case. It takes Falco's eight names and the short forms that syslog
// and Falco's own rule files use: info, warn, err, crit, emerg.
func ParsePriority(name string) (Priority, error) {
	for p, known := range priorityNames {
		if strings.EqualFold(name, known) {
			return Priority(p), nil
		}
	}
	switch strings.ToLower(name) {
	case "info":
		return Informational, nil
	case "warn":
		return Warning, nil
	case "err":
		return Error, nil
	case "crit":
		return Critical, nil
	case "emerg":
		return Emergency, nil
	}
	return Debug, fmt.Errorf("%q is no priority: expected one of emergency, alert, critical, error, warning, notice, informational, debug", name)
}

// MarshalText writes the name in lower case, as config files have it.
func (p Priority) MarshalText() ([]byte, error) { return []byte(strings.ToLower(p.String())), nil }

// UnmarshalText reads a name as [ParsePriority] does; an empty text is [Debug], which lets everything through.
func (p *Priority) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Debug
		return nil
	}
	parsed, err := ParsePriority(string(text))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}
