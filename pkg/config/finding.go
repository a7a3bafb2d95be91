package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tiercel/tiercel/pkg/alert"
)

// A Finding is one thing that is wrong, or odd, with the config. It never holds a secret.
type Finding struct {
	File string `json:"file,omitempty"` // where it stands: a file and its line,
	Line int    `json:"line,omitempty"` // 0 when it is about the file as a whole,
	Env  string `json:"env,omitempty"`  // or the name of an environment variable
	Key  string `json:"key,omitempty"`  // the setting's path, "slack.webhookurl"
	Text string `json:"text"`           // what was expected, and what is there
}

// Warning is a finding that does not stop the start.
type Warning = Finding

// String gives the finding on one line: "config.yaml:7: slack.minimumpriority: …", "environment SLACK_MINIMUMPRIORITY: …".
func (f Finding) String() string {
	var b strings.Builder
	switch {
	case f.Env != "":
		b.WriteString("environment " + f.Env + ": ")
	case f.File != "" && f.Line > 0:
		b.WriteString(oneLine(f.File) + ":" + strconv.Itoa(f.Line) + ": ")
	case f.File != "":
		b.WriteString(oneLine(f.File) + ": ")
	}
	if f.Key != "" && f.Env != envName(f.Key) {
		b.WriteString(oneLine(f.Key) + ": ")
	}
	b.WriteString(oneLine(f.Text))
	return b.String()
}

// Invalid is the error of a config that cannot be used. It holds everything that is wrong with it.
type Invalid struct{ Problems []Finding }

// Error gives every problem, one per line.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sorted puts findings in the order in which a reader meets them: down the file, then the environment. Findings that
// say the same twice are left out.
func sorted(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			strings.Compare(a.Env, b.Env),
			strings.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
		)
	})
	return slices.Compact(findings)
}

// oneLine makes text safe to print on one line of a terminal.
func oneLine(text string) string {
	if strings.ContainsAny(text, "\r\n\t") {
		text = strings.Join(strings.Fields(text), " ")
	}
	return alert.Printable(text)
}

// quote shows a value that is no secret, shortened.
func quote(text string) string {
	const most = 80
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}
