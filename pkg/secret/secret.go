// Package secret holds settings that must never be seen: they print as [Redacted] under every verb and marshaller.
package secret

import (
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// Redacted is what a secret that is set prints as. An unset one prints as nothing.
const Redacted = "[REDACTED]"

// String is a setting that never prints itself. Only [String.Reveal] gives what it holds. Two of the same text are
// equal.
type String struct {
	// A handle, because package fmt calls no method on a field that is not exported, nor for %p: it looks inside, and
	// then finds a pointer only.
	value unique.Handle[string]
}

// New makes a secret of value.
func New(value string) String {
	if value == "" {
		return String{}
	}
	return String{unique.Make(value)}
}

// Reveal returns the secret itself. Call it only where it goes on the wire.
func (s String) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.value.Value()
}

// IsZero reports whether the secret is unset.
func (s String) IsZero() bool { return s == String{} }

// String gives [Redacted], or nothing when the secret is unset.
func (s String) String() string {
	if s.IsZero() {
		return ""
	}
	return Redacted
}

// Format writes what [String.String] gives, whatever the verb.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText keeps every text-based marshaller (JSON, YAML) from looking inside.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText sets the secret.
func (s *String) UnmarshalText(text []byte) error {
	*s = New(string(text))
	return nil
}

// LogValue keeps slog from looking inside.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
