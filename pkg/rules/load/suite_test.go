package load_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/rules/load"
)

type suiteCase struct {
	Test    string
	Mode    string
	Rules   []string
	Exit    *int
	Capture string
	Errors  []map[string]string
}

// notHere are the parts of the suite that are not among the data, and what stands in for them. A case is skipped for one
// of these reasons and for no other.
var notHere = map[string]string{
	"LegacyFalcoRules_v1_0_1":    "the rules of 2018 are not among the data; those of three later releases are, and load (TestOfficialRules)",
	"captures.CatWrite":          "the recording is not among the data; package rules plays the same events (TestExceptions, TestAlertsAreFalcos)",
	"captures.OpenMultipleFiles": "the recording is not among the data; package rules plays the same events (TestTags)",
	"captures.PingSendto":        "the recording is not among the data, and the case is about options of Falco's program",
	"captures.Syscall":           "the recording is not among the data; package rules plays the same event (TestExceptions)",
	"captures.ConnectLocalhost":  "the recording is not among the data; package rules plays the same event (TestExceptions)",
}

// TestSuite loads the rule files of the regression suite. What the suite expects of recorded events cannot be tested,
// because the recordings are not there; that the files load, or do not, can.
func TestSuite(t *testing.T) {
	lines := bufio.NewScanner(bytes.NewReader(shared(t, "testing_suite", "expectations.jsonl")))
	lines.Buffer(nil, 1<<20)
	full, loadOnly, absent, failed := 0, 0, 0, 0
	for lines.Scan() {
		var c suiteCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		ok := t.Run(c.Test, func(t *testing.T) {
			files := map[string]string{}
			for _, name := range c.Rules {
				path := filepath.Join("..", "..", "..", "..", "shared", "data", "testing_suite", "rules", name+".yaml")
				text, err := os.ReadFile(path)
				if err != nil {
					absent++
					skip(t, name)
				}
				files[name] = string(text)
			}
			c.load(t, files)
			if c.Capture != "" {
				loadOnly++
				skip(t, c.Capture)
			}
			full++
		})
		if !ok {
			failed++
		}
	}
	t.Logf("%d cases tested in full, %d for loading only (their recordings are not here), %d without their rule files, %d failed",
		full, loadOnly, absent, failed)
}

func skip(t *testing.T, part string) {
	t.Helper()
	reason, ok := notHere[part]
	if !ok {
		t.Fatalf("%s is not here, and the table has no reason for that", part)
	}
	t.Skip(reason)
}

func (c *suiteCase) load(t *testing.T, files map[string]string) {
	l := load.New(load.Options{})
	good := true
	var last *load.Result
	for _, name := range c.Rules {
		last = l.Load(name+".yaml", files[name])
		good = good && last.OK()
	}
	switch {
	case c.Mode == "validate" && c.Exit != nil && good != (*c.Exit == 0):
		t.Fatalf("loaded is %v, expected exit %d:\n%s", good, *c.Exit, last)
	case c.Mode == "run" && !good:
		// Runs that are expected to fail do so for reasons of the engine's options.
		t.Fatalf("does not load:\n%s", last)
	}
	for _, want := range c.Errors {
		if len(last.Errors) != 1 {
			t.Fatalf("%d errors:\n%s", len(last.Errors), last)
		}
		e := last.Errors[0]
		if code := want["OfCode"]; code != "" && code != string(e.Code) {
			t.Errorf("code is %s, want %s", e.Code, code)
		}
		if message := want["OfMessage"]; message != e.Message && !strings.HasPrefix(e.Message, message) {
			t.Errorf("message is %q, want %q", e.Message, message)
		}
		found := want["OfItemType"] == ""
		for _, l := range e.Where.Locations {
			found = found || l.Type == want["OfItemType"] && (want["OfItemName"] == "" || l.Name == want["OfItemName"])
		}
		if !found {
			t.Errorf("no item %q %q in\n%s", want["OfItemType"], want["OfItemName"], e.Where)
		}
	}
}
