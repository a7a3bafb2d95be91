package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Formats of data on standard output.
const (
	formatTable = "table"
	formatText  = "text"
	formatJSON  = "json"
	formatJSONL = "jsonl"
	formatYAML  = "yaml"
)

// format is a flag whose value is one of a list.
type format struct {
	value   string
	allowed []string
}

// formatFlag gives a command the flag -o; the first format is the default.
func formatFlag(command *cobra.Command, allowed ...string) *format {
	f := &format{value: allowed[0], allowed: allowed}
	command.Flags().VarP(f, "format", "o", "how to write it: "+strings.Join(allowed, ", "))
	_ = command.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp)) // it was just made
	return f
}

// String gives the format.
func (f *format) String() string { return f.value }

// Type names the flag's value in the help.
func (f *format) Type() string { return "FORMAT" }

// Set takes a format of the list.
func (f *format) Set(value string) error {
	if !slices.Contains(f.allowed, value) {
		return fmt.Errorf("expected %s", strings.Join(f.allowed, ", "))
	}
	f.value = value
	return nil
}

// choice is another flag whose value is one of a list.
type choice struct {
	format

	kind string
}

// choiceFlag gives a command such a flag. It has no value at first.
func choiceFlag(command *cobra.Command, name, kind, about string, allowed ...string) *choice {
	v := &choice{format{allowed: allowed}, kind}
	command.Flags().Var(v, name, about+": "+strings.Join(allowed, ", "))
	_ = command.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp)) // it was just made
	return v
}

// Type names the flag's value in the help.
func (v *choice) Type() string { return v.kind }

// isData reports whether the format is for programs.
func (f *format) isData() bool { return f.value != formatTable && f.value != formatText }

// write writes data as JSON or YAML.
func (c *cli) write(f *format, data any) error {
	if f.value == formatYAML {
		text, err := toYAML(data)
		if err != nil {
			return err
		}
		return writeSafely(c.stdout, text)
	}
	text, err := toJSON(data, "  ")
	if err != nil {
		return err
	}
	return writeSafely(c.stdout, text)
}

// writeAll writes a list: as one document, or as JSON lines.
func writeAll[T any](c *cli, f *format, list []T) error {
	if f.value != formatJSONL {
		return c.write(f, append([]T{}, list...)) // an empty list is [], not null
	}
	for _, one := range list {
		text, err := toJSON(one, "")
		if err != nil {
			return err
		}
		if err := writeSafely(c.stdout, text); err != nil {
			return err
		}
	}
	return nil
}

func toJSON(data any, indent string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(data); err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	return b.Bytes(), nil
}

// writeSafely writes lines of text in which nothing can control a terminal. JSON, and YAML in double quotes, mean the
// same afterwards.
func writeSafely(w io.Writer, text []byte) error {
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		lines[i] = alert.Printable(line)
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n"))
	return err
}
