package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// parseDuration reads a duration as Go writes it, and with days before: 7d, 1d12h, 90s. A bare 0 is taken, another
// number without a unit is not.
func parseDuration(text string) (time.Duration, error) {
	refused := fmt.Errorf("%s is no duration: expected a number with a unit, 500ms, 30s, 5m, 2h or 7d for example", quote(text))
	rest := strings.TrimSpace(text)
	var days time.Duration
	if number, after, ok := strings.Cut(rest, "d"); ok {
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/int64(day) {
			return 0, refused
		}
		days, rest = time.Duration(n)*day, after
		if rest == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || days > 0 && (d < 0 || days > math.MaxInt64-d) {
		return 0, refused
	}
	return days + d, nil
}

// durationText writes a duration so that parseDuration reads it back: 7d, 90m, 1.5s.
func durationText(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
