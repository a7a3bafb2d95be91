package loki_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/loki"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
)

// line is one line of a stream as Loki sees it.
type line struct {
	Time     time.Time
	Text     string
	Metadata map[string]string
}

// stream is one stream of a request as Loki sees it.
type stream struct {
	Labels map[string]string
	Lines  []line
}

// request is what a fake Loki got.
type request struct {
	Method, Path string
	Header       http.Header
	Body         []byte
	Streams      []stream
}

func (r request) tenant() string { return r.Header.Get("X-Scope-OrgID") }

// texts lists all lines of the request.
func (r request) texts() []string {
	var all []string
	for _, s := range r.Streams {
		for _, l := range s.Lines {
			all = append(all, l.Text)
		}
	}
	return all
}

// fake is a Loki that answers as it is told and remembers what it got.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

// newFake starts one. answer says what to answer to a request; nil is 204 for all.
func newFake(t testing.TB, answer func(request) (int, string)) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client gave up
		}
		got := request{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header, Body: body}
		got.Streams, err = decode(r.Header.Get("Content-Type"), body)
		if err != nil {
			t.Errorf("the request cannot be read: %v", err)
		}
		f.mu.Lock()
		f.requests = append(f.requests, got)
		f.mu.Unlock()
		status, text := http.StatusNoContent, ""
		if answer != nil {
			status, text = answer(got)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) got() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// only gives the one request that came.
func (f *fake) only(t testing.TB) request {
	t.Helper()
	got := f.got()
	if len(got) != 1 {
		t.Fatalf("%d requests came, want 1", len(got))
	}
	return got[0]
}

// decode reads a push request in either form, and refuses what Loki would refuse.
func decode(contentType string, body []byte) ([]stream, error) {
	var (
		streams []stream
		err     error
	)
	switch contentType {
	case "application/x-protobuf":
		plain, e := snappy.Decode(nil, body)
		if e != nil {
			return nil, e
		}
		streams, err = decodeProto(plain)
	case "application/json":
		streams, err = decodeJSON(body)
	default:
		return nil, fmt.Errorf("content type %q", contentType)
	}
	if err != nil {
		return nil, err
	}
	for _, s := range streams {
		if len(s.Labels) == 0 || len(s.Lines) == 0 {
			return nil, fmt.Errorf("a stream with %d labels and %d lines", len(s.Labels), len(s.Lines))
		}
		for name, value := range s.Labels {
			if err := valid(name, value); err != nil {
				return nil, fmt.Errorf("label: %w", err)
			}
		}
		for _, l := range s.Lines {
			if err := clean("line", l.Text); err != nil {
				return nil, err
			}
			for name, value := range l.Metadata {
				if err := valid(name, value); err != nil {
					return nil, fmt.Errorf("metadata: %w", err)
				}
			}
		}
	}
	return streams, nil
}

// clean is what every text must be.
func clean(what, text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s %q is no valid UTF-8", what, text)
	}
	if alert.Printable(text) != text {
		return fmt.Errorf("%s %q holds control characters", what, text)
	}
	return nil
}

// valid is what a label or a piece of metadata must be.
func valid(name, value string) error {
	if err := clean(name, value); err != nil {
		return err
	}
	if strings.ContainsRune(value, utf8.RuneError) {
		return fmt.Errorf("%s=%q: Loki takes no U+FFFD there", name, value)
	}
	if strings.Trim(name, "_") == "" {
		return fmt.Errorf("%q is a name without meaning", name)
	}
	for i, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return fmt.Errorf("%q is no name", name)
		}
	}
	return nil
}

// message calls field for each field of a protobuf message.
func message(b []byte, field func(n protowire.Number, v uint64, bytes []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var (
			value uint64
			text  []byte
		)
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			text, n = protowire.ConsumeBytes(b)
		default:
			return fmt.Errorf("field %d has wire type %d", number, kind)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := field(number, value, text); err != nil {
			return fmt.Errorf("%d: %w", number, err)
		}
	}
	return nil
}

func unknown(n protowire.Number) error { return fmt.Errorf("field %d is not known", n) }

func decodeProto(b []byte) (streams []stream, err error) {
	err = message(b, func(n protowire.Number, _ uint64, b []byte) error {
		if n != 1 {
			return unknown(n)
		}
		s := stream{}
		err := message(b, func(n protowire.Number, _ uint64, b []byte) (err error) {
			switch n {
			case 1:
				s.Labels, err = parseLabels(string(b))
			case 2:
				var l line
				l, err = decodeEntry(b)
				s.Lines = append(s.Lines, l)
			default:
				err = unknown(n)
			}
			return err
		})
		streams = append(streams, s)
		return err
	})
	return streams, err
}

