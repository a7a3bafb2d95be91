package outputtest

import (
	"bytes"
	"context"
	"encoding"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/verdict"
)

type contract struct {
	spec   outputs.Spec
	config func(server string) outputs.Config
	yes    Answer
	show   func(Request) string
	wants  map[int]Want
	local  func(stdout string) string
	leaves []goleak.Option
	// patience is long enough for anything on loopback; only what fails takes it.
	patience time.Duration
}

// place is an output under test with all that it touches.
type place struct {
	outputs.Output
	t        *testing.T
	server   *Server
	secrets  []string
	log      *buffer
	stdout   *buffer
	patience time.Duration
}

// open makes the output and a server that gives the answers. When the test ends, the output is closed, and nothing of
// it may be left.
func (c *contract) open(t *testing.T, answers ...Answer) *place {
	t.Helper()
	allowed := append([]goleak.Option{goleak.IgnoreCurrent()}, c.leaves...)
	t.Cleanup(func() {
		if !t.Failed() {
			goleak.VerifyNone(t, allowed...)
		}
	})
	p := &place{t: t, log: &buffer{}, stdout: &buffer{}, patience: c.patience}
	address := ""
	if c.local == nil {
		p.server = NewServer(t, answers...)
		address = p.server.URL
	}
	config := c.config(address)
	p.secrets = secretsOf(config, address)
	output, err := c.spec.New(outputs.Env{
		Name:    c.spec.Name,
		Version: "test",
		Log:     slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: prometheus.NewRegistry(),
		HTTP:    httpx.Defaults(),
		Stdout:  p.stdout,
	}, config)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	p.Output = output
	t.Cleanup(func() {
		if closer, ok := output.(io.Closer); ok {
			if err := closer.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if p.server != nil {
			select {
			case <-p.server.Emptied():
			case <-time.After(p.patience):
				t.Error("Close leaves connections open")
			}
		}
		if s, found := leaked(p.secrets, p.log.String(), nil); found {
			t.Errorf("the log shows the secret %q:\n%s", s, p.log)
		}
	})
	return p
}

// send gives the batch to the output. The batch must be the same afterwards, and no error may show a secret or stand
// in the log as well.
func (p *place) send(ctx context.Context, batch ...*alert.Alert) error {
	p.t.Helper()
	var before [][]byte
	for _, a := range batch {
		before = append(before, a.AppendRecord(nil))
	}
	given := slices.Clone(batch)
	err := p.Send(ctx, batch)
	for i, a := range given {
		if batch[i] != a || !bytes.Equal(a.AppendRecord(nil), before[i]) {
			p.t.Errorf("alert %d of the batch was changed", i)
		}
	}
	if s, found := leaked(p.secrets, "", err); found {
		p.t.Errorf("the error shows the secret %q: %v", s, err)
	}
	if err != nil && (strings.Contains(p.log.String(), err.Error()) || strings.Contains(p.log.String(), strconv.Quote(err.Error()))) {
		p.t.Errorf("the error is returned and logged: %v", err)
	}
	return err
}

// sendEnding is send with a context that is about to end, which Send must heed.
func (p *place) sendEnding(ctx context.Context, a *alert.Alert) error {
	p.t.Helper()
	done := make(chan error, 1)
	go func() { done <- p.send(ctx, a) }()
	select {
	case err := <-done:
		return err
	case <-time.After(p.patience):
		p.t.Fatal("Send goes on although its context has ended")
		return nil
	}
}

func (p *place) context() context.Context {
	ctx, cancel := context.WithTimeout(p.t.Context(), p.patience)
	p.t.Cleanup(cancel)
	return ctx
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

func (c *contract) testSpec(t *testing.T) {
	s := c.spec
	if !nameForm.MatchString(s.Name) {
		t.Errorf("name %q: expected lower case letters and digits", s.Name)
	}
	if s.Title == "" || s.Category == "" || !strings.HasSuffix(s.About, ".") {
		t.Errorf("expected a title, a category and a sentence about it, got %q, %q, %q", s.Title, s.Category, s.About)
	}
	if s.Batch.Max < 1 {
		t.Errorf("batch.max is %d, expected at least 1", s.Batch.Max)
	}
	if _, err := s.New(outputs.Env{}, nil); err == nil {
		t.Error("New takes the config of another output")
	}
}

func (c *contract) testConfig(t *testing.T) {
	fresh := c.spec.Config()
	if fresh.Enabled() {
		t.Error("the defaults switch the output on")
	}
	if reflect.ValueOf(fresh).Pointer() == reflect.ValueOf(c.spec.Config()).Pointer() {
		t.Error("two calls of Config give one config")
	}
	keys := keysOf(t, reflect.TypeOf(fresh).Elem(), ofLane...)
	empty, ok := reflect.TypeAssert[outputs.Config](reflect.New(reflect.TypeOf(fresh).Elem()))
	if !ok {
		t.Fatalf("%T is no config", fresh)
	}
	if empty.Enabled() {
		t.Error("an empty config switches the output on")
	}
	for name, config := range map[string]outputs.Config{"defaults": fresh, "empty": empty} {
		for _, err := range problem.Each(config.Validate()) {
			var p *problem.Problem
			if !errors.As(err, &p) {
				t.Errorf("Validate of %s: %v was not made by package problem", name, err)
				continue
			}
			if first, _, _ := strings.Cut(p.Key, "."); !keys[first] {
				t.Errorf("Validate of %s: there is no key %q", name, p.Key)
			}
		}
	}
	const server = "http://127.0.0.1:1"
	complete := c.config(server)
	if !complete.Enabled() {
		t.Error("the config of this test does not switch the output on")
	}
	err := complete.Validate()
	if err != nil {
		t.Errorf("the config of this test is not valid: %v", err)
	}
	secrets := secretsOf(complete, server)
	if s, found := leaked(secrets, fmt.Sprintf("%v %+v %#v", complete, complete, complete), err); found {
		t.Errorf("the printed config shows the secret %q", s)
	}
}

// keysOf lists the keys of a config, those of embedded structs included, and checks that every field has one.
func keysOf(t *testing.T, config reflect.Type, taken ...string) map[string]bool {
	keys := map[string]bool{}
	for field := range config.Fields() {
		key, option, _ := strings.Cut(field.Tag.Get("config"), ",")
		switch {
		case !field.IsExported():
		case option == "inline", key == "" && field.Anonymous && field.Type.Kind() == reflect.Struct:
			maps.Copy(keys, keysOf(t, field.Type, taken...))
		case slices.Contains(taken, key):
			t.Errorf("field %s of %s: the key %s is one that every lane has", field.Name, config, key)
		case key == "" || key != strings.ToLower(key) || strings.ContainsAny(key, "./_- "):
			t.Errorf("field %s of %s: expected a tag config:\"key\" in lower case, got %q", field.Name, config, field.Tag)
		case keys[key]:
			t.Errorf("field %s of %s: the key %s is there twice", field.Name, config, key)
		default:
			keys[key] = true
			if section(field.Type) {
				keysOf(t, field.Type)
			}
		}
	}
	return keys
}

// ofLane are the keys that stand beside an output's own, see package flow.
var ofLane = []string{"minimumpriority", "when", "timeout", "maxage", "retry"}

// section reports whether a field of type t holds further keys, rather than a value.
func section(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func (c *contract) testReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil || !strings.HasPrefix(string(readme), "# "+c.spec.Title+"\n") {
		t.Errorf("expected README.md to begin with the title %q (%v)", c.spec.Title, err)
	}
}

// testAlerts sends each sample by itself and shows what came out, then all of them in one batch.
func (c *contract) testAlerts(t *testing.T) {
	var all []*alert.Alert
	for _, sample := range Alerts() {
		all = append(all, sample.Alert)
		t.Run(sample.Name, func(t *testing.T) {
			p := c.open(t, c.yes)
			if err := p.send(p.context(), sample.Alert); err != nil {
				t.Fatalf("Send: %v", err)
			}
			text := c.came(p)
			if !utf8.ValidString(text) {
				t.Error("what came out is not valid UTF-8")
			}
			find := unescaped
			if c.local != nil { // sooner or later someone looks at it on a terminal
				find = harmful
			}
			if r, found := find(text); found {
				t.Errorf("what came out holds the control character %U", r)
			}
			Golden(t, sample.Name+".golden", visible(text))
		})
	}
	t.Run("as one batch", func(t *testing.T) {
		p := c.open(t, c.yes)
		// At most as many as the spec allows, and again: the second batch meets what the first left behind.
		for range 2 {
			for batch := range slices.Chunk(all, c.spec.Batch.Max) {
				if err := p.send(p.context(), batch...); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		}
		if c.came(p) == "" {
			t.Error("nothing came out")
		}
	})
}

// came shows what the place got: all requests, or what a local output wrote.
func (c *contract) came(p *place) string {
	if c.local != nil {
		return shorten(c.local(p.stdout.String()))
	}
	var texts []string
	for _, r := range p.server.Requests() {
		texts = append(texts, ShowRequest(r, c.show))
	}
	return strings.ReplaceAll(strings.Join(texts, "\n"), p.server.URL, "http://server")
}

func usual() *alert.Alert { return Alerts()[1].Alert }

func (c *contract) testStatus(t *testing.T) {
	for _, status := range slices.Sorted(maps.Keys(c.wants)) {
		want := c.wants[status]
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			answer := Answer{Status: status, Header: http.Header{}, Echo: true}
			if status >= 200 && status <= 299 {
				answer.Body, answer.Echo = c.yes.Body, false
			}
			if want.Pause > 0 {
				answer.Header.Set("Retry-After", fmt.Sprint(int(pause.Seconds())))
			}
			if status >= 300 && status <= 399 {
				answer.Header.Set("Location", "/elsewhere")
			}
			p := c.open(t, answer)
			judged(t, p.send(p.context(), usual()), want)
			if n := len(p.server.Requests()); n != 1 {
				t.Errorf("Send made %d requests; to try again is the lane's business", n)
			}
		})
	}
}

// judged compares an error for a batch of one alert with the verdict that it should be.
func judged(t *testing.T, err error, want Want) {
	t.Helper()
	if partial, ok := errors.AsType[verdict.Partial](err); ok {
		if len(partial) != 1 || partial[0] == nil {
			t.Errorf("for a batch of one alert: %v", partial)
		}
		err = partial[0]
	}
	if want == (Want{}) {
		if err != nil {
			t.Errorf("expected success, got %v", err)
		}
		return
	}
	if err == nil {
		t.Errorf("expected an error with reason %s", want.Reason)
		return
	}
	if reason := verdict.ReasonOf(err); reason != want.Reason {
		t.Errorf("reason %s, want %s: %v", reason, want.Reason, err)
	}
	if permanent := verdict.IsPermanent(err); permanent != want.Permanent {
		t.Errorf("permanent is %t, want %t: %v", permanent, want.Permanent, err)
	}
	if asked, _ := verdict.Pause(err); asked < want.Pause {
		t.Errorf("asks for a pause of %v, want at least %v", asked, want.Pause)
	}
	if r, found := harmful(err.Error()); found || strings.Contains(err.Error(), "\n") || len(err.Error()) > 1024 {
		t.Errorf("expected one short line without control characters (%U), got %q", r, err)
	}
}

func (c *contract) testNoAnswer(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		p := c.open(t, c.yes)
		p.server.Close()
		judged(t, p.send(p.context(), usual()), Want{Reason: verdict.Connection})
	})
	t.Run("reset", func(t *testing.T) {
		p := c.open(t, Answer{Reset: true}, c.yes)
		judged(t, p.send(p.context(), usual()), Want{Reason: verdict.Connection})
		if err := p.send(p.context(), usual()); err != nil {
			t.Errorf("the next try, when the server is well again: %v", err)
		}
	})
}

