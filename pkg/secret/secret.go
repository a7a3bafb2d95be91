// Package secret holds settings that must never be seen: they print as [Redacted] under every verb and marshaller.
package secret

import "log/slog"

// Redacted is what a secret that is set prints as. An unset one prints as nothing.
const Redacted = "[REDACTED]"

// String is a setting that never prints itself. Only [String.Reveal] gives what it holds.
type String struct{ value string }

// New makes a secret of value.
func New(value string) String { return String{value} }

// Reveal returns the secret itself. Call it only where it goes on the wire.
func (s String) Reveal() string { return s.value }

// IsZero reports whether the secret is unset.
func (s String) IsZero() bool { return s.value == "" }

// String gives [Redacted], or nothing when the secret is unset.
func (s String) String() string {
	if s.value == "" {
		return ""
	}
	return Redacted
}

// GoString keeps %#v from looking inside.
func (s String) GoString() string { return s.String() }

// MarshalText keeps every text-based marshaller (JSON, YAML) from looking inside.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText sets the secret.
func (s *String) UnmarshalText(text []byte) error {
	s.value = string(text)
	return nil
}

// LogValue keeps slog from looking inside.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