func decodeEntry(b []byte) (l line, err error) {
	err = message(b, func(n protowire.Number, _ uint64, b []byte) error {
		switch n {
		case 1:
			var seconds, nanos uint64
			err := message(b, func(n protowire.Number, v uint64, _ []byte) error {
				switch n {
				case 1:
					seconds = v
				case 2:
					nanos = v
				default:
					return unknown(n)
				}
				return nil
			})
			l.Time = time.Unix(int64(seconds), int64(nanos)).UTC()
			return err
		case 2:
			l.Text = string(b)
		case 3:
			var name, value string
			err := message(b, func(n protowire.Number, _ uint64, b []byte) error {
				switch n {
				case 1:
					name = string(b)
				case 2:
					value = string(b)
				default:
					return unknown(n)
				}
				return nil
			})
			if err != nil {
				return err
			}
			return l.set(name, value)
		default:
			return unknown(n)
		}
		return nil
	})
	return l, err
}

func (l *line) set(name, value string) error {
	if _, twice := l.Metadata[name]; twice {
		return fmt.Errorf("metadata %s comes twice", name)
	}
	if l.Metadata == nil {
		l.Metadata = map[string]string{}
	}
	l.Metadata[name] = value
	return nil
}

// parseLabels reads {name="value", name="value"}.
func parseLabels(text string) (map[string]string, error) {
	labels := map[string]string{}
	rest, ok := strings.CutPrefix(text, "{")
	for ok && rest != "}" {
		var name, quoted string
		if name, rest, ok = strings.Cut(rest, "="); !ok {
			break
		}
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return nil, fmt.Errorf("labels %q: %w", text, err)
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("labels %q: %w", text, err)
		}
		if _, twice := labels[name]; twice {
			return nil, fmt.Errorf("labels %q: %s comes twice", text, name)
		}
		labels[name] = value
		rest = strings.TrimPrefix(rest[len(quoted):], ", ")
	}
	if !ok {
		return nil, fmt.Errorf("labels %q cannot be read", text)
	}
	return labels, nil
}

func decodeJSON(body []byte) (streams []stream, err error) {
	var r struct {
		Streams []struct {
			Stream map[string]string   `json:"stream"`
			Values [][]json.RawMessage `json:"values"`
		} `json:"streams"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, err
	}
	for _, in := range r.Streams {
		s := stream{Labels: in.Stream}
		for _, value := range in.Values {
			var (
				nanos string
				l     line
			)
			if len(value) < 2 || len(value) > 3 {
				return nil, fmt.Errorf("a value of %d members", len(value))
			}
			if err := json.Unmarshal(value[0], &nanos); err != nil {
				return nil, err
			}
			number, err := strconv.ParseInt(nanos, 10, 64)
			if err != nil {
				return nil, err
			}
			l.Time = time.Unix(0, number).UTC()
			if err := json.Unmarshal(value[1], &l.Text); err != nil {
				return nil, err
			}
			if len(value) == 3 {
				if err := json.Unmarshal(value[2], &l.Metadata); err != nil {
					return nil, err
				}
			}
			s.Lines = append(s.Lines, l)
		}
		streams = append(streams, s)
	}
	return streams, nil
}

// render writes streams for people and golden files.
func render(streams []stream) string {
	var out strings.Builder
	for _, s := range streams {
		out.WriteString("stream\n")
		for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
			fmt.Fprintf(&out, "  %s = %s\n", name, s.Labels[name])
		}
		for _, l := range s.Lines {
			fmt.Fprintf(&out, "%s\n  %s\n", l.Time.Format(time.RFC3339Nano), l.Text)
			for _, name := range slices.Sorted(maps.Keys(l.Metadata)) {
				fmt.Fprintf(&out, "    %s = %s\n", name, l.Metadata[name])
			}
		}
	}
	return out.String()
}

// newOutput makes the output against a fake; set changes its config.
func newOutput(t testing.TB, f *fake, set func(*loki.Config)) outputs.Output {
	t.Helper()
	c := loki.Defaults()
	c.HostPort = f.URL
	if set != nil {
		set(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	o, err := loki.New(outputs.Env{Name: "loki", Version: "1.2.3", Log: slog.New(slog.DiscardHandler), HTTP: httpx.Defaults()}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// parse reads the alerts of a JSON text.
func parse(t testing.TB, body string) []*alert.Alert {
	t.Helper()
	alerts, err := alert.Decode([]byte(body), time.Date(2026, 8, 17, 10, 0, 0, 0, time.UTC), alert.DefaultMaxDepth)
	if err != nil {
		t.Fatal(err)
	}
	return alerts
}

// numbered makes n alerts of one stream, a second apart, whose lines are name and number.
func numbered(t testing.TB, name string, n int) []*alert.Alert {
	t.Helper()
	var body strings.Builder
	for i := range n {
		fmt.Fprintf(&body, `{"rule":%q,"priority":"Warning","time":%q,"output":"%s %d","source":"syscall","hostname":"node-1"}`,
			name, start.Add(time.Duration(i)*time.Second).Format(time.RFC3339Nano), name, i)
	}
	return parse(t, body.String())
}

var start = time.Date(2026, 8, 17, 9, 0, 0, 0, time.UTC)
