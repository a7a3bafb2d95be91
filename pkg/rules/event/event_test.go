package event_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/event"
)

func TestTypes(t *testing.T) {
	var names []string
	for _, source := range []event.Source{event.Syscall, event.Terminal} {
		for e := range event.All(source) {
			names = append(names, e.String())
			if found, ok := event.Lookup(e.String()); !ok || found != e || e.Source() != source {
				t.Errorf("%s is found as %s", e, found)
			}
		}
	}
	if len(names) != event.Count-1 {
		t.Errorf("%d names", len(names))
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != event.Count-1 {
		t.Error("a name is there twice")
	}
	for _, name := range []string{"", "Open", "nothing", "zzz", "~"} {
		if e, ok := event.Lookup(name); ok {
			t.Errorf("%q is %s", name, e)
		}
	}
	if e := event.Type(60000); e.String() != "" || e.Source() != event.Syscall {
		t.Error("a type out of range")
	}
	for _, source := range []event.Source{event.Syscall, event.Terminal} {
		if s, ok := event.ParseSource(source.String()); !ok || s != source {
			t.Errorf("source %s", source)
		}
	}
}

func TestParams(t *testing.T) {
	execve, _ := event.Lookup("execve")
	var names []string
	for name, kind := range execve.Params() {
		if kind == "" {
			t.Errorf("%s has no type", name)
		}
		names = append(names, name)
	}
	if len(names) != 31 || names[0] != "res" || names[30] != "filename" {
		t.Errorf("execve has %v", names)
	}
	for text, want := range map[string]string{"flags)": "flags", "filename x": "filename", "file": "", "": "", "fdin.": "fdin"} {
		if got, ok := event.LongestParam(text); got != want || ok != (want != "") {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestSets(t *testing.T) {
	find := func(name string) event.Type {
		e, ok := event.Lookup(name)
		if !ok {
			t.Fatal(name)
		}
		return e
	}
	one := event.SetOf(find("open"), find("close"), 0, 60000)
	two := event.SetOf(find("close"), find("write"))
	names := func(s event.Set) (out []string) {
		for e := range s.All() {
			out = append(out, e.String())
		}
		return out
	}
	for want, got := range map[string]event.Set{"close": one.And(two), "close open write": one.Or(two), "open": one.Minus(two)} {
		if text := strings.Join(names(got), " "); text != want || got.Len() != len(names(got)) {
			t.Errorf("%s, want %s", text, want)
		}
	}
	if open := find("open"); !one.Has(open) || two.Has(open) || one.Has(60000) {
		t.Error("Has")
	}
	all := event.Everything(event.Syscall)
	if terminal := event.Everything(event.Terminal); all.And(terminal).Len() != 0 || terminal.Len() != 4 || all.Len() != event.Count-5 {
		t.Error("Everything")
	}
}
