package config_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tiercel/tiercel/pkg/config"
)

// Whatever a file and a variable hold, there is a config that loads again as it is shown, or an error of one line per
// problem.
func FuzzLoad(f *testing.F) {
	reference, err := config.Reference(specs())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{
		reference,
		[]byte("slack: &a {webhookurl: " + hook + ", retry: {max: 1m}}\nslack/b: {<<: *a, channel: '#x'}"),
		[]byte("{\"listenport\": 1, \"customfields\": {\"A.b\": \"\\ud83e\\udd85\"}}"),
		[]byte("customfields: a:b,c:d\ncustomtags: a, b\nteams: {webhookurl: x}\naws: {s3: {bucket: b}}"),
		[]byte("? [a]\n: b\n---\nx\n"), []byte("- 1"), []byte("&a [*a]"), []byte("a: &a\n  <<: *a\n"), []byte("\xff\xfe{}"),
		[]byte("debug: !!bool yes\nslack.webhookurl: *x"), []byte("slack:\n\tx: 1"), []byte("journal: {maxage: 1d1h, maxsize: 1e400GiB}"),
	} {
		f.Add(seed, "a:b,c:d", "10s")
	}
	path := filepath.Join(f.TempDir(), "config.yaml")
	f.Fuzz(func(t *testing.T, file []byte, fields, text string) {
		if bytes.Contains(file, []byte("_file")) {
			t.Skip("it may name a file that never ends")
		}
		load := func(data []byte, environ ...string) (*config.Config, error) {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			c, warnings, err := config.Load(config.Options{File: path, Environ: environ, Specs: specs()})
			for _, w := range warnings {
				isOneLine(t, w.String())
			}
			return c, err
		}
		c, err := load(file, "CUSTOMFIELDS="+fields, "SLACK_TIMEOUT="+text, "LISTENPORT="+text, "SLACK_CUSTOMHEADERS="+fields)
		if err != nil {
			var invalid *config.Invalid
			if c != nil || !errors.As(err, &invalid) || len(invalid.Problems) == 0 {
				t.Fatalf("got %v and %v", c, err)
			}
			for _, p := range invalid.Problems {
				isOneLine(t, p.String())
			}
			return
		}
		for _, format := range []string{config.FormatYAML, config.FormatJSON} {
			shown := show(t, c, format)
			if strings.Contains(shown, "REDACTED") || strings.Contains(shown, "%") {
				return // secrets and %NAME do not come back
			}
			again, err := load([]byte(shown))
			if err != nil {
				t.Fatalf("%v\nof\n%s", err, shown)
			}
			same(t, c, again)
		}
	})
}

func isOneLine(t *testing.T, text string) {
	t.Helper()
	if text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("not one line: %q", text)
	}
}
