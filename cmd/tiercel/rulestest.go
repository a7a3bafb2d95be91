package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/ruletest"
)

// played is what became of one event, as it is written for programs.
type played struct {
	File       string   `json:"file"`
	Line       int      `json:"line"`
	Type       string   `json:"type"`
	Name       string   `json:"name,omitempty"`
	Fired      []fired  `json:"fired"`
	Expected   []string `json:"expected,omitzero"`
	Missing    []string `json:"missing,omitempty"`
	Unexpected []string `json:"unexpected,omitempty"`
	Result     string   `json:"result,omitempty"` // "ok" or "failed"; none where nothing is expected
}

type fired struct {
	Rule     string `json:"rule"`
	Priority string `json:"priority"`
	Message  string `json:"message"` // the output without time and priority
}

const (
	resultOK     = "ok"
	resultFailed = "failed"
)

func (c *cli) rulesTestCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "test [FILE...] --events EVENTS",
		Short: "Give recorded events to rules, and compare what fires with what should",
		Long: `Give recorded events to rules, and compare what fires with what should.

EVENTS has an object on each line. "tiercel probe record --fields" writes such a
file; "expect" with the names of the rules that must fire, or [] for none, makes
a test of a line:

{"type":"command","fields":{"shell.line":"rm -rf /"},"expect":["Root removed"]}

Shown are the events with which a rule fired that says nothing of what is
expected, and those that failed. The exit code is 1 if one failed.`,
		ValidArgsFunction: ruleFileNames,
	}
	var (
		selection ruleSelection
		events    []string
	)
	selection.flags(command)
	command.Flags().StringSliceVarP(&events, "events", "e", nil, "`FILE` of recorded events, - for standard input; may be given more than once")
	matching := choiceFlag(command, "match", "RULES", "which rules fire: the first that matches an event, or all", "first", "all")
	showAll := command.Flags().BoolP("all", "a", false, "show every event")
	update := command.Flags().Bool("update", false, "write into the files of events what fires now, as what is expected")
	f := formatFlag(command, formatTable, formatJSON, formatJSONL, formatYAML)
	command.RunE = func(_ *cobra.Command, args []string) error {
		if len(events) == 0 {
			return usage(errors.New("expected --events FILE, with recorded events"))
		}
		loaded, cfg, err := c.loadRules(args)
		if err != nil {
			return err
		}
		options, err := selection.options(cfg)
		if err != nil {
			return err
		}
		if matching.value != "" {
			options.MatchAll = matching.value == "all"
		}
		run := &rulesRun{cli: c, set: rules.Compile(loaded, options), fired: map[string]int{}, showAll: *showAll, format: f}
		for _, name := range events {
			if err := run.file(name, *update); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return run.end()
	}
	return command
}

// rulesRun is one run of "rules test".
type rulesRun struct {
	cli     *cli
	set     *rules.Set
	format  *format
	showAll bool

	shown    []played
	fired    map[string]int // by rule
	events   int
	expected int
	failed   int
}

// file plays one file of events.
func (r *rulesRun) file(name string, update bool) error {
	in := r.cli.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return withoutPath(err)
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	} else if update {
		return usage(errors.New("--update cannot write to standard input"))
	}
	var text bytes.Buffer
	if update {
		in = io.TeeReader(in, &text)
	}
	now := map[int][]string{}
	err := ruletest.Play(in, r.set, func(o *ruletest.Outcome) error {
		if update {
			now[o.Line] = o.Names()
			o.Expect, o.Missing, o.Unexpected = o.Names(), nil, nil
		}
		r.add(name, o)
		return nil
	})
	if err != nil || !update {
		return err
	}
	return rewrite(name, text.Bytes(), now)
}

