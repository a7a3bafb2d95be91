package alert_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/alert"
)

func TestPriorityNames(t *testing.T) {
	names := []string{"Debug", "Informational", "Notice", "Warning", "Error", "Critical", "Alert", "Emergency"}
	all := alert.Priorities()
	if len(all) != len(names) || !slices.IsSorted(all) || all[0] != 0 {
		t.Fatalf("got %v", all)
	}
	for i, p := range all {
		if p.String() != names[i] {
			t.Errorf("%d is %s, expected %s", i, p, names[i])
		}
		lower := strings.ToLower(names[i])
		for _, text := range []string{names[i], lower, strings.ToUpper(names[i])} {
			if got, err := alert.ParsePriority(text); err != nil || got != p {
				t.Errorf("%q is %v, %v", text, got, err)
			}
		}
		if text, err := p.MarshalText(); err != nil || string(text) != lower {
			t.Errorf("%s is written %s, %v", p, text, err)
		}
	}
	if got := alert.Priority(8).String(); got != "Priority(8)" {
		t.Errorf("one too many is %s", got)
	}
}

func TestPriorityShortForms(t *testing.T) {
	for text, want := range map[string]alert.Priority{
		"info": alert.Informational, "WARN": alert.Warning, "err": alert.Error, "Crit": alert.Critical, "emerg": alert.Emergency,
	} {
		if got, err := alert.ParsePriority(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestPriorityRefuses(t *testing.T) {
	for _, text := range []string{"", " debug", "debug ", "warning!", "loud", "0", "7", "debugwarning", "ｄｅｂｕｇ"} {
		if got, err := alert.ParsePriority(text); err == nil {
			t.Errorf("%q is %v", text, got)
		} else if !strings.Contains(err.Error(), "expected one of emergency, alert, critical, error, warning, notice, informational, debug") {
			t.Errorf("the error does not list the names: %v", err)
		}
	}
}

func TestPriorityUnmarshal(t *testing.T) {
	v := struct{ Least alert.Priority }{alert.Error}
	if err := json.Unmarshal([]byte(`{"Least":"loud"}`), &v); err == nil || v.Least != alert.Error {
		t.Errorf("got %v, %v", v.Least, err)
	}
	if err := json.Unmarshal([]byte(`{"Least":"Critical"}`), &v); err != nil || v.Least != alert.Critical {
		t.Errorf("got %v, %v", v.Least, err)
	}
	if err := json.Unmarshal([]byte(`{"Least":""}`), &v); err != nil || v.Least != alert.Debug {
		t.Errorf("an empty text is to let everything through, got %v, %v", v.Least, err)
	}
}
