package outputtest

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/secret"
)

// secretsOf finds every text in a config that must not be seen. Of a secret that is an address on server, those are
// its path and its query as well.
func secretsOf(config outputs.Config, server string) []string {
	var found []string
	add := func(texts ...string) {
		for _, text := range texts {
			if len(text) > 1 {
				found = append(found, text)
			}
		}
	}
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		if !v.IsValid() || !v.CanInterface() {
			return
		}
		if s, ok := reflect.TypeAssert[secret.String](v); ok {
			if rest, ok := strings.CutPrefix(s.Reveal(), server); ok && server != "" {
				add(rest)
				if u, err := url.Parse(s.Reveal()); err == nil {
					add(u.Path, u.RawQuery)
				}
				return
			}
			add(s.Reveal())
			return
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			walk(v.Elem())
		case reflect.Struct:
			for _, field := range v.Fields() {
				walk(field)
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(v.MapIndex(key))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(config))
	return found
}

// leaked finds a secret in what err shows, wrapped errors included, or in text.
func leaked(secrets []string, text string, err error) (string, bool) {
	all := text
	var collect func(error)
	collect = func(err error) {
		if err == nil {
			return
		}
		all += fmt.Sprintf("\n%v\n%+v\n%#v", err, err, err.Error())
		switch e := err.(type) { //nolint:errorlint // every error of the tree is looked at
		case interface{ Unwrap() error }:
			collect(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, one := range e.Unwrap() {
				collect(one)
			}
		}
	}
	collect(err)
	for _, s := range secrets {
		if strings.Contains(all, s) {
			return s, true
		}
	}
	return "", false
}
