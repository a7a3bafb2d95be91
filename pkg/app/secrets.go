package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/secret"
)

// secretsOf finds every secret in a config, also in the forms that it has inside JSON.
func secretsOf(config any) []string {
	var found []string
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		if v.CanInterface() {
			if s, ok := reflect.TypeAssert[secret.String](v); ok {
				if !s.IsZero() {
					found = append(found, s.Reveal())
					found = append(found, escaped(s.Reveal())...)
				}
				return
			}
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(v.MapIndex(key))
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(config))
	return found
}

// escaped gives the forms of a text inside JSON, where they differ from the text.
func escaped(text string) []string {
	var forms []string
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(html)
		if err := encoder.Encode(text); err != nil {
			continue
		}
		quoted := strings.TrimSuffix(b.String(), "\n")
		if form := quoted[1 : len(quoted)-1]; form != text {
			forms = append(forms, form)
		}
	}
	return forms
}

// withoutSecrets cuts secrets out of a text. Outputs are not to put them there; this makes sure.
func withoutSecrets(text string, secrets []string) string {
	return httpx.Scrubber(&http.Request{URL: new(url.URL)}, secrets...)(text)
}
