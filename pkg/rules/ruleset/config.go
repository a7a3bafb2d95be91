// Package ruleset makes the set of rules that a config asks for, and makes it again when files change.
package ruleset

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/load"
)

// Config says which rules the probe's events are tested with, and how their alerts look.
type Config struct {
	// Rule files in Falco's format, and folders with .yml and .yaml files, which are read in the order of their names. The name default stands for the rules that are built in, and so does an empty list.
	Files []string `config:"files"`
	// Rules to switch off: names, in which * is any text, or tag:NAME.
	Disable []string `config:"disable"`
	// Rules to switch on, after those of disable were switched off: names, in which * is any text, or tag:NAME. With disable set to *, only these are left.
	Enable []string `config:"enable"`
	// Further changes, one after the other: "disable NAME", "enable NAME", "disable tag:NAME" or "enable tag:NAME".
	Select []string `config:"select"`
	// Least serious priority: rules below it are left out, and what only they need is not traced.
	MinimumPriority alert.Priority `config:"minimumpriority"`
	// Which of the rules that match an event make an alert: the first, in the order of the files, or all.
	Match string `config:"match" enum:"first,all"`
	// Time at the beginning of an alert's output: the local time of day, or iso8601, the whole time in UTC. Falco's own images use iso8601.
	Time string `config:"time" enum:"local,iso8601"`
	// Add the member "message" to alerts: the output without time and priority.
	Message bool `config:"message"`
	// Texts with fields that are added to outputs, by the rules that they are for: a rule's name, tag:NAME, source:NAME, or * for all. Their fields come into output_fields, too.
	Append map[string]string `config:"append"`
	// Members that are added to output_fields of all alerts, by name: a text with fields, which gives a text, or nothing for the plain value of the field of that name.
	AppendFields map[string]string `config:"appendfields"`
	// How often the files are looked at for changes. 0 reads them again on SIGHUP only.
	Watch time.Duration `config:"watch"`
}

// Values of Config.Match and Config.Time.
const (
	MatchFirst  = "first"
	MatchAll    = "all"
	TimeLocal   = "local"
	TimeISO8601 = "iso8601"
)

// Defaults gives the rules that are built in, and Falco's behaviour.
func Defaults() Config {
	return Config{Match: MatchFirst, Time: TimeLocal, Watch: 5 * time.Second}
}

// Validate returns every problem, joined. It reads no file.
func (c *Config) Validate() error {
	var errs []error
	for _, list := range []struct {
		key     string
		entries []string
	}{{"enable", c.Enable}, {"disable", c.Disable}} {
		for _, entry := range list.entries {
			if _, err := selection(true, entry); err != nil {
				errs = append(errs, problem.At(list.key, "%v", err))
			}
		}
	}
	for _, entry := range c.Select {
		if _, err := change(entry); err != nil {
			errs = append(errs, problem.At("select", "%v", err))
		}
	}
	for _, choice := range []struct {
		key, value string
		allowed    [2]string
	}{{"match", c.Match, [2]string{MatchFirst, MatchAll}}, {"time", c.Time, [2]string{TimeLocal, TimeISO8601}}} {
		if choice.value != choice.allowed[0] && choice.value != choice.allowed[1] {
			errs = append(errs, problem.At(choice.key, "expected %s or %s, got %q", choice.allowed[0], choice.allowed[1], choice.value))
		}
	}
	if c.Watch < 0 {
		errs = append(errs, problem.At("watch", "expected 0 or more, got %s", c.Watch))
	}
	return errors.Join(errs...)
}

// Selections are the changes that the config makes to what the files switch on and off, in order.
func (c *Config) Selections() []rules.Selection {
	var all []rules.Selection
	for _, entry := range c.Disable {
		if s, err := selection(false, entry); err == nil {
			all = append(all, s)
		}
	}
	for _, entry := range c.Enable {
		if s, err := selection(true, entry); err == nil {
			all = append(all, s)
		}
	}
	for _, entry := range c.Select {
		if s, err := change(entry); err == nil {
			all = append(all, s)
		}
	}
	return all
}

// Appends are what is added to outputs: what Falco adds by itself, then what the config says, in the order of its keys.
func (c *Config) Appends() []load.Append {
	all := load.Suggested()
	for _, key := range slices.Sorted(maps.Keys(c.Append)) {
		a := load.Append{Output: c.Append[key]}
		if tag, ok := strings.CutPrefix(key, "tag:"); ok {
			a.Tags = []string{strings.TrimSpace(tag)}
		} else if source, ok := strings.CutPrefix(key, "source:"); ok {
			a.Source = strings.TrimSpace(source)
		} else if key != "*" {
			a.Rule = key
		}
		all = append(all, a)
	}
	var fields []load.ExtraField
	for _, name := range slices.Sorted(maps.Keys(c.AppendFields)) {
		fields = append(fields, load.ExtraField{Name: name, Format: c.AppendFields[name]})
	}
	if fields != nil {
		all = append(all, load.Append{Fields: fields})
	}
	return all
}

// Options are what the config says about the rules of a set.
func (c *Config) Options() rules.Options {
	return rules.Options{Select: c.Selections(), Minimum: c.MinimumPriority, MatchAll: c.Match == MatchAll}
}

func selection(enable bool, text string) (rules.Selection, error) {
	s := rules.Selection{Enable: enable}
	if tag, ok := strings.CutPrefix(text, "tag:"); ok {
		s.Tag = strings.TrimSpace(tag)
	} else {
		s.Rule = strings.TrimSpace(text)
	}
	if s.Tag == "" && s.Rule == "" {
		return s, fmt.Errorf("expected the name of a rule, in which * is any text, or tag:NAME, got %q", text)
	}
	return s, nil
}

func change(text string) (rules.Selection, error) {
	verb, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	if verb != "enable" && verb != "disable" {
		return rules.Selection{}, fmt.Errorf(`expected "enable NAME" or "disable NAME", got %q`, text)
	}
	return selection(verb == "enable", strings.TrimSpace(rest))
}
