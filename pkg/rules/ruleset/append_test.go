package ruleset_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tiercel/tiercel/pkg/rules"
	"github.com/tiercel/tiercel/pkg/rules/recorded"
	"github.com/tiercel/tiercel/pkg/rules/ruleset"
)

var appended = fstest.MapFS{"rules.yaml": {Data: []byte(`
- rule: Opened
  desc: d
  condition: evt.type = open
  output: opened %fd.name
  priority: INFO
  tags: [files]
- rule: Closed
  desc: d
  condition: evt.type = close
  output: closed
  priority: INFO
`)}}

func TestAppends(t *testing.T) {
	cfg := ruleset.Defaults()
	cfg.Append = map[string]string{"*": "on %evt.hostname", "tag:files": "by %proc.name", "Closed": "who=%user.name", "source:terminal": "never"}
	cfg.AppendFields = map[string]string{"proc.pid": "", "cluster": "prod %fd.name"}
	set, err := ruleset.Load(&cfg, ruleset.Env{Builtin: appended})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		`{"type":"open","fields":{"fd.name":"/x","proc.name":"vi","proc.pid":7,"evt.hostname":"node","user.name":"kim"}}`:  "opened /x SUGGESTED on node by vi",
		`{"type":"close","fields":{"fd.name":"/x","proc.name":"vi","proc.pid":7,"evt.hostname":"node","user.name":"kim"}}`: "closed SUGGESTED on node who=kim",
	} {
		ev, err := recorded.Decode([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		matched := set.Match(nil, ev)
		if len(matched) != 1 {
			t.Fatalf("%d rules match", len(matched))
		}
		a := rules.Printer{Message: true}.Alert(matched[0], ev)
		message, _ := a.Extra.Get("message")
		suggested := "container_id=<NA> container_name=<NA> container_image_repository=<NA> container_image_tag=<NA> k8s_pod_name=<NA> k8s_ns_name=<NA>"
		if got := strings.Trim(strings.Replace(string(message), suggested, "SUGGESTED", 1), `"`); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		for name, value := range map[string]string{"proc.pid": "7", "cluster": `"prod /x"`, "evt.hostname": `"node"`} {
			if got, _ := a.Fields.Get(name); string(got) != value {
				t.Errorf("%s is %s, want %s", name, got, value)
			}
		}
	}
	cfg.AppendFields = map[string]string{"no.field": ""}
	if _, err := ruleset.Load(&cfg, ruleset.Env{Builtin: appended}); err == nil || !strings.Contains(err.Error(), "added field 'no.field'") {
		t.Errorf("a field that is none: %v", err)
	}
}
