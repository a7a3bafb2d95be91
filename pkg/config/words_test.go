package config

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestNearest(t *testing.T) {
	keys := []string{"webhookurl", "channel", "username", "when", "retry", "timeout"}
	for word, want := range map[string]string{
		"webhokurl": "webhookurl", "WebHookUrl": "webhookurl", "chanel": "channel", "usernmae": "username", "whne": "when", "retris": "retry",
		"time": "", "x": "", "": "", "zebra": "", "outputformat": "", "채널": "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("nearest to %q is %q, expected %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "", 1},
		{"", "ab", 2},
		{"abc", "abc", 0},
		{"abc", "acb", 1},
		{"abc", "abd", 1},
		{"abcd", "acbd", 1},
		{"kitten", "sitting", 3},
		{"채널", "채날", 1},
		{"ca", "abc", 3},
	} {
		if got, back := distance(tt.a, tt.b, 99), distance(tt.b, tt.a, 99); got != tt.want || back != tt.want {
			t.Errorf("from %q to %q it is %d, back %d, expected %d", tt.a, tt.b, got, back, tt.want)
		}
	}
	if got := distance(strings.Repeat("a", 1<<20), "b", 3); got != 3 {
		t.Errorf("a very long word is %d away", got)
	}
}

func TestDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "500ms": 500 * time.Millisecond, "30s": 30 * time.Second, "1h30m": 90 * time.Minute, "7d": 7 * day, "1d12h": 36 * time.Hour,
		"0d": 0, "1d0s": day, "-5s": -5 * time.Second, "106751d23h": 106751*day + 23*time.Hour, "1.5h": 90 * time.Minute,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q is %s, %v, expected %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "5", "1.5d", "-1d", "1d-5h", "d", "1d5", "1h1d", "7 d", "106752d", "106751d24h", "9999999999999999999d", "5 minutes", "1w", "∞",
	} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is %s, expected an error", text, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", 15 * time.Minute: "15m", time.Hour: "1h", 36 * time.Hour: "36h", day: "1d",
		7 * day: "7d", 10 * time.Minute: "10m", 100 * time.Hour: "100h", time.Hour + time.Second: "1h0m1s", time.Nanosecond: "1ns", math.MaxInt64: "2562047h47m16.854775807s",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%s is written %s, expected %s", d, got, want)
		}
		if back, err := parseDuration(durationText(d)); err != nil || back != d {
			t.Errorf("%s is read back as %s, %v", durationText(d), back, err)
		}
	}
}

func TestWrapped(t *testing.T) {
	text := strings.Repeat("word ", 60) + strings.Repeat("x", 200)
	lines := strings.Split(strings.TrimSuffix(wrapped(text, "  # "), "\n"), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "  # ") || len(line) > lineWidth && i < len(lines)-1 {
			t.Errorf("line %d is %q", i, line)
		}
	}
	if len(lines) != 4 || lines[3] != "  # "+strings.Repeat("x", 200) {
		t.Errorf("got %q", lines)
	}
	if got := wrapped("", "# "); got != "" {
		t.Errorf("nothing becomes %q", got)
	}
}

// Each name of falcosidekick's outputs stands there once and in order, so that unbuiltNames can find them.
func TestSwitchesOfFalcosidekick(t *testing.T) {
	names := unbuiltNames()
	for i, name := range names {
		if i > 0 && names[i-1] >= name {
			t.Errorf("%s stands after %s", name, names[i-1])
		}
	}
	if len(names) < 55 {
		t.Errorf("only %d names", len(names))
	}
}
