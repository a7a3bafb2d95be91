package httpx_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
)

func TestSettingsValidate(t *testing.T) {
	headers := func(pairs ...string) map[string]secret.String {
		all := map[string]secret.String{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = secret.New(pairs[i+1])
		}
		return all
	}
	for name, c := range map[string]struct {
		settings httpx.Settings
		problems []string // begin of each, in order
	}{
		"defaults":          {httpx.DefaultSettings(), nil},
		"usual":             {httpx.Settings{CustomHeaders: headers("X-Token", "a b", "host", "h", "authorization", "한글"), MaxConcurrentRequests: 1024}, nil},
		"too few":           {httpx.Settings{MaxConcurrentRequests: -1}, []string{"maxconcurrentrequests: "}},
		"too many":          {httpx.Settings{MaxConcurrentRequests: 1025}, []string{"maxconcurrentrequests: "}},
		"header smuggling":  {httpx.Settings{CustomHeaders: headers("X-A", "hush\r\nX-B: c", "X-N", "hush\x00")}, []string{"customheaders.X-A: ", "customheaders.X-N: "}},
		"no name":           {httpx.Settings{CustomHeaders: headers("", "x")}, []string{"customheaders: "}},
		"a name with blank": {httpx.Settings{CustomHeaders: headers("X A:", "x")}, []string{"customheaders: "}},
		"twice":             {httpx.Settings{CustomHeaders: headers("X-A", "x", "x-a", "y")}, []string{"customheaders.x-a: is the same header as X-A"}},
		"the client's own":  {httpx.Settings{CustomHeaders: headers("content-length", "3")}, []string{"customheaders.content-length: "}},
	} {
		got := problem.Each(c.settings.Validate())
		if len(got) != len(c.problems) {
			t.Errorf("%s: %v, want %d problems", name, got, len(c.problems))
			continue
		}
		for i, want := range c.problems {
			if !strings.HasPrefix(got[i].Error(), want) || strings.Contains(got[i].Error(), "hush") {
				t.Errorf("%s: %v, want it to begin with %q", name, got[i], want)
			}
		}
	}
}

func TestSettingsApply(t *testing.T) {
	s := httpx.Settings{CustomHeaders: map[string]secret.String{"x-token": secret.New("t"), "content-type": secret.New("text/x")}}
	h := http.Header{"Content-Type": {"application/json"}}
	s.Apply(h)
	if want := (http.Header{"Content-Type": {"text/x"}, "X-Token": {"t"}}); !maps.EqualFunc(h, want, func(a, b []string) bool { return a[0] == b[0] }) {
		t.Errorf("got %v", h)
	}
}
