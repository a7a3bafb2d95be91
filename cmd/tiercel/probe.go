package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/pkg/app"
	"github.com/tiercel/tiercel/pkg/falcoevent"
	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/event"
	"github.com/tiercel/tiercel/pkg/rules/field"
	"github.com/tiercel/tiercel/pkg/rules/load"
	"github.com/tiercel/tiercel/pkg/rules/recorded"
	"github.com/tiercel/tiercel/probe"
)

func (c *cli) probeCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "probe",
		Short: "Look at what the probe sees on this machine",
		Long: `Look at what the probe sees on this machine: programs that start and end, and
the system calls that are asked for. It needs root, or CAP_BPF and CAP_PERFMON,
and works beside a "tiercel run" that watches the machine already.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(c.probeEventsCommand(), c.probeRecordCommand(), c.probeReplayCommand(), c.probeFeaturesCommand())
	return command
}

// watched says which events somebody wants to see.
type watched struct {
	condition string
	syscalls  []string
	count     int
	set       *rules.Set // of the condition; nil without one
	refs      []field.Ref
	record    io.Writer // gets what the kernel writes; may be nil
	replay    io.Reader // has that; nil for this machine
}

func (w *watched) flags(command *cobra.Command) {
	command.Flags().StringSliceVar(&w.syscalls, "syscalls", nil, "system `CALLS` to trace: names with commas between, or all; by default those of the condition, or of the rules")
	command.Flags().IntVarP(&w.count, "count", "n", 0, "stop after so many events; 0 goes on until it is interrupted")
}

// Bytes of environments and of what is sent that are read for those who look at events.
const (
	shownEnv  = 4096
	shownData = 80
)

// prepare reads the condition and finds out what must be traced.
func (w *watched) prepare(args []string, fallback *rules.Set) error {
	w.condition = strings.Join(args, " ")
	if w.condition != "" {
		text, err := yaml.Marshal([]map[string]string{{
			"rule": "condition", "desc": "what is looked for", "condition": w.condition, "output": "%evt.type", "priority": "DEBUG",
		}})
		if err != nil {
			return err
		}
		loader := load.New(load.Options{Supply: falcoevent.Supply(falcoevent.Limits{})})
		result := loader.Load("condition", string(text))
		if !result.OK() {
			return usage(errors.New(result.Errors[0].Message))
		}
		w.set = rules.Compile(loader.Rules(), rules.Options{})
	}
	switch {
	case slices.Equal(w.syscalls, []string{"all"}):
		w.syscalls = probe.Syscalls()
	case len(w.syscalls) > 0:
		for _, name := range w.syscalls {
			if _, ok := probe.ParseSyscall(name); !ok {
				return usage(fmt.Errorf("the probe does not trace %q: it knows %s", name, strings.Join(probe.Syscalls(), ", ")))
			}
		}
	case w.set != nil:
		w.syscalls = falcoevent.Syscalls(w.set.Types())
	case fallback != nil:
		w.syscalls = falcoevent.Syscalls(fallback.Types())
	}
	if w.refs = shownFields(); w.set != nil {
		w.refs = mergeRefs(w.refs, w.set.Fields())
	}
	return nil
}

// look shows the events that are wanted until ctx ends or there were enough. show may pass over one with errPassed.
func (c *cli) look(ctx context.Context, w *watched, show func(ev *probe.Event, seen *falcoevent.Event) error) error {
	cfg, err := c.loadWarning()
	if err != nil {
		return err
	}
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var matched []*rules.Rule
	live, shown := false, 0
	view := app.ProbeView{Log: c.quietLog(cfg), Syscalls: w.syscalls, Record: w.record, Replay: w.replay}
	// Environments and messages hold secrets: they are read for those who ask for them by name.
	for _, ref := range w.refs {
		switch ref.ID {
		case field.ProcEnv, field.ProcAenv:
			view.MaxEnv = shownEnv
		case field.EvtBuffer:
			view.MaxData = shownData
		}
	}
	view.Handle = func(ev *probe.Event, seen *falcoevent.Event) {
		if ev.Kind == probe.KindReady {
			live = true
		}
		if !live || inner.Err() != nil || seen == nil && ev.Kind != probe.KindLost {
			return
		}
		if w.set != nil && seen != nil {
			if matched = w.set.Match(matched[:0], seen); len(matched) == 0 {
				return
			}
		}
		switch err := show(ev, seen); {
		case errors.Is(err, errPassed):
			return
		case err != nil:
			stop(err)
			return
		}
		if shown++; shown == w.count {
			stop(errEnough)
		}
	}
	if err := app.WatchProbe(inner, cfg, view); err != nil {
		return err
	}
	if cause := context.Cause(inner); ctx.Err() == nil && !errors.Is(cause, errEnough) {
		return cause
	}
	return nil
}

var (
	errEnough = errors.New("enough events")
	errPassed = errors.New("this event is not wanted")
)

// configuredRules are the rules of the config, for what they ask.
func (c *cli) configuredRules() (*rules.Set, error) {
	cfg, _, err := c.load()
	if err != nil {
		return nil, err
	}
	set, err := app.LoadRules(cfg)
	if err != nil {
		return nil, err
	}
	return set.Set, nil
}

func (c *cli) probeEventsCommand() *cobra.Command {
	var w watched
	asJSON := false
	command := &cobra.Command{
		Use:   "events [CONDITION]",
		Short: "Show what happens on this machine, as it happens",
		Long: `Show what happens on this machine, as it happens: a line for each event. A
