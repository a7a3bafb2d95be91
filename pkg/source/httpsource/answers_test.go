package httpsource

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/source"
)

// TestAnswersAreFalcosidekicks goes through every path and method that falcosidekick answers.
func TestAnswersAreFalcosidekicks(t *testing.T) {
	const (
		plain     = "text/plain; charset=utf-8"
		wantPost  = "Please send with post http method\n"
		jsonType  = "application/json"
		noContent = ""
	)
	r := start(t, loopback())
	c := client(t, &http.Transport{})
	for _, want := range []struct {
		method, path string
		status       int
		contentType  string
		body         string
	}{
		{http.MethodPost, "/", 200, noContent, ""},
		{http.MethodPost, "", 200, noContent, ""},
		{http.MethodPost, "/any/path/at-all?with=query", 200, noContent, ""},
		{http.MethodPost, "/ping/", 200, noContent, ""},
		{http.MethodPost, "//", 200, noContent, ""},
		{http.MethodPost, "/%2e%2e/새%00", 200, noContent, ""},
		{http.MethodPost, "/debug/vars", 200, noContent, ""},
		{http.MethodPost, "/test", 200, noContent, ""},
		{http.MethodGet, "/", 400, plain, wantPost},
		{http.MethodPut, "/", 400, plain, wantPost},
		{http.MethodDelete, "/x", 400, plain, wantPost},
		{http.MethodGet, "/debug/vars", 400, plain, wantPost},
		{"PROPFIND", "/", 400, plain, wantPost},
		{http.MethodOptions, "/", 400, plain, wantPost},
		{http.MethodHead, "/", 400, plain, ""},
		{http.MethodGet, "/test", 400, plain, wantPost},
		{"PROPFIND", "/test", 400, plain, wantPost},
		{http.MethodGet, "/ping", 200, plain, "pong\n"},
		{http.MethodPost, "/ping", 200, plain, "pong\n"},
		{http.MethodDelete, "/ping", 200, plain, "pong\n"},
		{"PROPFIND", "/ping", 200, plain, "pong\n"},
		{http.MethodHead, "/ping", 200, plain, ""},
		{http.MethodGet, "/healthz", 200, jsonType, `{"status": "ok"}`},
		{http.MethodPost, "/healthz", 200, jsonType, `{"status": "ok"}`},
		{http.MethodGet, "/readyz", 200, jsonType, `{"journal":"ok"}` + "\n"},
	} {
		t.Run(want.method+" "+want.path, func(t *testing.T) {
			var got reply
			if want.method == http.MethodPost {
				got = send(t, c, want.method, r.url(want.path), strings.NewReader(falcoAlert))
			} else {
				got = send(t, c, want.method, r.url(want.path), http.NoBody)
			}
			if got.status != want.status || got.header.Get("Content-Type") != want.contentType || got.body != want.body {
				t.Errorf("%d %q %q, want %d %q %q", got.status, got.header.Get("Content-Type"), got.body, want.status, want.contentType, want.body)
			}
			if _, has := got.header["Content-Type"]; has && want.contentType == noContent {
				t.Error("there is a Content-Type")
			}
		})
	}
	if got := strings.Count(r.journal.rules(), "Terminal shell in container"); got != 7 {
		t.Errorf("%d alerts, want one for each POST", got)
	}
	if !strings.HasSuffix(r.journal.rules(), "Test rule") {
		t.Errorf("no test alert: %s", r.journal.rules())
	}
	if got := r.counted(t, "falcosecurity_falcosidekick_inputs_total", "source", "requests", "status", "accepted"); got != 8 {
		t.Errorf("%v accepted", got)
	}
	if got := r.counted(t, "falcosecurity_falcosidekick_inputs_total", "source", "requests", "status", "rejected"); got != 9 {
		t.Errorf("%v rejected", got)
	}
	if got := r.counted(t, "tiercel_receiver_refused_total", "reason", "method"); got != 9 {
		t.Errorf("%v refused for the method", got)
	}
}

