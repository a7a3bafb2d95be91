package filter_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/filter"
)

// TestGrammarCases reads the grammar cases that come with the language's own implementation.
func TestGrammarCases(t *testing.T) {
	path := filepath.Join("..", "..", "..", "..", "shared", "data", "filter_grammar", "cases.jsonl")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("the grammar cases are not here: %v", err)
	}
	cases, passed := 0, 0
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c struct{ Case, Expect, Filter string }
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases++
		e, err := filter.Parse(c.Filter, filter.MaxDepth)
		if (err == nil) != (c.Expect == "accept") {
			t.Errorf("%s: %q: expected %s, got error %v", c.Case, c.Filter, c.Expect, err)
			continue
		}
		passed++
		if err != nil {
			continue
		}
		// What we print reads back as the same condition.
		text := filter.String(e)
		again, err := filter.Parse(text, filter.MaxRuleDepth)
		if err != nil {
			t.Errorf("%q prints as %q, which is refused: %v", c.Filter, text, err)
			continue
		}
		if got := filter.String(again); got != text && !strings.Contains(text, "not not") {
			t.Errorf("%q prints as %q, then as %q", c.Filter, text, got)
		}
	}
	t.Logf("%d of %d grammar cases agree", passed, cases)
}
