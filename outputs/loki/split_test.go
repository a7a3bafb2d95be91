package loki_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs/loki"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// strict is a Loki that keeps what is right of a request and answers 400 when anything is wrong, as Loki 3 does.
type strict struct {
	wrong func(rule string, l line) string // says what is wrong with a line, or nothing
	all   bool                             // take nothing of a request where anything is wrong, as older ones
	kept  map[string]int                   // how often each line came
}

func (s *strict) answer(r request) (int, string) {
	if s.kept == nil {
		s.kept = map[string]int{}
	}
	var refusal string
	right := map[string]int{}
	for _, stream := range r.Streams {
		for _, l := range stream.Lines {
			if text := s.wrong(stream.Labels["rule"], l); text != "" {
				refusal = text
				continue
			}
			right[l.Text]++
		}
	}
	if refusal != "" && s.all {
		return http.StatusBadRequest, refusal
	}
	for text, n := range right {
		s.kept[text] += n
	}
	if refusal != "" {
		return http.StatusBadRequest, refusal
	}
	return http.StatusNoContent, ""
}

func mixed(t *testing.T) []*alert.Alert {
	t.Helper()
	a, b, c := numbered(t, "a", 8), numbered(t, "b", 8), numbered(t, "c", 1)
	var batch []*alert.Alert
	for i := range 8 {
		batch = append(batch, a[i], b[i])
	}
	return append(batch, c...)
}

func TestRefusal(t *testing.T) {
	const labels = `error parsing labels '{rule="b"}' with error: parse error`
	for name, c := range map[string]struct {
		wrong    func(rule string, l line) string
		places   []int // in mixed: a0 b0 a1 b1 … a7 b7 c0
		requests int
	}{
		"one whole stream": {
			func(rule string, _ line) string {
				if rule == "b" {
					return labels
				}
				return ""
			},
			// The batch, a, b, and b in halves down to eight single ones: 1 + 1 + 15 + 1.
			[]int{1, 3, 5, 7, 9, 11, 13, 15},
			18,
		},
		"one line of a stream": {
			func(_ string, l line) string {
				if l.Text == "b 5" {
					return "max entry size '262144' bytes exceeded for stream '{}' while adding an entry with length '300000' bytes"
				}
				return ""
			},
			[]int{11},
			10, // batch, a, b, c, and b: 2 + 2 + 2
		},
		"too old, with the limit": {
			func(rule string, l line) string {
				limit := start.Add(3 * time.Second)
				if rule == "b" && l.Time.Before(limit) {
					return fmt.Sprintf(`entry for stream '{}' has timestamp too old: %s, oldest acceptable timestamp is: %s`,
						l.Time.Format(time.RFC3339), limit.In(time.FixedZone("", 9*3600)).Format(time.RFC3339))
				}
				return ""
			},
			[]int{1, 3, 5},
			5, // batch, a, b, the rest of b, c
		},
		"too far behind, all": {
			func(rule string, l line) string {
				if rule != "b" {
					return ""
				}
				return fmt.Sprintf("entry with timestamp %s ignored, reason: 'entry too far behind, entry timestamp is: %s, oldest acceptable timestamp is: %s',\n"+
					"user 'fake', total ignored: 8 out of 8 for stream: {rule=\"b\"}",
					l.Time, l.Time.Format(time.RFC3339), start.Add(time.Hour).Format(time.RFC3339))
			},
			[]int{1, 3, 5, 7, 9, 11, 13, 15},
			4, // batch, a, b, c
		},
		"a limit that explains nothing": {
			func(_ string, l line) string {
				if l.Text == "b 0" {
					return "oldest acceptable timestamp is: 2001-01-01T00:00:00Z"
				}
				return ""
			},
			[]int{1},
			10,
		},
	} {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, all or nothing %t", name, all), func(t *testing.T) {
				server := &strict{wrong: c.wrong, all: all}
				f := newFake(t, server.answer)
				batch := mixed(t)
				failed := partial(t, newOutput(t, f, nil).Send(t.Context(), batch), c.places...)
				for i, err := range failed {
					if !verdict.IsPermanent(err) || verdict.ReasonOf(err) != verdict.Rejected {
						t.Errorf("%d: %v", i, err)
					}
					if text := c.wrong(batch[i].Rule, line{Time: batch[i].Time, Text: batch[i].Output}); !strings.Contains(err.Error(), strings.Fields(text)[0]) {
						t.Errorf("%d: %v does not say what Loki says", i, err)
					}
				}
				for i, a := range batch {
					if delivered := server.kept[a.Output] > 0; delivered == slices.Contains(c.places, i) {
						t.Errorf("%q delivered: %t", a.Output, delivered)
					}
				}
				if n := len(f.got()); n != c.requests {
					t.Errorf("%d requests, want %d", n, c.requests)
				}
			})
		}
	}
}