condition in the language of rules says which:

    tiercel probe events 'evt.type=openat and fd.name startswith /etc'
    tiercel probe events proc.name=bash --syscalls connect,openat
    tiercel probe events --json

Without one these are the starts and ends of programs, and the calls that the
configured rules ask for.`,
		RunE: func(command *cobra.Command, args []string) error {
			set, err := c.configuredRules()
			if err != nil {
				return err
			}
			if err := w.prepare(args, set); err != nil {
				return err
			}
			return c.show(command.Context(), &w, asJSON)
		},
	}
	w.flags(command)
	command.Flags().BoolVar(&asJSON, "json", false, `write each event as a JSON object, which "tiercel rules test" reads`)
	return command
}

// show writes the events that are wanted, for people or for programs.
func (c *cli) show(ctx context.Context, w *watched, asJSON bool) error {
	out := bufio.NewWriter(c.stdout)
	p := &eventPrinter{w: out, coloured: c.coloured(c.stdout), width: c.terminalWidth(), refs: w.refs}
	return c.look(ctx, w, func(ev *probe.Event, seen *falcoevent.Event) error {
		if asJSON {
			if err := p.json(ev, seen); err != nil {
				return err
			}
		} else {
			p.line(ev, seen)
		}
		return out.Flush()
	})
}

func (c *cli) probeReplayCommand() *cobra.Command {
	var w watched
	asJSON := false
	command := &cobra.Command{
		Use:   "replay FILE [CONDITION]",
		Short: "Show the events of a recording",
		Long: `Show the events of a recording that "tiercel probe record" made, as "tiercel
probe events" shows those of this machine. It needs no privileges.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := w.prepare(args[1:], nil); err != nil {
				return err
			}
			w.replay = c.stdin
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer func() { _ = file.Close() }() // it was only read
				w.replay = file
			}
			return c.show(command.Context(), &w, asJSON)
		},
	}
	command.Flags().IntVarP(&w.count, "count", "n", 0, "stop after so many events; 0 goes on to the end")
	command.Flags().BoolVar(&asJSON, "json", false, `write each event as a JSON object, which "tiercel rules test" reads`)
	return command
}

