package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/pkg/secret"
)

const it = "hunter2"

// However a secret is printed, alone or inside of something, what it holds does not show.
func TestNothingPrintsIt(t *testing.T) {
	s := secret.New(it)
	within := struct {
		Token   secret.String
		Pointer *secret.String
		Headers map[string]secret.String
		List    []secret.String
		Any     any
		hidden  secret.String
		deep    struct{ hidden *secret.String }
	}{s, &s, map[string]secret.String{"a": s}, []secret.String{s}, s, s, struct{ hidden *secret.String }{&s}}
	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%t", "%10s"} {
		printed = append(printed, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, within), fmt.Sprintf(verb, &within))
	}
	printed = append(printed, fmt.Sprint(s), errors.Join(fmt.Errorf("with %v", s)).Error())
	asJSON, err := json.Marshal(within)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(within)
	if err != nil {
		t.Fatal(err)
	}
	printed = append(printed, string(asJSON), string(asYAML))
	for _, handler := range []func(*bytes.Buffer) slog.Handler{
		func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("m", "secret", s, "pointer", &s, "within", within, "group", slog.GroupValue(slog.Any("s", s)))
		printed = append(printed, b.String())
	}
	hex := fmt.Sprintf("%x", it)
	for _, text := range printed {
		if strings.Contains(text, it) || strings.Contains(strings.ToLower(text), hex) || strings.Contains(text, "104 117 110") {
			t.Errorf("it shows in %s", text)
		}
	}
	if !strings.Contains(string(asJSON), secret.Redacted) {
		t.Errorf("JSON does not say that it is set: %s", asJSON)
	}
}

func TestUnsetPrintsNothing(t *testing.T) {
	var s secret.String
	if !s.IsZero() || fmt.Sprint(s) != "" || fmt.Sprintf("%#v", s) != "" || s.Reveal() != "" {
		t.Errorf("an unset secret prints %q", fmt.Sprint(s))
	}
	if text, err := json.Marshal(s); err != nil || string(text) != `""` {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestReveal(t *testing.T) {
	var s secret.String
	if err := s.UnmarshalText([]byte(it)); err != nil || s.Reveal() != it || s.IsZero() || s != secret.New(it) {
		t.Errorf("got %q, %v", s.Reveal(), err)
	}
	if s.String() != secret.Redacted {
		t.Errorf("got %s", s)
	}
}
