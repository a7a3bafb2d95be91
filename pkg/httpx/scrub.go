package httpx

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/secret"
)

const (
	minSecret  = 4 // bytes; shorter ones stand in every text
	minSegment = 8 // bytes; a shorter part of a path is a word rather than a token
)

// harmless are the headers whose values are no secrets, of those that outputs set.
var harmless = []string{
	"Accept", "Accept-Encoding", "Content-Encoding", "Content-Type", "User-Agent", "X-Scope-Orgid", hostHeader,
}

// IsHarmless reports whether the value of the header of that name, in its canonical form, is no secret.
func IsHarmless(name string) bool { return slices.Contains(harmless, name) }

// Scrubber returns a function that cuts secrets out of a text, as [Do] cuts them out of its errors: each of secrets,
// and the credentials that req itself carries.
func Scrubber(req *http.Request, secrets ...string) func(text string) string {
	return newScrubber(req, secrets).cut
}

// scrubber cuts the secrets of one request out of texts. It is made only once something has failed.
type scrubber struct{ replacer *strings.Replacer }

// newScrubber knows the given secrets and those that req shows: its headers, the user and the query of its address.
func newScrubber(req *http.Request, secrets []string) *scrubber {
	var all []string
	add := func(texts ...string) {
		for _, text := range texts {
			if len(text) >= minSecret {
				all = append(all, text, url.PathEscape(text), url.QueryEscape(text))
			}
		}
	}
	for _, text := range secrets {
		add(text)
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			add(u.EscapedPath(), u.Path, u.RequestURI())
			for segment := range strings.SplitSeq(u.Path, "/") {
				if len(segment) >= minSegment {
					add(segment)
				}
			}
			add(inURL(u)...)
		}
	}
	add(inURL(req.URL)...)
	for name, values := range req.Header {
		if !slices.Contains(harmless, name) {
			add(values...)
		}
	}
	if scheme, token, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok && scheme != "" {
		add(token)
	}
	if user, password, ok := req.BasicAuth(); ok {
		add(user, password)
	}
	// The longest first: the replacer takes the first that fits, and a secret may begin with another.
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(all))
	for _, text := range all {
		pairs = append(pairs, text, secret.Redacted)
	}
	return &scrubber{strings.NewReplacer(pairs...)}
}

// inURL gives what an address may hold beside host and path.
func inURL(u *url.URL) []string {
	var all []string
	if u.User != nil {
		password, _ := u.User.Password()
		all = append(all, u.User.Username(), password)
	}
	if u.RawQuery != "" {
		all = append(all, u.RawQuery)
		for _, values := range u.Query() {
			all = append(all, values...)
		}
	}
	return all
}

func (s *scrubber) cut(text string) string { return s.replacer.Replace(text) }

// place names an address for people: host and path.
func (s *scrubber) place(u *url.URL) string {
	path := s.cut(u.EscapedPath())
	if path != "" && path[0] != '/' { // it was cut out as a whole
		path = "/" + path
	}
	return alert.Printable(u.Host + path)
}

// err gives err itself when its text is clean, else one with a clean text that still wraps it.
func (s *scrubber) err(err error) error {
	text := err.Error()
	if clean := alert.Printable(s.cut(text)); clean != text {
		return &scrubbed{clean, err}
	}
	return err
}

// scrubbed is an error with another text.
type scrubbed struct {
	text string
	err  error
}

func (s *scrubbed) Error() string { return s.text }
func (s *scrubbed) Unwrap() error { return s.err }
