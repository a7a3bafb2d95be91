package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/verdict"
)

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		status    int
		answer    string
		header    string // Retry-After
		permanent bool
		reason    verdict.Reason
		pause     time.Duration
	}{
		{status: 400, answer: "invalid_payload", permanent: true, reason: verdict.Rejected},
		{status: 400, answer: "no_text", permanent: true, reason: verdict.Rejected},
		{status: 400, answer: "invalid_token", reason: verdict.NotFound},
		{status: 400, answer: "user_not_found\n", reason: verdict.NotFound},
		{status: 401, reason: verdict.Auth},
		{status: 403, answer: "action_prohibited", reason: verdict.Auth},
		{status: 404, answer: "no_service", reason: verdict.NotFound},
		{status: 408, reason: verdict.Timeout},
		{status: 410, answer: "channel_is_archived", reason: verdict.NotFound},
		{status: 413, permanent: true, reason: verdict.TooLarge},
		{status: 429, answer: "rate_limited", header: "30", reason: verdict.RateLimited, pause: 30 * time.Second},
		{status: 429, answer: "rate_limited", reason: verdict.RateLimited},
		{status: 429, header: "99999999999999", reason: verdict.RateLimited, pause: time.Hour},
		{status: 429, header: "soon", reason: verdict.RateLimited},
		{status: 500, answer: "rollup_error", reason: verdict.ServerError},
		{status: 503, header: "7", reason: verdict.ServerError, pause: 7 * time.Second},
	} {
		s, slack := serve(t, config())
		slack.answer = func(_ int, w http.ResponseWriter) {
			if c.header != "" {
				w.Header().Set("Retry-After", c.header)
			}
			refuse(w, c.status, c.answer)
		}
		err := s.send(t, one("R", alert.Warning, "h", received))
		if err == nil || verdict.IsPermanent(err) != c.permanent || verdict.ReasonOf(err) != c.reason {
			t.Errorf("%d %s: %v, permanent %v, reason %s", c.status, c.answer, err, verdict.IsPermanent(err), verdict.ReasonOf(err))
			continue
		}
		if pause, _ := verdict.Pause(err); pause != c.pause {
			t.Errorf("%d %s: pause %s, want %s", c.status, c.answer, pause, c.pause)
		}
		if !strings.Contains(err.Error(), strings.TrimSpace(c.answer)) {
			t.Errorf("what Slack said is not told: %v", err)
		}
		if n := len(slack.all()); n != 1 {
			t.Errorf("%d posts", n)
		}
	}
}

// Whatever goes wrong, no error shows the webhook.
func TestErrorsShowNoWebhook(t *testing.T) {
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := refused.Close(); err != nil {
		t.Fatal(err)
	}
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = fmt.Fprintf(w, "cannot get http://%s%s, see %s", r.Host, r.URL.Path, hook[strings.LastIndexByte(hook, '/'):])
	}))
	defer echo.Close()
	redirect := httptest.NewServer(http.RedirectHandler("https://127.0.0.1:1"+hook, http.StatusFound))
	defer redirect.Close()
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	defer tls.Close()
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // after which a broken connection is noticed
		<-r.Context().Done()
	}))
	defer hanging.Close()

	for name, c := range map[string]struct {
		address string
		reason  verdict.Reason
	}{
		"refused":  {"http://" + refused.Addr().String(), verdict.Connection},
		"echo":     {echo.URL, verdict.ServerError},
		"redirect": {redirect.URL, verdict.NotFound},
		"tls":      {tls.URL, verdict.TLS},
		"hanging":  {hanging.URL, verdict.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			s := output(t, c.address, config())
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err := s.Send(ctx, []*alert.Alert{one("R", alert.Warning, "h", received)})
			if err == nil || verdict.ReasonOf(err) != c.reason {
				t.Fatalf("%v, reason %s", err, verdict.ReasonOf(err))
			}
			for ; err != nil; err = errors.Unwrap(err) {
				if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "sEcReT") || strings.Contains(text, "B0HOOK") {
					t.Errorf("the webhook is shown: %s", text)
				}
			}
			if strings.Contains(fmt.Sprintf("%+v %#v", s.config, s.config), "sEcReT") {
				t.Error("the config shows the webhook")
			}
		})
	}
}