func (r *rulesRun) add(file string, o *ruletest.Outcome) {
	r.events++
	for _, rule := range o.Fired {
		r.fired[rule.Name]++
	}
	p := played{File: file, Line: o.Line, Type: o.Type().String(), Name: o.Name, Fired: []fired{}, Expected: o.Expect, Missing: o.Missing, Unexpected: o.Unexpected}
	if o.Expect != nil {
		r.expected++
		p.Result = resultOK
	}
	if o.Failed() {
		r.failed++
		p.Result = resultFailed
	}
	if !r.showAll && !o.Failed() && (o.Expect != nil || len(o.Fired) == 0) && !r.format.isData() {
		return
	}
	for _, rule := range o.Fired {
		message := strings.ToValidUTF8(string(rule.Format.AppendText(nil, o.Event, nil)), "\uFFFD")
		p.Fired = append(p.Fired, fired{rule.Name, rule.Priority.String(), message})
	}
	r.shown = append(r.shown, p)
}

// end shows what became of the events.
func (r *rulesRun) end() error {
	c := r.cli
	if r.format.isData() {
		if err := writeAll(c, r.format, r.shown); err != nil {
			return err
		}
	} else if err := r.table(); err != nil {
		return err
	}
	var never []string
	for _, rule := range r.set.Rules() {
		if r.fired[rule.Name] == 0 {
			never = append(never, rule.Name)
		}
	}
	c.complain("%d events, %d with something expected, %d failed", r.events, r.expected, r.failed)
	if len(never) > 0 {
		c.complain("no event fired: %s", strings.Join(never, ", "))
	}
	if r.failed > 0 {
		return exitError{code: exitFailure}
	}
	return nil
}

func (r *rulesRun) table() error {
	if len(r.shown) == 0 {
		return nil
	}
	c := r.cli
	t := c.newTable("EVENT", "TYPE", "RESULT", "FIRED", "EXPECTED", "ABOUT")
	for _, p := range r.shown {
		var rules []string
		for _, f := range p.Fired {
			rules = append(rules, f.Rule)
		}
		expected := ""
		if p.Result != "" {
			expected = ruleNames(p.Expected)
		}
		about := p.Name
		if about == "" && len(p.Fired) > 0 {
			about = p.Fired[0].Message
		}
		row := texts(fmt.Sprintf("%s:%d", p.File, p.Line), p.Type, p.Result, ruleNames(rules), expected, about)
		row[2].colour = map[string]colour{resultOK: green, resultFailed: red}[p.Result]
		t.add(row...)
	}
	return t.writeTo(c.stdout, c.coloured(c.stdout))
}

func ruleNames(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// rewrite writes a file of events again, with what is expected of each line that has an event.
func rewrite(name string, text []byte, expect map[int][]string) error {
	var out bytes.Buffer
	for i, line := range bytes.SplitAfter(text, []byte("\n")) {
		names, ok := expect[i+1]
		if !ok {
			out.Write(line)
			continue
		}
		changed, err := withExpect(bytes.TrimSpace(line), names)
		if err != nil {
			return err
		}
		out.Write(changed)
		out.WriteByte('\n')
	}
	if bytes.Equal(out.Bytes(), text) {
		return nil
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".events-*")
	if err != nil {
		return withoutPath(err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // it is gone if all went well
	_, err = temporary.Write(out.Bytes())
	if err := errors.Join(err, temporary.Close()); err != nil {
		return withoutPath(err)
	}
	if info, err := os.Stat(name); err == nil {
		_ = os.Chmod(temporary.Name(), info.Mode().Perm()) // the file is of use without
	}
	return withoutPath(os.Rename(temporary.Name(), name))
}

// withExpect puts the names into an object, in place of those that it has. The other members stay as they are.
func withExpect(line []byte, names []string) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	var out bytes.Buffer
	out.WriteByte('{')
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("event: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("event: %w", err)
		}
		if key == "expect" {
			continue
		}
		member, err := toJSON(key, "")
		if err != nil {
			return nil, err
		}
		out.Write(bytes.TrimSpace(member))
		out.WriteByte(':')
		out.Write(value)
		out.WriteByte(',')
	}
	expect, err := toJSON(append([]string{}, names...), "")
	if err != nil {
		return nil, err
	}
	out.WriteString(`"expect":`)
	out.Write(bytes.TrimSpace(expect))
	out.WriteByte('}')
	return out.Bytes(), nil
}

// withoutPath leaves out the path of an error about a file, which is named anyway.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