func (c *cli) probeRecordCommand() *cobra.Command {
	var w watched
	var files []string
	asFields := false
	command := &cobra.Command{
		Use:   "record FILE [CONDITION]",
		Short: "Write what happens into a file",
		Long: `Write what happens on this machine into a file: as the kernel tells it, for
"tiercel probe replay"; or with --fields as JSON objects with the fields that
rules ask for, which "tiercel rules test --events FILE" gives to rules.

    tiercel probe record kernel.rec
    tiercel probe record --fields events.jsonl --rules my-rules.yaml
    tiercel probe record --fields - proc.name=curl | tiercel rules test -e -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) (err error) {
			if !asFields && len(args) > 1 {
				return usage(errors.New("a condition chooses among the objects of --fields; without, everything is recorded"))
			}
			set, err := c.recordedRules(files)
			if err != nil {
				return err
			}
			if err := w.prepare(args[1:], set); err != nil {
				return err
			}
			to := c.stdout
			if args[0] != "-" {
				file, err := os.OpenFile(args[0], os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, file.Close()) }()
				to = file
			}
			written, err := c.record(command.Context(), &w, to, set, asFields)
			if args[0] != "-" {
				c.complain("%d events in %s", written, args[0])
			}
			return err
		},
	}
	w.flags(command)
	command.Flags().BoolVar(&asFields, "fields", false, "write JSON objects with the fields that rules ask for")
	command.Flags().StringSliceVar(&files, "rules", nil, "rule `FILE` whose fields and calls are recorded; may be given more than once; by default those of the config")
	return command
}

// record writes events and tells how many.
func (c *cli) record(ctx context.Context, w *watched, to io.Writer, set *rules.Set, asFields bool) (written int, err error) {
	out := bufio.NewWriterSize(to, 256<<10)
	if !asFields {
		w.record = out
		err = c.look(ctx, w, func(*probe.Event, *falcoevent.Event) error {
			written++
			return nil
		})
		return written, errors.Join(err, out.Flush())
	}
	w.refs = mergeRefs(w.refs, set.Fields())
	p := &eventPrinter{w: out, refs: w.refs}
	wanted := set.Types()
	err = c.look(ctx, w, func(ev *probe.Event, seen *falcoevent.Event) error {
		if seen == nil || w.set == nil && !wanted.Has(seen.Type()) {
			return errPassed
		}
		written++
		return p.json(ev, seen)
	})
	return written, errors.Join(err, out.Flush())
}

// recordedRules are the rules whose fields are recorded.
func (c *cli) recordedRules(files []string) (*rules.Set, error) {
	if len(files) == 0 {
		return c.configuredRules()
	}
	all, _, err := c.loadRules(files)
	if err != nil {
		return nil, err
	}
	return rules.Compile(all, rules.Options{}), nil
}

// shownNames are the fields that are shown of every event.
const shownNames = "evt.num evt.cpu evt.res evt.rawres evt.args evt.hostname proc.name proc.exe proc.exepath proc.cmdline proc.cwd proc.pid proc.ppid " +
	"proc.pname proc.pcmdline proc.aname proc.tty proc.sname proc.vpid thread.tid user.uid user.name user.loginuid user.loginname group.gid group.name " +
	"container.id container.name container.image.repository container.image.tag k8s.ns.name k8s.pod.name " +
	"fd.num fd.name fd.nameraw fd.type fd.typechar fd.l4proto fd.cip fd.cport fd.sip fd.sport"

// shownFields are those fields.
func shownFields() []field.Ref {
	var refs []field.Ref
	for name := range strings.FieldsSeq(shownNames) {
		if ref, n, err := field.Prefix(event.Syscall, name); err == nil && n == len(name) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// mergeRefs adds fields that are not there yet.
func mergeRefs(refs, more []field.Ref) []field.Ref {
	for _, ref := range more {
		if !slices.ContainsFunc(refs, func(r field.Ref) bool { return r.Text == ref.Text }) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// eventPrinter writes events.
type eventPrinter struct {
	w        io.Writer
	coloured bool
	width    int // columns of the terminal, 0 for no terminal
	refs     []field.Ref
	buf      []byte
}

// json writes an event as a line for programs.
func (p *eventPrinter) json(ev *probe.Event, seen *falcoevent.Event) error {
	if seen == nil {
		_, err := fmt.Fprintf(p.w, `{"lost":%d,"kind":%q,"cause":%q}`+"\n", ev.Lost.Count, ev.Lost.Kind, ev.Lost.Cause)
		return err
	}
	var err error
	if p.buf, err = recorded.Append(p.buf[:0], seen, p.refs); err != nil {
		return err
	}
	_, err = p.w.Write(p.buf)
	return err
}

// line writes an event as a line for people.
func (p *eventPrinter) line(ev *probe.Event, seen *falcoevent.Event) {
	at := ev.Time().Local().Format("15:04:05.000000")
	if seen == nil {
		fmt.Fprintf(p.w, "%s  %s\n", at, p.paint(red, fmt.Sprintf("%d events were lost: %s", ev.Lost.Count, ev.Lost.Cause)))
		return
	}
	get := func(id field.ID) string { return seen.Field(id, field.NoArgument).String() }
	verb, mark := seen.Type().String(), plain
	var what string
	switch ev.Kind {
	case probe.KindExec:
		what, mark = get(field.ProcCmdline), green
	case probe.KindExit:
		what = "ended with " + exitText(ev.Exit)
	default:
		what = get(field.EvtArgs)
		if ev.Syscall.Failed() {
			mark = red
		}
	}
	before := fmt.Sprintf("%7d %-15s  %-8s  %-12s  ", ev.Task.PID, oneLine(ev.Task.Comm), oneLine(get(field.UserName)), oneLine(get(field.ContainerID)))
	what = oneLine(what)
	if p.width > 0 {
		what = shorten(what, max(p.width-columns(at+before)-14, 20))
	}
	fmt.Fprintf(p.w, "%s  %s  %s%s\n", at, p.paint(mark, fmt.Sprintf("%-10s", verb)), before, what)
}

func exitText(x *probe.Exit) string {
	took := x.Duration.Round(time.Millisecond)
	if x.Signal != 0 {
		return fmt.Sprintf("signal %d after %s", x.Signal, took)
	}
	return fmt.Sprintf("%d after %s", x.Code, took)
}

func (p *eventPrinter) paint(c colour, text string) string {
	if !p.coloured || c == plain {
		return text
	}
	return string(c) + text + reset
}