func (c *contract) testDeadline(t *testing.T) {
	p := c.open(t, Answer{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	judged(t, p.sendEnding(ctx, usual()), Want{Reason: verdict.Timeout})
	if ctx.Err() == nil {
		t.Error("Send returned before its deadline, without an answer")
	}
}

func (c *contract) testCancel(t *testing.T) {
	p := c.open(t, Answer{Hang: true})
	ctx, cancel := context.WithCancel(p.context())
	go func() {
		select {
		case <-p.server.Came():
		case <-ctx.Done():
		}
		cancel()
	}()
	err := p.sendEnding(ctx, usual())
	if !errors.Is(err, context.Canceled) || verdict.IsPermanent(err) {
		t.Errorf("expected context.Canceled and no verdict, got %v", err)
	}
}

func (c *contract) testCheck(t *testing.T) {
	p := c.open(t, c.yes)
	checker, ok := p.Output.(outputs.Checker)
	if !ok {
		t.Skip("the output has no Check")
	}
	if err := checker.Check(p.context()); err != nil {
		t.Errorf("the server answers, but: %v", err)
	}
	p.server.Close()
	err := checker.Check(p.context())
	if err == nil {
		t.Error("nothing listens, but Check is content")
	}
	if s, found := leaked(p.secrets, "", err); found {
		t.Errorf("the error shows the secret %q: %v", s, err)
	}
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
