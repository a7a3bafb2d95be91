package loki_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tiercel/tiercel/outputs/loki"
	"github.com/tiercel/tiercel/pkg/alert"
)

// Loki's default limits, for one line.
const (
	lokiMetadata      = 128
	lokiMetadataBytes = 64 << 10
	lokiLabelValue    = 2048
)

func sent(t testing.TB, set func(*loki.Config), batch ...*alert.Alert) []stream {
	t.Helper()
	f := newFake(t, nil)
	if err := newOutput(t, f, set).Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	return f.only(t).Streams
}

func withFields(t testing.TB, fields string) *alert.Alert {
	t.Helper()
	return parse(t, `{"rule":"r","priority":"Debug","time":"2026-08-17T09:00:00Z","output":"o","output_fields":{`+fields+`}}`)[0]
}

func TestMetadataIsBounded(t *testing.T) {
	var many, huge strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&many, `"field.%d":"%s",`, i, strings.Repeat("x", 1+i%7))
	}
	for i := range 20 {
		fmt.Fprintf(&huge, `"small.%d":"kept","large.%d":"%s",`, i, i, strings.Repeat("안", 1000*(1+i)))
	}
	for name, fields := range map[string]string{"many": many.String(), "huge": huge.String(), "one": `"large.19":"` + strings.Repeat("x", 1<<20) + `",`} {
		t.Run(name, func(t *testing.T) {
			got := sent(t, nil, withFields(t, fields+`"last":"here"`))[0].Lines[0].Metadata
			total := 0
			for name, value := range got {
				total += len(name) + len(value)
			}
			// Loki adds some of its own: detected_level, service_name.
			if len(got) > lokiMetadata-16 || total > lokiMetadataBytes-4096 {
				t.Errorf("%d pieces, %d bytes", len(got), total)
			}
			if got["uuid"] == "" {
				t.Error("no uuid")
			}
			dropped := got["_tiercel_truncated"]
			if dropped == "" || len(dropped) > 1024 || !utf8.ValidString(dropped) {
				t.Errorf("_tiercel_truncated is %q", dropped)
			}
			if name == "many" {
				return
			}
			if !strings.Contains(dropped, "large_19") || strings.Contains(dropped, "small") {
				t.Errorf("the largest go first, but gone are %q", dropped)
			}
			for want := range strings.SplitSeq(dropped, ",") {
				if _, there := got[want]; there {
					t.Errorf("%s is there and named as gone", want)
				}
			}
			if got["last"] != "here" {
				t.Error("a small field is gone")
			}
		})
	}
}

func TestMetadataWithinBoundsIsWhole(t *testing.T) {
	var fields strings.Builder
	for i := range 90 {
		fmt.Fprintf(&fields, `"field.%d":"%s",`, i, strings.Repeat("x", 500))
	}
	got := sent(t, nil, withFields(t, fields.String()+`"last":"here"`))[0].Lines[0].Metadata
	if _, there := got["_tiercel_truncated"]; there || len(got) != 92 {
		t.Errorf("%d pieces", len(got))
	}
}

// A label that is too long for Loki is cut; the whole text is metadata.
func TestLongLabelIsCut(t *testing.T) {
	long := strings.Repeat("안", 1000)
	set := func(c *loki.Config) { c.ExtraLabels = "proc.cmdline" }
	got := sent(t, set, withFields(t, `"proc.cmdline":"`+long+`"`))[0]
	label := got.Labels["proc_cmdline"]
	if len(label) > lokiLabelValue || !strings.HasPrefix(long, strings.TrimSuffix(label, "…")) || !strings.HasSuffix(label, "…") {
		t.Errorf("label of %d bytes: %q", len(label), label)
	}
	if got.Lines[0].Metadata["proc_cmdline_2"] != long {
		t.Errorf("metadata %v", got.Lines[0].Metadata)
	}
}

