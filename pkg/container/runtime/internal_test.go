package runtime

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/container"
)

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true},
		{"*", "app.kubernetes.io/name", true},
		{"app", "app", true},
		{"app", "apps", false},
		{"app.*", "app.kubernetes.io/name", true},
		{"*/name", "app.kubernetes.io/name", true},
		{"a*b*c", "a-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"a*a", "a", false},
		{"**", "x", true},
		{"*보안*", "팀/보안/1", true},
	} {
		if got := matches(test.pattern, test.name); got != test.want {
			t.Errorf("%q matches %q: %v", test.pattern, test.name, got)
		}
	}
}

func TestLabelsAreBounded(t *testing.T) {
	labels := map[string]string{"long": strings.Repeat("가", 1000)}
	for i := range 1000 {
		labels[fmt.Sprintf("label-%04d", i)] = "x"
	}
	got := allowed(labels, []string{"*"})
	if len(got) != maxLabels || got["label-0000"] != "x" || got["label-0999"] != "" {
		t.Errorf("%d labels", len(got))
	}
	got = allowed(labels, []string{"long"})
	if n := len(got["long"]); n > maxLabelLen || n < maxLabelLen-3 || !strings.HasPrefix(labels["long"], got["long"]) {
		t.Errorf("cut to %d bytes", n)
	}
	if got := allowed(labels, nil); got != nil {
		t.Errorf("let through without a pattern: %v", got)
	}
}

func FuzzDetails(f *testing.F) {
	f.Add(`{"sandboxID":"s","privileged":true,"runtimeSpec":{"linux":{"namespaces":[{"type":"pid"}],"resources":{"devices":[{"allow":true,"access":"rwm"}]}},"process":{"capabilities":{"bounding":["CAP_SYS_ADMIN"]}}}}`)
	f.Add(`{"config":{"linux":{"security_context":{"privileged":true}}}}`)
	f.Add(`{"config":{}}`)
	f.Add(`{"runtimeSpec":{"mounts":[{"type":"bind","options":["ro","rbind"]}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		info := &container.Info{}
		if sandbox := criDetails(text, info); len(sandbox) > len(text) {
			t.Errorf("%q made the id %q", text, sandbox)
		}
	})
}
