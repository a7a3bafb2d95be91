package session

import (
	"errors"
	"path"
	"regexp"
	"time"

	"github.com/tiercel/tiercel/pkg/problem"
)

// What is recorded.
const (
	RecordOff   = "off"
	RecordLines = "lines"
)

// Config says what is recorded of the people at terminals.
type Config struct {
	// What is recorded: off, or lines: each line that was given to a shell.
	Record string `config:"record" enum:"off,lines"`
	// Record what shells read from pipes and files instead of a terminal, and the text after -c of shells that ssh or a container's exec starts.
	Piped bool `config:"piped"`
	// Record lines that other programs read from the terminal, python or mysql, as long as they are shown.
	Input bool `config:"input"`
	// What is not recorded.
	Except Except `config:"except"`
	// Hide passwords, tokens and keys in what is recorded.
	Redact Redact `config:"redact"`
	// How long a line waits to be told with what it started and how it ended. What lasts longer is told twice: at the begin and at its end.
	Settle time.Duration `config:"settle"`
	// Most sessions that are followed at once; those beyond are counted and not recorded.
	MaxSessions int `config:"maxsessions"`
	// Names of further shells, at most 15 bytes each, besides the usual ones.
	Shells []string `config:"shells"`
}

// Except lists what is not recorded. Patterns as in shells: *, ?, [a-z].
type Except struct {
	// Kubernetes namespaces.
	Namespaces []string `config:"namespaces"`
	// Users, by the name that they run as or logged in with.
	Users []string `config:"users"`
	// First words of lines.
	Commands []string `config:"commands"`
}

// Redact says what is hidden in lines, arguments and recordings.
type Redact struct {
	// Use the patterns that come with Tiercel: passwords in URLs and options, Authorization headers, tokens, private keys.
	Builtin bool `config:"builtin"`
	// Further regular expressions. Their first group is hidden, or all of the match where they have none.
	Patterns []string `config:"patterns"`
}

// Defaults records lines and what is piped into shells, with the usual redaction.
func Defaults() Config {
	return Config{
		Record:      RecordLines,
		Piped:       true,
		Redact:      Redact{Builtin: true},
		Settle:      100 * time.Millisecond,
		MaxSessions: 4096,
	}
}

// Validate gives every problem.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(key, format string, args ...any) { errs = append(errs, problem.At(key, format, args...)) }
	if c.Record != RecordOff && c.Record != RecordLines {
		wrong("record", "expected off or lines, got %q", c.Record)
	}
	patterns := func(key string, list []string) {
		for _, pattern := range list {
			if _, err := path.Match(pattern, ""); err != nil {
				wrong(key, "expected a pattern with *, ? and [a-z], got %q", pattern)
			}
		}
	}
	patterns("except.namespaces", c.Except.Namespaces)
	patterns("except.users", c.Except.Users)
	patterns("except.commands", c.Except.Commands)
	for _, pattern := range c.Redact.Patterns {
		if _, err := regexp.Compile(pattern); err != nil {
			wrong("redact.patterns", "expected a regular expression: %v", err)
		}
	}
	for _, name := range c.Shells {
		if name == "" || len(name) > maxComm {
			wrong("shells", "expected names of 1 to %d bytes, got %q", maxComm, name)
		}
	}
	if c.Settle < 0 || c.Settle > time.Minute {
		wrong("settle", "expected 0s to 1m, got %s", c.Settle)
	}
	if c.MaxSessions < 1 {
		wrong("maxsessions", "expected at least 1, got %d", c.MaxSessions)
	}
	return errors.Join(errs...)
}

// maxComm is how much of a program's name the kernel keeps.
const maxComm = 15
