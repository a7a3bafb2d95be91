// Package problem says what is wrong with a setting, so that whoever loads the config can name the line.
package problem

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is one thing wrong with one setting.
type Problem struct {
	Key  string // the setting's path from where the config begins that is validated, "retry.max" for example
	Text string // what was expected and what is there; never a secret's value
}

// Error gives both parts.
func (p *Problem) Error() string { return p.Key + ": " + p.Text }

// At makes a problem; format and args say what was expected.
func At(key, format string, args ...any) error {
	return &Problem{Key: key, Text: fmt.Sprintf(format, args...)}
}

// Under puts a prefix before the key of every problem in err, which may be joined errors.
func Under(prefix string, err error) error {
	var moved []error
	for _, e := range Each(err) {
		if p, ok := errors.AsType[*Problem](e); ok {
			moved = append(moved, &Problem{Key: strings.Trim(prefix+"."+p.Key, "."), Text: p.Text})
			continue
		}
		moved = append(moved, &Problem{Key: prefix, Text: e.Error()})
	}
	return errors.Join(moved...)
}

// Each takes joined errors apart.
func Each(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // only joins: what wraps one error says more than it
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, Each(e)...)
		}
		return all
	}
	return []error{err}
}
