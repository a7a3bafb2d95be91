package httpx

import (
	"errors"
	"net/url"
)

var errAddress = errors.New("expected an address with http:// or https://, https://example.org:8443/in for example")

// Address reads the address of an HTTP output: absolute, with a host, http or https. The error never shows the text,
// which may hold a secret.
func Address(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errAddress
	}
	return u, nil
}
