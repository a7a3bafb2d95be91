package httpx

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 8, 17, 9, 47, 21, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "-1": 0, "soon": 0, "NaN": 0, "-Inf": 0,
		"1": time.Second, " 120 ": 2 * time.Minute, "0.5": 500 * time.Millisecond,
		"3600": time.Hour, "86400": time.Hour, "99999999999999999999": time.Hour, "Inf": time.Hour, "1e300": time.Hour,
		"Mon, 17 Aug 2026 09:48:21 GMT":  time.Minute,
		"Monday, 17-Aug-26 09:48:21 GMT": time.Minute, // RFC 850
		"Mon Aug 17 09:48:21 2026":       time.Minute, // asctime
		"Mon, 17 Aug 2026 09:00:00 GMT":  0,
		"Mon, 17 Aug 2099 09:00:00 GMT":  time.Hour,
		"Mon, 17 Aug 2026 09:48:21 KST":  0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Mon, 17 Aug 2026 09:48:21 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		if pause := retryAfter(text, time.Now()); pause < 0 || pause > time.Hour {
			t.Errorf("%v", pause)
		}
	})
}

func FuzzAnswerInError(f *testing.F) {
	f.Add([]byte("no token hush-hush here\n"), "hush-hush")
	f.Add([]byte(strings.Repeat("한", 300)+"\x1b[2J\xff"), "https://example.org/services/hush-hush?x=hush")
	f.Fuzz(func(t *testing.T, answer []byte, secret string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://example.org/in", nil)
		if err != nil {
			t.Fatal(err)
		}
		shown := newScrubber(req, []string{secret}).show(answer)
		if len(shown) > maxShown || !utf8.ValidString(shown) || strings.ContainsFunc(shown, unicode.IsControl) {
			t.Errorf("%q", shown)
		}
		const cut = "[REDACTED]"
		// What is left between two cuts holds no secret, unless the secret is a piece of what was put there.
		if len(secret) >= minSecret && !strings.Contains(cut+cut+"\uFFFD [...]", secret) && strings.TrimSpace(secret) == secret &&
			!strings.ContainsFunc(secret, func(r rune) bool {
				return r == utf8.RuneError || r == '\\' || unicode.IsSpace(r) || unicode.IsControl(r)
			}) &&
			!strings.ContainsAny(secret, "[]REDACTu0123456789abcdef") && strings.Contains(shown, secret) {
			t.Errorf("%q shows %q", shown, secret)
		}
	})
}
