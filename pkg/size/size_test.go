package size_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/tiercel/tiercel/pkg/size"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]size.Bytes{
		"0": 0, "1": 1, "1000": 1000, "4MiB": 4 << 20, "4 MiB": 4 << 20, "4Mi": 4 << 20, "1.5KiB": 1536, "512KiB": 512 << 10,
		"2GiB": 2 << 30, "2Gi": 2 << 30, "1TiB": 1 << 40, "1Ti": 1 << 40, "1Ki": 1 << 10, "1kB": 1000, "1KB": 1000, "1MB": 1e6,
		"1GB": 1e9, "1TB": 1e12, "7B": 7, "1e3": 1000, "9223372036854775807": math.MaxInt64, "9007199254740993B": 9007199254740993,
	} {
		if got, err := size.Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = %d, %v, expected %d", text, got, err, want)
		}
	}
	if got, err := size.Parse(" 4 MiB "); err != nil || got != 4*size.MiB {
		t.Errorf("with blanks around it is %d, %v", got, err)
	}
	for _, text := range []string{
		"", "B", "MiB", "-1", "-1MiB", "4 MiB KiB", "4mib", "4M", "4b", "nan", "inf", "infMiB", "1e400", "9223372036854775808", "8388608TiB", "1,5MiB", "4 apples", "٤",
	} {
		if got, err := size.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %d, expected an error", text, got)
		}
	}
}

func TestStringParsesBack(t *testing.T) {
	for b, want := range map[size.Bytes]string{
		0: "0B", 1: "1B", 1023: "1023B", 1024: "1KiB", 1536: "1536B", 4 << 20: "4MiB", 5 << 30: "5GiB", 3 << 40: "3TiB",
		math.MaxInt64: "9223372036854775807B", 1<<53 + 1: "9007199254740993B",
	} {
		if b.String() != want {
			t.Errorf("%d is written %s, expected %s", int64(b), b, want)
		}
		if back, err := size.Parse(b.String()); err != nil || back != b {
			t.Errorf("%s is read as %d, %v", b, int64(back), err)
		}
	}
}

func TestTextForm(t *testing.T) {
	var v struct{ Size size.Bytes }
	if err := json.Unmarshal([]byte(`{"Size":"4MiB"}`), &v); err != nil || v.Size != 4*size.MiB {
		t.Fatalf("got %d, %v", v.Size, err)
	}
	if text, err := json.Marshal(v); err != nil || string(text) != `{"Size":"4MiB"}` {
		t.Errorf("got %s, %v", text, err)
	}
	if err := v.Size.UnmarshalText([]byte("many")); err == nil || v.Size != 4*size.MiB {
		t.Errorf("a text that is no size gave %v and %d", err, v.Size)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"4MiB", "1e18TB", "-0", "0x1p60KiB", "9223372036854775807"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := size.Parse(text)
		if err != nil {
			return
		}
		if b < 0 {
			t.Errorf("Parse(%q) = %d", text, int64(b))
		}
		if back, err := size.Parse(b.String()); err != nil || back != b {
			t.Errorf("%q is %d, and %s is %d, %v", text, int64(b), b, int64(back), err)
		}
	})
}
