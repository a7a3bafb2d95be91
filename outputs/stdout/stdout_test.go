package stdout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/outputs/stdout"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

func TestMain(m *testing.M) {
	time.Local = time.FixedZone("KST", 9*60*60) // what people see is local time
	os.Exit(m.Run())
}

func TestContract(t *testing.T) {
	outputtest.Run(t, stdout.Spec, func(string) outputs.Config {
		return &stdout.Config{On: true, Format: stdout.Auto}
	}, outputtest.Local(func(written string) string { return written }))
}

func open(t testing.TB, to io.Writer, format string) outputs.Output {
	t.Helper()
	output, err := stdout.New(outputs.Env{Stdout: to}, stdout.Config{On: true, Format: format})
	if err != nil {
		t.Fatal(err)
	}
	return output
}

func samples() []*alert.Alert {
	var batch []*alert.Alert
	for _, s := range outputtest.Alerts() {
		batch = append(batch, s.Alert)
	}
	return batch
}

func decode(t testing.TB, text string) *alert.Alert {
	t.Helper()
	a, err := alert.DecodeOne([]byte(text), time.Date(2026, 8, 17, 10, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// counted counts the writes.
type counted struct {
	bytes.Buffer
	writes int
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes++
	return c.Buffer.Write(p)
}

func TestABatchIsOneWriteOfWholeLines(t *testing.T) {
	for _, format := range []string{"", stdout.Auto, stdout.JSON, stdout.Pretty} {
		var to counted
		output := open(t, &to, format)
		for range 2 {
			if err := output.Send(t.Context(), samples()); err != nil {
				t.Fatal(err)
			}
		}
		if to.writes != 2 || strings.Count(to.String(), "\n") != 6 || !strings.HasSuffix(to.String(), "\n") {
			t.Errorf("format %q: %d writes, %d lines", format, to.writes, strings.Count(to.String(), "\n"))
		}
	}
}

func TestJSONLinesAreTheAlerts(t *testing.T) {
	var to bytes.Buffer
	if err := open(t, &to, stdout.JSON).Send(t.Context(), samples()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(to.String(), "\n"), "\n")
	for i, a := range samples() {
		var got, want any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatalf("%v in %q", err, lines[i])
		}
		if err := json.Unmarshal(a.AppendJSON(nil), &want); err != nil {
			t.Fatal(err)
		}
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		if !bytes.Equal(g, w) {
			t.Errorf("alert %d came out as %s", i, lines[i])
		}
	}
}

func TestPretty(t *testing.T) {
	batch := samples()
	for _, text := range []string{
		// The prefix goes, in each form that Falco has for a time; Hangul takes two cells a letter.
		`{"rule":"셸이 열림 😀","priority":"notice","time":"2026-08-17T09:47:21.9999Z","output":"2026-08-17T09:47:21.999900000+0000: Notice 셸 \uD83D\uDE00","hostname":"노드-1"}`,
		`{"rule":"Another","priority":"info","time":"2026-08-17T09:47:21Z","output":"Informational: no prefix","output_fields":{"container.id":"host","container.name":"host","k8s.ns.name":"<NA>"}}`,
		`{"rule":"Combining a\u0301","priority":"critical","time":"2026-08-17T09:47:21Z","output":"09:47:21.0: Warning another priority stays"}`,
		`{"rule":"A rule whose name is longer than its column is wide","priority":"error","time":"2026-08-17T09:47:21Z","output":"a\tb","output_fields":{"container.id":"abc","k8s.ns.name":"shop"}}`,
		`{"rule":"No sentence","priority":"alert","time":"2026-08-17T09:47:21Z","output_fields":{"a":1,"b":"x\ny"}}`,
		`{"rule":"Yesterday","priority":"emergency","time":"2026-08-16T09:47:21Z","output":"late"}`,
	} {
		batch = append(batch, decode(t, text))
	}
	var to bytes.Buffer
	if err := open(t, &to, stdout.Pretty).Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(to.String(), func(r rune) bool { return r != '\n' && unicode.IsControl(r) }); i >= 0 {
		t.Errorf("a control character came through: %q", to.String()[i:])
	}
	outputtest.Golden(t, "pretty.golden", strings.ReplaceAll(to.String(), strings.Repeat("a long text 긴 글 😀 ", 3999), "... "))
}

// scripted fails as told: it takes so many bytes, then gives the error.
type scripted struct {
	bytes.Buffer
	take []int
}

var errFull = errors.New("disk full")

func (s *scripted) Write(p []byte) (int, error) {
	if len(s.take) == 0 {
		return s.Buffer.Write(p)
	}
	n := min(s.take[0], len(p))
	s.take = s.take[1:]
	s.Buffer.Write(p[:n])
	return n, errFull
}

func TestAHalfLineIsNotJoinedWithTheNext(t *testing.T) {
	a := samples()[0]
	line := string(a.AppendJSON(nil)) + "\n"
	for name, c := range map[string]struct {
		take []int
		want string
	}{
		"nothing taken":        {[]int{0}, line},
		"half a line":          {[]int{20}, line[:20] + "\n" + line},
		"twice":                {[]int{20, 10}, line[:20] + "\n" + line[:9] + "\n" + line},
		"then nothing":         {[]int{20, 0}, line[:20] + "\n" + line},
		"a whole line, failed": {[]int{len(line)}, line + line},
	} {
		to := &scripted{take: c.take}
		output := open(t, to, stdout.JSON)
		for range c.take {
			err := output.Send(t.Context(), []*alert.Alert{a})
			if !errors.Is(err, errFull) || verdict.ReasonOf(err) != verdict.Storage || verdict.IsPermanent(err) {
				t.Errorf("%s: %v, reason %s", name, err, verdict.ReasonOf(err))
			}
		}
		if err := output.Send(t.Context(), []*alert.Alert{a}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if to.String() != c.want {
			t.Errorf("%s: %q, want %q", name, to.String(), c.want)
		}
	}
}

func TestSendEndsWhenNobodyReads(t *testing.T) {
	read, write := io.Pipe()
	output := open(t, write, stdout.JSON)
	batch := samples()[:1]
	line := string(batch[0].AppendJSON(nil)) + "\n"
	for range 2 { // the second finds the first write still under way
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := output.Send(ctx, batch); verdict.ReasonOf(err) != verdict.Timeout || verdict.IsPermanent(err) {
			t.Errorf("nobody reads: %v", err)
		}
		cancel()
	}
	all := make(chan string)
	go func() {
		text, _ := io.ReadAll(read)
		all <- string(text)
	}()
	if err := output.Send(t.Context(), batch); err != nil {
		t.Error(err)
	}
	_ = write.Close()
	if got := <-all; got != line+line { // the one that was stuck, and the one that was tried again
		t.Errorf("%q", got)
	}
}

func TestConfigRefusesAnUnknownFormat(t *testing.T) {
	c := stdout.Config{On: true, Format: "xml"}
	if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "format: ") {
		t.Errorf("got %v", err)
	}
}

func TestNewNeedsAStandardOutput(t *testing.T) {
	if _, err := stdout.New(outputs.Env{}, stdout.Defaults()); err == nil {
		t.Error("there is none, but New is content")
	}
}

func BenchmarkSend(b *testing.B) {
	for _, format := range []string{stdout.JSON, stdout.Pretty} {
		b.Run(format, func(b *testing.B) {
			output := open(b, io.Discard, format)
			batch := samples()[1:2]
			b.ReportAllocs()
			for b.Loop() {
				if err := output.Send(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