func TestMetricsPage(t *testing.T) {
	r := start(t, loopback())
	got := send(t, client(t, &http.Transport{DisableCompression: true}), http.MethodGet, r.url("/metrics"), nil)
	if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("%d %s", got.status, got.header.Get("Content-Type"))
	}
	for _, reason := range reasons {
		if want := fmt.Sprintf("tiercel_receiver_refused_total{reason=%q} 0\n", reason); !strings.Contains(got.body, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, want := range []string{
		`falcosecurity_falcosidekick_inputs_total{source="requests",status="accepted"} 0`,
		`falcosecurity_falcosidekick_inputs_total{source="requests",status="rejected"} 0`,
		`tiercel_receiver_request_seconds_count 0`, `tiercel_receiver_in_flight 0`, `tiercel_receiver_body_bytes_total 0`,
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("no %s", want)
		}
	}
	if got := send(t, client(t, &http.Transport{DisableCompression: true}), http.MethodGet, r.url("/metrics"), nil, "Accept-Encoding", "gzip"); got.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("not compressed: %v", got.header)
	}
}

func TestReadyNamesWhatIsNot(t *testing.T) {
	for name, c := range map[string]struct {
		ok     bool
		report any
		status int
		body   string
	}{
		"ready":     {true, map[string]int{"lag": 0}, 200, `{"lag":0}` + "\n"},
		"not ready": {false, map[string]string{"loki": "연결 거부"}, 503, `{"loki":"연결 거부"}` + "\n"},
		"broken":    {true, func() {}, 500, `{"error":"internal error, see the log","reason":"internal"}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, loopback(), func(_ *running, d *Deps) { d.Ready = func() (bool, any) { return c.ok, c.report } })
			got := send(t, client(t, &http.Transport{DisableKeepAlives: true}), http.MethodGet, r.url("/readyz"), nil)
			if got.status != c.status || got.body != c.body || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// TestBodies sends what was tried on falcosidekick, and what it lost or fell over.
func TestBodies(t *testing.T) {
	deep := func(levels int) string {
		return `{"rule":"deep","priority":"Notice","time":"2026-08-17T09:47:21Z","output_fields":{"a":` +
			strings.Repeat("[", levels) + strings.Repeat("]", levels) + `}}`
	}
	field := func(name, value string) string {
		return `{"rule":"f","priority":"Notice","time":"2026-08-17T09:47:21Z","output_fields":{"` + name + `":` + value + `}}`
	}
	type refusalOf struct {
		index  int
		member string
		reason string
	}
	for name, c := range map[string]struct {
		body   string
		rules  string // what is in the journal after a 200
		refuse *refusalOf
	}{
		"as Falco sends it":           {falcoAlert, "Terminal shell in container", nil},
		"without a line break":        {strings.TrimSpace(falcoAlert), "Terminal shell in container", nil},
		"two lines":                   {simple("a") + "\n" + simple("b") + "\n", "a b", nil},
		"two values on one line":      {simple("a") + simple("b"), "a b", nil},
		"an array":                    {"[" + simple("a") + ",\n" + simple("b") + "]", "a b", nil},
		"array and lines":             {"[" + simple("a") + "]" + simple("b"), "a b", nil},
		"blanks around":               {" \r\n\t" + simple("a") + " \n\n", "a", nil},
		"numeric k8s.ns.name":         {field("k8s.ns.name", "7"), "f", nil},
		"object as k8s.pod.name":      {field("k8s.pod.name", `{"a":[1]}`), "f", nil},
		"null field":                  {field("x", "null"), "f", nil},
		"no output_fields":            {`{"rule":"n","priority":"Notice","time":"2026-08-17T09:47:21Z"}`, "n", nil},
		"Hangul and emoji":            {simple("셸🦅"), "셸🦅", nil},
		"invalid UTF-8":               {simple("a\xffb"), "a\uFFFDb", nil},
		"NUL, escaped":                {simple(`a\u0000b`), "a\x00b", nil},
		"half a surrogate pair":       {simple(`a\ud83e`), "a\uFFFD", nil},
		"100 levels":                  {deep(100), "deep", nil},
		"member names in capitals":    {`{"RULE":"c","Priority":"NOTICE","TIME":"2026-08-17T09:47:21Z"}`, "c", nil},
		"empty":                       {"", "", &refusalOf{0, "", "empty"}},
		"blanks only":                 {" \n ", "", &refusalOf{0, "", "empty"}},
		"empty array":                 {"[]", "", &refusalOf{0, "", "empty"}},
		"text output of Falco":        {"09:47:21.1: Warning Shell\n", "", &refusalOf{0, "", "not_an_object"}},
		"a JSON string":               {`"text"`, "", &refusalOf{0, "", "not_an_object"}},
		"null":                        {"null", "", &refusalOf{0, "", "not_an_object"}},
		"array in an array":           {"[[" + simple("a") + "]]", "", &refusalOf{0, "", "not_an_object"}},
		"second one at fault":         {simple("a") + `{"rule":"b"}`, "", &refusalOf{1, "priority", "missing_member"}},
		"garbage after an alert":      {simple("a") + "garbage", "", &refusalOf{1, "", "not_json"}},
		"third of an array at fault":  {"[" + simple("a") + "," + simple("b") + `,{"priority":"Notice","time":"2026-08-17T09:47:21Z"}]`, "", &refusalOf{2, "rule", "missing_member"}},
		"cut off":                     {falcoAlert[:500], "", &refusalOf{0, "", "not_json"}},
		"no rule":                     {`{"priority":"Notice","time":"2026-08-17T09:47:21Z"}`, "", &refusalOf{0, "rule", "missing_member"}},
		"empty rule":                  {simple(""), "", &refusalOf{0, "rule", "bad_value"}},
		"null rule":                   {`{"rule":null,"priority":"Notice","time":"2026-08-17T09:47:21Z"}`, "", &refusalOf{0, "rule", "missing_member"}},
		"no time":                     {`{"rule":"a","priority":"Notice"}`, "", &refusalOf{0, "time", "missing_member"}},
		"time as a number":            {`{"rule":"a","priority":"Notice","time":1}`, "", &refusalOf{0, "time", "wrong_type"}},
		"time in another form":        {`{"rule":"a","priority":"Notice","time":"17.8.2026"}`, "", &refusalOf{0, "time", "bad_value"}},
		"unknown priority":            {`{"rule":"a","priority":"Loud","time":"2026-08-17T09:47:21Z"}`, "", &refusalOf{0, "priority", "bad_value"}},
		"priority and a blank":        {`{"rule":"a","priority":"Notice ","time":"2026-08-17T09:47:21Z"}`, "", &refusalOf{0, "priority", "bad_value"}},
		"hostname as a number":        {`{"rule":"a","priority":"Notice","time":"2026-08-17T09:47:21Z","hostname":7}`, "", &refusalOf{0, "hostname", "wrong_type"}},
		"tags as a string":            {`{"rule":"a","priority":"Notice","time":"2026-08-17T09:47:21Z","tags":"x"}`, "", &refusalOf{0, "tags", "wrong_type"}},
		"output_fields as an array":   {`{"rule":"a","priority":"Notice","time":"2026-08-17T09:47:21Z","output_fields":[]}`, "", &refusalOf{0, "output_fields", "wrong_type"}},
		"129 levels":                  {deep(129), "", &refusalOf{0, "output_fields", "too_deep"}},
		"100000 levels":               {deep(100_000), "", &refusalOf{0, "", "not_json"}},
		"NUL, raw":                    {simple("a\x00b"), "", &refusalOf{0, "", "not_json"}},
		"UTF-16":                      {"\xff\xfe{\x00}\x00", "", &refusalOf{0, "", "not_json"}},
		"a form":                      {"payload=%7B%7D", "", &refusalOf{0, "", "not_json"}},
		"gzip without saying so":      {gzipped(t, simple("a")), "", &refusalOf{0, "", "not_json"}},
		"a key without a value":       {`{"rule"}`, "", &refusalOf{0, "", "not_json"}},
		"a value that is not a value": {`{"rule":nope}`, "", &refusalOf{0, "", "not_json"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, loopback())
			got := r.post(t, c.body, "Content-Type", "image/png") // which is ignored
			if c.refuse == nil {
				if got.status != 200 || got.body != "" {
					t.Fatalf("%d %s", got.status, got.body)
				}
				if r.journal.rules() != c.rules {
					t.Errorf("journal has %q, want %q", r.journal.rules(), c.rules)
				}
				if n := r.counted(t, "tiercel_receiver_body_bytes_total"); n != float64(len(c.body)) {
					t.Errorf("%v bytes counted of %d", n, len(c.body))
				}
				return
			}
			if got.status != 400 || got.header.Get("Content-Type") != "application/json" {
				t.Fatalf("%d %s %s", got.status, got.header.Get("Content-Type"), got.body)
			}
			if r.journal.rules() != "" {
				t.Errorf("a refused body left %q in the journal", r.journal.rules())
			}
			var why struct {
				Error, Member, Expected, Reason string
				Index                           *int
			}
			if err := json.Unmarshal([]byte(got.body), &why); err != nil {
				t.Fatalf("%v: %s", err, got.body)
			}
			if why.Index == nil || *why.Index != c.refuse.index || why.Member != c.refuse.member || why.Reason != c.refuse.reason {
				t.Errorf("got %s, want %+v", got.body, *c.refuse)
			}
			if why.Error == "" || why.Expected == "" {
				t.Errorf("no sentence: %s", got.body)
			}
			if n := r.counted(t, "tiercel_receiver_refused_total", "reason", c.refuse.reason); n != 1 {
				t.Errorf("%v counted for %s", n, c.refuse.reason)
			}
			if n := r.counted(t, "falcosecurity_falcosidekick_inputs_total", "status", "rejected"); n != 1 {
				t.Errorf("%v counted as rejected", n)
			}
			kept, n := r.lastRefused()
			if want := c.body[:min(len(c.body), 64<<10)]; n != 1 || string(kept.Body) != want || kept.Reason != c.refuse.reason || kept.Error == "" || kept.Remote == "" || kept.Time.IsZero() {
				t.Errorf("kept %d: %+v", n, kept)
			}
		})
	}
}

func TestARefusedBodyShowsNothingOfEarlierOnes(t *testing.T) {
	r := start(t, loopback())
	for range 10 {
		if got := r.post(t, falcoAlert); got.status != 200 {
			t.Fatal(got.status)
		}
	}
	conn := r.dial(t)
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"b\":")
	closeWrite(t, conn)
	if got := readAll(t, conn); !strings.Contains(got, "400 Bad Request") || !strings.Contains(got, "body_cut") {
		t.Errorf("answer: %s", got)
	}
	if kept, _ := r.lastRefused(); string(kept.Body) != `{"b":` || kept.Reason != "body_cut" {
		t.Errorf("kept %q for %s", kept.Body, kept.Reason)
	}
}

func TestPutThatFailsIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		retry  string
		reason string
	}{
		"journal full":    {errors.New("the journal is full"), 503, "1", "unavailable"},
		"alert too large": {fmt.Errorf("pack: %w", source.ErrTooLarge), 413, "", "too_large"},
	} {
		for _, path := range []string{"/", "/test"} {
			t.Run(name+" "+path, func(t *testing.T) {
				r := start(t, loopback(), func(r *running, _ *Deps) { r.journal.err = c.err })
				got := send(t, client(t, &http.Transport{DisableKeepAlives: true}), http.MethodPost, r.url(path), strings.NewReader(falcoAlert))
				if got.status != c.status || got.header.Get("Retry-After") != c.retry || !strings.Contains(got.body, `"reason":"`+c.reason+`"`) {
					t.Errorf("%d %v %s", got.status, got.header, got.body)
				}
				if n := r.counted(t, "tiercel_receiver_refused_total", "reason", c.reason); n != 1 {
					t.Errorf("%v counted", n)
				}
				if n := r.counted(t, "falcosecurity_falcosidekick_inputs_total", "status", "accepted"); n != 0 {
					t.Errorf("%v accepted", n)
				}
			})
		}
	}
}

func TestPanicIsAnswered500AndTheProcessGoesOn(t *testing.T) {
	fails := true
	r := start(t, loopback(), func(_ *running, d *Deps) {
		now := d.Now
		d.Ready = func() (bool, any) {
			if fails {
				panic("새 오류")
			}
			return true, now()
		}
	})
	c := client(t, &http.Transport{})
	if got := send(t, c, http.MethodGet, r.url("/readyz"), nil); got.status != 500 || !strings.Contains(got.body, `"reason":"internal"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	fails = false
	if got := send(t, c, http.MethodGet, r.url("/readyz"), nil); got.status != 200 {
		t.Errorf("after the panic: %d", got.status)
	}
	if got := r.counted(t, "tiercel_receiver_refused_total", "reason", "internal"); got != 1 {
		t.Errorf("%v counted", got)
	}
	if !strings.Contains(r.log.String(), "새 오류") || !strings.Contains(r.log.String(), "answers_test.go") {
		t.Errorf("log: %s", r.log)
	}
}

func TestRefusalsAreLoggedOnceASecond(t *testing.T) {
	r := start(t, loopback(), func(_ *running, d *Deps) {
		at := d.Now()
		d.Now = func() time.Time { return at }
	})
	for range 20 {
		r.post(t, "no")
	}
	if got := strings.Count(r.log.String(), "a body refused"); got != 1 {
		t.Errorf("%d lines for 20 refused bodies in one moment: %s", got, r.log)
	}
}