func TestValidate(t *testing.T) {
	valid := Defaults()
	valid.WebhookURL = secret.New("https://hooks.slack.com" + hook)
	if err := valid.Validate(); err != nil || !valid.Enabled() {
		t.Errorf("%v, enabled %v", err, valid.Enabled())
	}
	if none := Defaults(); none.Enabled() {
		t.Error("enabled without a webhook")
	}
	for key, change := range map[string]func(*Config){
		"webhookurl":            func(c *Config) { c.WebhookURL = secret.New("hooks.slack.com" + hook) },
		"outputformat":          func(c *Config) { c.OutputFormat = "txt" },
		"messageformat":         func(c *Config) { c.MessageFormat = "{{ .Rule " },
		"digest.after":          func(c *Config) { c.Digest.After = -1 },
		"digest.age":            func(c *Config) { c.Digest.Age = -1 },
		"digest.pace":           func(c *Config) { c.Digest.Pace = time.Hour },
		"maxconcurrentrequests": func(c *Config) { c.MaxConcurrentRequests = -1 },
	} {
		c := valid
		change(&c)
		err := c.Validate()
		var p *problem.Problem
		if !errors.As(err, &p) || p.Key != key || len(problem.Each(err)) != 1 {
			t.Errorf("%s: %v", key, err)
		}
		if err != nil && strings.Contains(err.Error(), "sEcReT") {
			t.Errorf("the webhook is shown: %v", err)
		}
	}
	for _, address := range []string{"", "https://", "ftp://h/" + hook, "https://h" + hook + "\x7f", "https://h" + hook + "\n", "%zz" + hook} {
		c := valid
		c.WebhookURL = secret.New(address)
		if err := c.Validate(); err == nil || strings.Contains(err.Error(), "sEcReT") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestCustomHeaders(t *testing.T) {
	c := config()
	c.CustomHeaders = map[string]secret.String{"X-Relay": secret.New("token")}
	s, slack := serve(t, c)
	if err := s.send(t, one("R", alert.Warning, "h", received)); err != nil {
		t.Fatal(err)
	}
	if got := slack.all()[0].header.Get("X-Relay"); got != "token" {
		t.Errorf("header %q", got)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		status int
		answer string
		fine   bool
	}{
		{400, "no_text", true},
		{400, "invalid_payload", true},
		{200, "ok", true},
		{429, "rate_limited", true},
		{400, "invalid_token", false},
		{403, "action_prohibited", false},
		{404, "no_service", false},
		{410, "channel_is_archived", false},
		{500, "rollup_error", false},
	} {
		s, slack := serve(t, config())
		slack.answer = func(_ int, w http.ResponseWriter) { refuse(w, c.status, c.answer) }
		if err := s.Check(t.Context()); (err == nil) != c.fine {
			t.Errorf("%d %s: %v", c.status, c.answer, err)
		}
		message := slack.all()[0].message(t)
		for _, shown := range []string{"text", "attachments", "blocks"} {
			if message[shown] != nil {
				t.Errorf("the check posts something: %s", slack.all()[0].body)
			}
		}
	}
	nobody := output(t, "http://127.0.0.1:1", config())
	if err := nobody.Check(t.Context()); err == nil {
		t.Error("nobody listens, and that is fine")
	}
}

// seconds gives when the posts came, from begin on.
func seconds(begin time.Time, posts []post) string {
	var all []string
	for _, p := range posts {
		all = append(all, fmt.Sprint(p.at.Sub(begin).Seconds()))
	}
	return strings.Join(all, " ")
}

func batchOf(n int, at time.Time) []*alert.Alert {
	batch := make([]*alert.Alert, n)
	for i := range batch {
		batch[i] = one(fmt.Sprint("rule ", i), alert.Warning, "h", at)
	}
	return batch
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, slack := serveInMemory(t, Defaults())
		begin := time.Now()
		if err := s.send(t, batchOf(3, begin)...); err != nil {
			t.Fatal(err)
		}
		if err := s.send(t, batchOf(2000, time.Now())...); err != nil { // at 2 s
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := s.send(t, batchOf(1, time.Now())...); err != nil { // at 68 s
			t.Fatal(err)
		}
		posts := slack.all()
		if got, want := seconds(begin, posts), "0 1 2 3 4 5 6 7 8 68"; got != want {
			t.Errorf("posted at %s, want %s", got, want)
		}
		if got, want := rulesOf(t, posts)[8], "digest of 1995"; got != want {
			t.Errorf("posted %s, want %s", got, want)
		}
	})
}

// The pace counts from the begin of a post; a Slack that is slower than the pace sets its own.
func TestPaceOfASlowSlack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, slack := serveInMemory(t, Defaults())
		slow := 400 * time.Millisecond
		slack.answer = func(int, http.ResponseWriter) { time.Sleep(slow) }
		begin := time.Now()
		if err := s.send(t, batchOf(3, begin)...); err != nil {
			t.Fatal(err)
		}
		slow = 1500 * time.Millisecond
		if err := s.send(t, batchOf(3, begin)...); err != nil {
			t.Fatal(err)
		}
		if got, want := seconds(begin, slack.all()), "0 1 2 3 4.5 6"; got != want {
			t.Errorf("posted at %s, want %s", got, want)
		}
	})
}

