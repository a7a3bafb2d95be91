package app

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/secret"
)

// Exchange is one HTTP request and what came back. Secrets are cut out.
type Exchange struct {
	Request      Request `json:"request"`
	Answer       *Answer `json:"answer,omitempty"` // nil when none came
	Error        string  `json:"error,omitempty"`  // why none came
	Milliseconds int64   `json:"milliseconds"`     // until the answer's header was there
}

// Request is what was sent.
type Request struct {
	Method  string   `json:"method"`
	URL     string   `json:"url"`
	Headers []Header `json:"headers"` // by name
	Body    string   `json:"body"`    // as text; of what is no text, its size and type. A gzip body is shown unpacked
}

// Answer is what came back.
type Answer struct {
	Status string `json:"status"` // "200 OK"
	Body   string `json:"body,omitempty"`
}

// Header is one header of a request. The value of one that may hold a secret is [REDACTED].
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// shownBody is how much of a body is shown, in bytes.
const shownBody = 64 << 10

// exchange makes what was seen fit to be shown.
func (s *sighting) exchange(secrets []string) Exchange {
	cut := httpx.Scrubber(s.request, secrets...)
	header := s.request.Header
	x := Exchange{
		Request: Request{
			Method: s.request.Method,
			URL:    shownURL(s.request.URL, cut),
			Body:   cut(bodyText(s.sent, header.Get("Content-Type"), header.Get("Content-Encoding"))),
		},
		Milliseconds: s.took.Milliseconds(),
	}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			if !httpx.IsHarmless(name) {
				value = secret.Redacted
			}
			x.Request.Headers = append(x.Request.Headers, Header{name, value})
		}
	}
	if s.err != nil {
		x.Error = cut(s.err.Error())
	}
	if s.answer != nil {
		x.Answer = &Answer{
			Status: s.answer.Status,
			Body:   cut(bodyText(s.got.Bytes(), s.answer.Header.Get("Content-Type"), s.answer.Header.Get("Content-Encoding"))),
		}
	}
	return x
}

// shownURL gives an address without its user, and without the values of its query.
func shownURL(u *url.URL, cut func(string) string) string {
	text := u.Scheme + "://" + u.Host + "/" + strings.TrimPrefix(cut(u.EscapedPath()), "/")
	var query []string
	for _, name := range slices.Sorted(maps.Keys(u.Query())) {
		query = append(query, url.QueryEscape(name)+"="+secret.Redacted)
	}
	if query != nil {
		text += "?" + strings.Join(query, "&")
	}
	return text
}

// bodyText gives a body as text, as far as it is shown.
func bodyText(body []byte, contentType, encoding string) string {
	size := len(body)
	if encoding == "gzip" {
		if unpacked, err := gunzip(body); err == nil {
			body = unpacked
		}
	}
	if !isText(body) {
		if contentType == "" {
			contentType = "no type"
		}
		return fmt.Sprintf("(%d bytes, %s)", size, contentType)
	}
	if len(body) <= shownBody {
		return string(body)
	}
	return strings.ToValidUTF8(string(body[:shownBody]), "") + fmt.Sprintf(" [… %d bytes in all]", len(body))
}

// gunzip unpacks as much as is shown, and one byte.
func gunzip(body []byte) ([]byte, error) {
	unzip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(unzip, shownBody+1))
}

// isText reports whether a body is for people: UTF-8 without control characters but white space.
func isText(body []byte) bool {
	if len(body) > shownBody {
		body = body[:shownBody]
		for i := 0; i < utf8.UTFMax && !utf8.Valid(body); i++ {
			body = body[:len(body)-1] // a character that the bound cuts in two
		}
	}
	return utf8.Valid(body) && !bytes.ContainsFunc(body, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) })
}
