// Package size reads and writes numbers of bytes as people write them: 512KiB, 4MiB, 1GiB.
package size

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a number of bytes, never negative.
type Bytes int64

// Units of [Bytes].
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
	TiB Bytes = 1 << 40
)

var units = []struct {
	name  string
	bytes Bytes
}{
	{"TiB", TiB},
	{"GiB", GiB},
	{"MiB", MiB},
	{"KiB", KiB},
	{"Ti", TiB},
	{"Gi", GiB},
	{"Mi", MiB},
	{"Ki", KiB},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"KB", 1e3},
	{"B", 1},
}

// Parse reads a number of bytes: a number alone, or with a unit of 1024 (KiB, MiB, GiB, TiB, or as Kubernetes
// writes them: Ki, Mi, Gi, Ti) or of 1000 (kB, MB, GB, TB).
func Parse(text string) (Bytes, error) {
	number, unit := strings.TrimSpace(text), Bytes(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	if whole, err := strconv.ParseInt(number, 10, 64); err == nil && whole >= 0 && whole <= math.MaxInt64/int64(unit) {
		return Bytes(whole) * unit, nil // a float has no room for all of its digits
	}
	value, err := strconv.ParseFloat(number, 64)
	total := value * float64(unit)
	if err != nil || math.IsNaN(total) || total < 0 || total >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size: expected a number of bytes, or a number with a unit, 4MiB for example", text)
	}
	return Bytes(total), nil
}

// String writes b with the largest unit of 1024 that leaves it whole: 4MiB, 1000B.
func (b Bytes) String() string {
	for _, u := range units[:4] {
		if b >= u.bytes && b%u.bytes == 0 {
			return strconv.FormatInt(int64(b/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// MarshalText writes b as [Bytes.String] does.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what [Parse] reads.
func (b *Bytes) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*b = parsed
	return nil
}