// What does not fit before the deadline is folded, and the most serious is not.
func TestDeadline(t *testing.T) {
	for name, c := range map[string]struct {
		timeout time.Duration
		slow    []time.Duration // how long each post takes
		want    string
	}{
		"plenty":      {10 * time.Second, nil, "[rule 0 rule 1 rule 2 rule 3 urgent]"},
		"some":        {3 * time.Second, nil, "[urgent rule 0 digest of 3]"}, // at 0, 1 and 2 s, with 0.6 s kept free
		"little":      {1100 * time.Millisecond, nil, "[digest of 5]"},
		"less":        {500 * time.Millisecond, nil, "[digest of 5]"},
		"slow":        {10 * time.Second, []time.Duration{2 * time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second}, "[rule 0 rule 1 rule 2 digest of 2]"},
		"slow by far": {10 * time.Second, []time.Duration{7 * time.Second}, "[rule 0 digest of 4]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := Defaults()
				cfg.Digest.Age = 0
				s, slack := serveInMemory(t, cfg)
				slack.answer = func(n int, _ http.ResponseWriter) {
					if n < len(c.slow) {
						time.Sleep(c.slow[n])
					}
				}
				batch := append(batchOf(4, received), one("urgent", alert.Emergency, "h", received))
				ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
				defer cancel()
				if err := s.Send(ctx, batch); err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(rulesOf(t, slack.all())); got != c.want {
					t.Errorf("posted %s, want %s", got, c.want)
				}
			})
		})
	}
}

// A pace that is longer than the time for a try still delivers, one message in each.
func TestPaceBeyondTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Defaults()
		c.Digest.Pace = 30 * time.Second
		s, slack := serveInMemory(t, c)
		begin := time.Now()
		if err := s.send(t, batchOf(1, begin)...); err != nil {
			t.Fatal(err)
		}
		err := s.send(t, batchOf(2, begin)...)
		pause, ok := verdict.Pause(err)
		if !ok || pause != 30*time.Second || !verdict.IsHeld(err) || verdict.ReasonOf(err) != verdict.RateLimited {
			t.Fatalf("%v, pause %s", err, pause)
		}
		time.Sleep(pause)
		if err := s.send(t, batchOf(2, begin)...); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(seconds(begin, slack.all()), " ", rulesOf(t, slack.all())), "0 30 [rule 0 digest of 2]"; got != want {
			t.Errorf("posted %s, want %s", got, want)
		}
	})
}