// Names do not depend on the alerts before.
func TestNamesAreRememberedRight(t *testing.T) {
	batch := []*alert.Alert{
		withFields(t, `"a.b":"1","a_b":"2"`),
		withFields(t, `"a_b":"3"`),
		withFields(t, `"a_b":"4","a.b":"5","a_b_2":"6"`),
	}
	for i, want := range []string{"map[a_b:1 a_b_2:2]", "map[a_b:3]", "map[a_b:4 a_b_2:5 a_b_2_2:6]"} {
		got := sent(t, nil, batch...)[0].Lines[i].Metadata
		delete(got, "uuid")
		if fmt.Sprint(got) != want {
			t.Errorf("alert %d: %v, want %s", i, got, want)
		}
	}
}

// An alert with more names than are remembered, and the ones after it.
func TestManyNames(t *testing.T) {
	f := newFake(t, nil)
	o := newOutput(t, f, nil)
	for round := range 3 {
		var fields strings.Builder
		for i := range 5000 {
			fmt.Fprintf(&fields, `"f%d_%d":"x",`, round, i)
		}
		batch := []*alert.Alert{withFields(t, fields.String()+`"last":1`), withFields(t, `"a.b":"1","a_b":"2"`)}
		if err := o.Send(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if got := f.got()[round].Streams[0].Lines[1].Metadata; got["a_b"] != "1" || got["a_b_2"] != "2" {
			t.Errorf("metadata %v", got)
		}
	}
}

func TestBlankOutput(t *testing.T) {
	for _, output := range []string{"", " ", `\n\t`} {
		a := parse(t, `{"rule":"Say nothing","priority":"Debug","time":"2026-08-17T09:00:00Z","output":"`+output+`",
			"output_fields":{"proc.cmdline":"a=\"b\"","evil\nname":"x\ny","big":"`+strings.Repeat("y", 1<<15)+`"}}`)[0]
		got := sent(t, nil, a)[0].Lines[0].Text
		if want := `rule="Say nothing" priority=Debug proc_cmdline="a=\"b\"" evil_name="x\\u000ay" …`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzSend(f *testing.F) {
	f.Add("rule", "host", "output", "proc.aname[2]", "value", "tag", "proc.name")
	f.Add("r\"\\\n", "\x00", "", "이름", "\xff\u202e", ",", "이름")
	f.Add("안녕 👩‍👩‍👧", "\u009b", "\x1b]0;x\x07", "", "{}", "\u2028", ",,[")
	f.Add("r", "h", "o", "uuid", "v", "t", "uuid,rule")
	f.Fuzz(func(t *testing.T, rule, host, output, name, value, tag, extra string) {
		a := &alert.Alert{
			ID: alert.NewID(), Time: start, Rule: rule, Hostname: host, Output: output, Source: value, Tags: []string{tag, name},
			Fields: alert.FieldsOf(
				alert.Field{Name: name, Value: alert.String(value)}, alert.Field{Name: name + ".", Value: "12"},
				alert.Field{Name: value, Value: alert.String(name)}, alert.Field{Name: tag, Value: `{"a":[null,"\u0000"]}`}),
			Extra: alert.FieldsOf(alert.Field{Name: name, Value: alert.String(value)}),
		}
		for _, labels := range []string{loki.LabelsDefault, loki.LabelsFalcosidekick} {
			for _, format := range []string{loki.FormatText, loki.FormatJSON} {
				var first string
				for _, protocol := range []string{loki.ProtocolProtobuf, loki.ProtocolJSON} {
					server := newFake(t, nil) // it reads every request and refuses what Loki would
					o := newOutput(t, server, func(c *loki.Config) {
						c.Labels, c.Format, c.Protocol, c.ExtraLabels = labels, format, protocol, extra
					})
					if err := o.Send(t.Context(), []*alert.Alert{a}); err != nil {
						t.Fatal(err)
					}
					got := render(server.only(t).Streams)
					if first == "" {
						first = got
					}
					if got != first {
						t.Fatalf("%s:\n%s\nelse:\n%s", protocol, got, first)
					}
				}
			}
		}
	})
}
