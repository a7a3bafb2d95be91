package flow

import (
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/alert"
)

func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		minimum alert.Priority
		when    string
		rule    string
		wanted  bool
		why     string
	}{
		"all":               {alert.Debug, "", "R", true, "at or above"},
		"too low":           {alert.Critical, "", "R", false, "below minimumpriority Critical"},
		"true":              {alert.Debug, `fields["k8s.ns.name"] == "shop"`, "R", true, "is true"},
		"false":             {alert.Debug, `rule == "other"`, "R", false, "is false"},
		"fails":             {alert.Debug, `int(fields["none"]) > 1`, "R", true, "fails on it"},
		"the test alert":    {alert.Emergency, `rule == "other"`, alert.TestRule, true, "test alert"},
		"priority is first": {alert.Critical, `rule == "R"`, "R", false, "below"},
	} {
		a := named(c.rule)
		got, err := Decide(Settings{MinimumPriority: c.minimum, When: c.when}, a)
		if err != nil || got.Wanted != c.wanted || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %+v (%v)", name, got, err)
		}
	}
	if _, err := Decide(Settings{When: "1 +"}, named("R")); err == nil {
		t.Error("took an expression that is none")
	}
}