// When Slack fails in the middle, what was posted is not posted again, and only the one that was tried is blamed.
func TestFailureInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, slack := serveInMemory(t, Defaults())
		slack.answer = func(n int, w http.ResponseWriter) {
			if n == 2 {
				w.Header().Set("Retry-After", "20")
				refuse(w, 429, "rate_limited")
			}
		}
		batch := batchOf(5, time.Now())
		err := s.send(t, batch...)
		partial, ok := err.(verdict.Partial) //nolint:errorlint // as the lane does
		if !ok || len(partial) != 3 {
			t.Fatalf("%v", err)
		}
		for i := range batch {
			if failed := partial[i] != nil; failed != (i >= 2) || failed && verdict.IsHeld(partial[i]) != (i > 2) {
				t.Errorf("alert %d: %v, held %v", i, partial[i], verdict.IsHeld(partial[i]))
			}
		}
		if pause, _ := verdict.Pause(err); pause != 20*time.Second {
			t.Errorf("pause %s", pause)
		}
		if err := s.send(t, batch[2:]...); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(rulesOf(t, slack.all())), "[rule 0 rule 1 rule 2 rule 2 rule 3 rule 4]"; got != want {
			t.Errorf("posted %s, want %s", got, want)
		}
	})
}

// One alert that Slack refuses for good does not hold the others.
func TestARefusedAlert(t *testing.T) {
	s, slack := serve(t, config())
	slack.answer = func(n int, w http.ResponseWriter) {
		if n == 1 {
			refuse(w, 400, "invalid_payload")
		}
	}
	err := s.send(t, batchOf(3, received)...)
	partial, ok := err.(verdict.Partial) //nolint:errorlint // as the lane does
	if !ok || len(partial) != 1 || !verdict.IsPermanent(partial[1]) {
		t.Errorf("%v", err)
	}
	if n := len(slack.all()); n != 3 {
		t.Errorf("%d posts", n)
	}
}

// The end of a try does not wait for the pace.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, slack := serveInMemory(t, Defaults())
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		time.AfterFunc(1500*time.Millisecond, cancel)
		err := s.Send(ctx, batchOf(5, begin))
		partial, ok := err.(verdict.Partial) //nolint:errorlint // as the lane does
		if !ok || len(partial) != 3 || !errors.Is(err, context.Canceled) || !verdict.IsHeld(partial[2]) {
			t.Errorf("%v", err)
		}
		if got := time.Since(begin); got != 1500*time.Millisecond {
			t.Errorf("ended after %s", got)
		}
		if n := len(slack.all()); n != 2 {
			t.Errorf("%d posts", n)
		}
	})
}

// An hour of two alerts a second: Slack is never more than one batch behind, and gets one message a second.
func TestSustainedLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, slack := serveInMemory(t, Defaults())
		begin := time.Now()
		const each = 500 * time.Millisecond
		next, longest := 0, 0
		for time.Since(begin) < time.Hour {
			var batch []*alert.Alert
			for ; begin.Add(time.Duration(next)*each).Before(time.Now()) || next == 0; next++ {
				batch = append(batch, one(fmt.Sprint("rule ", next%3), alert.Warning, "h", begin.Add(time.Duration(next)*each)))
			}
			if len(batch) == 0 {
				time.Sleep(each / 5)
				continue
			}
			longest = max(longest, len(batch))
			if err := s.send(t, batch...); err != nil {
				t.Fatal(err)
			}
		}
		posts := slack.all()
		shown := 0
		for i, p := range posts {
			if i > 0 && p.at.Sub(posts[i-1].at) < time.Second {
				t.Fatalf("messages %s apart", p.at.Sub(posts[i-1].at))
			}
			if _, single := p.attachment(t)["fields"]; single {
				shown++
			} else {
				shown += countsOf(t, p.text(t)).total
			}
		}
		if shown != next || longest > 20 {
			t.Errorf("%d of %d shown, the longest batch %d", shown, next, longest)
		}
	})
}
