package webhook

import (
	"errors"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
)

// Config is falcosidekick's, and gzip.
type Config struct {
	// Address that gets every alert, http:// or https://. It counts as a secret, since its path or query often holds a token. Setting it switches the output on.
	Address secret.String `config:"address"`
	// HTTP method, POST or PUT.
	Method string `config:"method"`

	// Sign each body with this key: HMAC with SHA-256 over the body as it is sent, compressed or not.
	SignatureKey secret.String `config:"signaturekey"`
	// Header that has the signature, as sha256= and hexadecimal digits.
	SignatureHeader string `config:"signatureheader"`

	httpx.Compression
	httpx.Settings
}

// Defaults gives a POST of plain JSON.
func Defaults() Config {
	return Config{Method: http.MethodPost, SignatureHeader: "X-Signature-256", Settings: httpx.DefaultSettings()}
}

// Enabled reports whether there is an address.
func (c *Config) Enabled() bool { return !c.Address.IsZero() }

// Validate returns every problem, joined. None shows the address.
func (c *Config) Validate() error {
	errs := []error{c.Settings.Validate()}
	if _, err := httpx.Address(c.Address.Reveal()); err != nil {
		errs = append(errs, problem.At("address", "%v", err))
	}
	if m := c.method(); m != http.MethodPost && m != http.MethodPut {
		errs = append(errs, problem.At("method", "expected POST or PUT, got %q", c.Method))
	}
	if !c.SignatureKey.IsZero() && !httpguts.ValidHeaderFieldName(c.SignatureHeader) {
		errs = append(errs, problem.At("signatureheader", "expected the name of a header, got %q", c.SignatureHeader))
	}
	return errors.Join(errs...)
}

func (c *Config) method() string { return strings.ToUpper(c.Method) }
