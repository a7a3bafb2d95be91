package httpsource

import (
	"os"
	"strings"
	"testing"
)

// TestDocsNameEveryReason keeps the page for those who meet a refusal complete.
func TestDocsNameEveryReason(t *testing.T) {
	page, err := os.ReadFile("../../../docs/receiver.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range reasons {
		if !strings.Contains(string(page), "| `"+reason+"` |\n") {
			t.Errorf("docs/receiver.md has no row for %s", reason)
		}
	}
	for _, path := range paths {
		if !strings.Contains(string(page), "`"+path+"`") {
			t.Errorf("docs/receiver.md does not name %s", path)
		}
	}
}