// A single alert that is refused is one request and a permanent error.
func TestRefusalOfOne(t *testing.T) {
	f := newFake(t, func(request) (int, string) { return 400, "no" })
	err := newOutput(t, f, nil).Send(t.Context(), numbered(t, "a", 1))
	if !verdict.IsPermanent(err) || len(f.got()) != 1 {
		t.Errorf("%d requests: %v", len(f.got()), err)
	}
}

// When Loki breaks down in the middle of it all, what was not settled waits, and what was is not asked again.
func TestRefusalThenBreakdown(t *testing.T) {
	n := 0
	f := newFake(t, func(r request) (int, string) {
		n++
		switch {
		case n == 1 || len(r.Streams) == 1 && r.Streams[0].Labels["rule"] == "a":
			return 400, "refused"
		default:
			return 503, "gone"
		}
	})
	batch := []*alert.Alert{numbered(t, "a", 1)[0], numbered(t, "b", 1)[0], numbered(t, "c", 1)[0]}
	failed := partial(t, newOutput(t, f, nil).Send(t.Context(), batch), 0, 1, 2)
	if !verdict.IsPermanent(failed[0]) || verdict.IsPermanent(failed[1]) || verdict.IsPermanent(failed[2]) {
		t.Errorf("got %v", failed)
	}
	if verdict.ReasonOf(failed[2]) != verdict.ServerError || n != 3 {
		t.Errorf("%d requests, the last alert: %v", n, failed[2])
	}
}

func TestTooLarge(t *testing.T) {
	kept := map[string]int{}
	f := newFake(t, func(r request) (int, string) {
		texts := r.texts()
		if len(texts) > 3 || slices.Contains(texts, "a 4") {
			return http.StatusRequestEntityTooLarge, "request body too large"
		}
		for _, text := range texts {
			kept[text]++
		}
		return 204, ""
	})
	failed := partial(t, newOutput(t, f, nil).Send(t.Context(), numbered(t, "a", 10)), 4)
	if !verdict.IsPermanent(failed[4]) || verdict.ReasonOf(failed[4]) != verdict.TooLarge {
		t.Errorf("got %v", failed[4])
	}
	for i := range 10 {
		if want := min(1, max(i-4, 4-i)); kept[fmt.Sprintf("a %d", i)] != want {
			t.Errorf("a %d came %d times, want %d", i, kept[fmt.Sprintf("a %d", i)], want)
		}
	}
}

func TestTenants(t *testing.T) {
	f := newFake(t, nil)
	o := newOutput(t, f, func(c *loki.Config) { c.Tenant = `{{ or (index .OutputFields "k8s.ns.name") "infra" }}` })
	batch := parse(t, `
{"rule":"r","priority":"Debug","time":"2026-08-17T09:00:00Z","output":"1","output_fields":{"k8s.ns.name":"shop"}}
{"rule":"r","priority":"Debug","time":"2026-08-17T09:00:01Z","output":"2","output_fields":{"k8s.ns.name":"pay"}}
{"rule":"r","priority":"Debug","time":"2026-08-17T09:00:02Z","output":"3","output_fields":{"k8s.ns.name":null}}
{"rule":"r","priority":"Debug","time":"2026-08-17T09:00:03Z","output":"4","output_fields":{"k8s.ns.name":"shop"}}`)
	if err := o.Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	lines := map[string][]string{}
	for _, r := range f.got() {
		lines[r.tenant()] = append(lines[r.tenant()], r.texts()...)
	}
	want := map[string][]string{"shop": {"1", "4"}, "pay": {"2"}, "infra": {"3"}}
	if fmt.Sprint(lines) != fmt.Sprint(want) || len(f.got()) != 3 {
		t.Errorf("got %v, want %v", lines, want)
	}
}

