package loki

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

// bothWays encodes a batch in one pass and in the general way.
func bothWays(batch []*alert.Alert, set func(*Config)) (direct, general []byte) {
	which := make([]int, len(batch))
	for i := range which {
		which[i] = i
	}
	c := Defaults()
	set(&c)
	quick, slow := newLayout(&c), newLayout(&c)
	slow.direct = false
	e := newEncoder(quick)
	e.encode(batch, which) // the second time it knows the names
	return bytes.Clone(e.encode(batch, which)), newEncoder(slow).encode(batch, which)
}

// TestDirectIsTheSame: an alert looks the same in Loki, whichever way it was written.
func TestDirectIsTheSame(t *testing.T) {
	many := make([]string, 150)
	for i := range many {
		many[i] = fmt.Sprintf(`"field.%d":"value"`, i)
	}
	batch := typical(t, 20)
	for name, fields := range map[string]string{
		"nothing":          `{}`,
		"every kind":       `{"a":null,"b":true,"c":-1.5e300,"d":[1,"x",{"y":"]"}],"e":{"f":"}"},"g":"","h":18446744073709551615}`,
		"escapes":          `{"a\"b":"c\"d\\","tab":"a\tb","nul":"\u0000","pair":"\ud83d\ude00"}`,
		"other letters":    `{"한글":"값 😀","é":"\u00e9","x":"\u202e"}`,
		"one name twice":   `{"a.b":"1","a_b":"2","a[b":"3","a__b":"4","uuid":"5","tags":"6"}`,
		"too many":         "{" + strings.Join(many, ",") + "}",
		"too large":        `{"small":"x","large":"` + strings.Repeat("y", 60<<10) + `"}`,
		"long but allowed": `{"a":"` + strings.Repeat("z", 300) + `","b":"` + strings.Repeat("é", 300) + `"}`,
	} {
		for _, output := range []string{"a sentence", "", "with \\u001b[31m colour"} {
			alerts, err := alert.Decode([]byte(`{"rule":"`+name+`","priority":"Notice","time":"2026-01-02T03:04:05.678Z","hostname":"n\"1",`+
				`"tags":["한","b"],"extra member":{"x":1},"output":"`+output+`","output_fields":`+fields+`}`), time.Now(), alert.DefaultMaxDepth)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			batch = append(batch, alerts...)
		}
	}
	for name, set := range map[string]func(*Config){
		"default":       func(*Config) {},
		"format json":   func(c *Config) { c.Format = FormatJSON },
		"extra labels":  func(c *Config) { c.ExtraLabels = "proc.name,k8s.ns.name" },
		"falcosidekick": func(c *Config) { c.Labels = LabelsFalcosidekick },
	} {
		direct, general := bothWays(batch, set)
		if !bytes.Equal(direct, general) {
			t.Errorf("%s: %d bytes and %d bytes differ", name, len(direct), len(general))
		}
	}
	c := Defaults()
	e := newEncoder(newLayout(&c))
	e.reset()
	if !e.layout.direct || !e.direct(0, batch[0]) {
		t.Error("the usual alert of the usual config is not written in one pass")
	}
}

func FuzzDirectIsTheSame(f *testing.F) {
	f.Add(`{"a.b":"1","a_b":2,"x":null,"y":"\u0000é"}`, "rule", "host", "tag")
	f.Fuzz(func(t *testing.T, fields, rule, host, tag string) {
		body := fmt.Sprintf(`{"rule":%s,"priority":"Notice","time":"2026-01-02T03:04:05Z","hostname":%s,"tags":[%s],"output_fields":%s}`,
			alert.String(rule), alert.String(host), alert.String(tag), fields)
		batch, err := alert.Decode([]byte(body), time.Now(), alert.DefaultMaxDepth)
		if err != nil {
			return
		}
		if direct, general := bothWays(batch, func(*Config) {}); !bytes.Equal(direct, general) {
			t.Errorf("%q and %q", direct, general)
		}
	})
}