// What a field holds never gets into another header, nor to another tenant.
func TestTenantThatIsNoName(t *testing.T) {
	for _, name := range []string{`a\r\nX-Evil: 1`, `a\u0000`, "a|b", "a/b", "..", "팀", strings.Repeat("x", 151)} {
		f := newFake(t, nil)
		o := newOutput(t, f, func(c *loki.Config) { c.Tenant = "{{ .OutputFields.team }}" })
		batch := parse(t, `{"rule":"r","priority":"Debug","time":"2026-08-17T09:00:00Z","output":"bad","output_fields":{"team":"`+name+`"}}
			{"rule":"r","priority":"Debug","time":"2026-08-17T09:00:00Z","output":"good","output_fields":{"team":"b"}}`)
		failed := partial(t, o.Send(t.Context(), batch), 0)
		if !verdict.IsPermanent(failed[0]) || verdict.ReasonOf(failed[0]) != verdict.Encoding || strings.ContainsAny(failed[0].Error(), "\r\n\x00") {
			t.Errorf("%q: %q", name, failed[0])
		}
		if got := f.only(t); got.tenant() != "b" || !slices.Equal(got.texts(), []string{"good"}) || got.Header.Get("X-Evil") != "" {
			t.Errorf("%q: %+v", name, got)
		}
	}
}

// A field that is not there is no tenant: the header is left out.
func TestTenantThatIsNotThere(t *testing.T) {
	f := newFake(t, nil)
	o := newOutput(t, f, func(c *loki.Config) { c.Tenant = "{{ .OutputFields.team }}" })
	if err := o.Send(t.Context(), numbered(t, "a", 1)); err != nil {
		t.Fatal(err)
	}
	if _, there := f.only(t).Header["X-Scope-Orgid"]; there {
		t.Error("the header was sent")
	}
}

func TestTenantSeesTheAlert(t *testing.T) {
	f := newFake(t, nil)
	o := newOutput(t, f, func(c *loki.Config) {
		c.Tenant = `{{ .Source }}-{{ .Priority }}-{{ .Hostname }}-{{ .Time.Year }}-{{ index .Tags 0 }}-{{ len .UUID }}-{{ len .Output }}-{{ if eq .Rule "r" }}yes{{ end }}`
	})
	batch := parse(t, `{"rule":"r","priority":"Debug","time":"2026-08-17T09:00:00Z","output":"four","hostname":"h","source":"s","tags":["t"]}`)
	if err := o.Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if got, want := f.only(t).tenant(), "s-Debug-h-2026-t-36-4-yes"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// One tenant that fails, or hangs, does not keep the others from their alerts.
func TestTenantsFailAlone(t *testing.T) {
	for name, status := range map[string]int{"refused": 400, "broken": 503} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(r request) (int, string) {
				if r.tenant() == "b" {
					return status, "not you"
				}
				return 204, ""
			})
			o := newOutput(t, f, func(c *loki.Config) { c.Tenant = "{{ .Rule }}" })
			batch := []*alert.Alert{numbered(t, "a", 1)[0], numbered(t, "b", 1)[0], numbered(t, "c", 1)[0]}
			failed := partial(t, o.Send(t.Context(), batch), 1)
			if verdict.IsPermanent(failed[1]) != (status == 400) {
				t.Errorf("got %v", failed[1])
			}
		})
	}
	t.Run("hangs", func(t *testing.T) {
		others := make(chan struct{}, 2)
		f := newFake(t, func(r request) (int, string) {
			if r.tenant() == "a" {
				// Loki answers a only once it has the others.
				for range 2 {
					select {
					case <-others:
					case <-t.Context().Done():
					}
				}
				return 204, ""
			}
			others <- struct{}{}
			return 204, ""
		})
		o := newOutput(t, f, func(c *loki.Config) { c.Tenant = "{{ .Rule }}" })
		batch := []*alert.Alert{numbered(t, "a", 1)[0], numbered(t, "b", 1)[0], numbered(t, "c", 1)[0]}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := o.Send(ctx, batch); err != nil {
			t.Fatal(err)
		}
	})
}
