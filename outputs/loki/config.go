package loki

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
)

// Values of [Config.Format], [Config.Labels] and [Config.Protocol].
const (
	FormatText = "text"
	FormatJSON = "json"

	LabelsDefault       = "default"
	LabelsFalcosidekick = "falcosidekick"

	ProtocolProtobuf = "protobuf"
	ProtocolJSON     = "json"
)

// pushPath is where Loki takes logs.
const pushPath = "/loki/api/v1/push"

// Config is where Loki is and how alerts look there. hostport, endpoint, user, apikey, tenant, format, extralabels
// and those of httpx.Settings are falcosidekick's.
type Config struct {
	// Address of Loki, http:// or https:// and host, without the path of the endpoint. Setting it switches the output on.
	HostPort string `config:"hostport"`
	// Path of the push API.
	Endpoint string `config:"endpoint"`
	// User for basic authentication, with apikey. In Grafana Cloud it is the number of the Loki instance.
	User string `config:"user"`
	// Password for basic authentication.
	APIKey secret.String `config:"apikey"`
	// Token for bearer authentication, instead of user and apikey.
	Token secret.String `config:"token"`
	// Tenant, sent as X-Scope-OrgID. With {{ }} it is a Go template over the alert: {{ index .OutputFields "k8s.ns.name" }}. Where that gives nothing, no tenant is sent.
	Tenant string `config:"tenant"`
	// What the log line is: text is the alert's output, json the whole alert.
	Format string `config:"format" enum:"text,json"`
	// Fields that become labels too, comma separated: k8s.ns.name,proc.name. Few values make few streams, so choose fields with few values.
	ExtraLabels string `config:"extralabels"`
	// Which labels a stream has: default is rule, source, priority and hostname, the rest is structured metadata; falcosidekick adds k8s_ns_name, k8s_pod_name and tags and sends no structured metadata.
	Labels string `config:"labels" enum:"default,falcosidekick"`
	// Send output_fields, uuid and tags as structured metadata. Loki before 3.0 does not take it unless told to. Never with labels: falcosidekick.
	StructuredMetadata bool `config:"structuredmetadata"`
	// Form of the request: protobuf, compressed with snappy, or json.
	Protocol string `config:"protocol" enum:"protobuf,json"`

	httpx.Settings
}

// Defaults gives few labels, the alert's output as line, and protobuf.
func Defaults() Config {
	return Config{
		Endpoint:           pushPath,
		Format:             FormatText,
		Labels:             LabelsDefault,
		StructuredMetadata: true,
		Protocol:           ProtocolProtobuf,
		Settings:           httpx.DefaultSettings(),
	}
}

// Enabled reports whether hostport is set.
func (c *Config) Enabled() bool { return c.HostPort != "" }

// Validate returns every problem, joined.
func (c *Config) Validate() error {
	errs := []error{
		c.validateAddress(),
		c.validateAuth(),
		c.validateTenant(),
		oneOf("format", c.Format, FormatText, FormatJSON),
		oneOf("labels", c.Labels, LabelsDefault, LabelsFalcosidekick),
		oneOf("protocol", c.Protocol, ProtocolProtobuf, ProtocolJSON),
		c.Settings.Validate(),
	}
	return errors.Join(errs...)
}

func (c *Config) validateAddress() error {
	u, err := httpx.Address(c.HostPort)
	switch {
	case err != nil:
		return problem.At("hostport", "%v", err)
	case u.RawQuery != "" || u.Fragment != "":
		return problem.At("hostport", "expected no ? and no #")
	case strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), pushPath):
		return problem.At("hostport", "expected the address without %s, which is the setting endpoint", pushPath)
	}
	if _, err := httpx.Address(c.address()); err != nil {
		return problem.At("endpoint", "expected a path, %s for example", pushPath)
	}
	return nil
}

// address is where requests go.
func (c *Config) address() string {
	return strings.TrimSuffix(c.HostPort, "/") + "/" + strings.TrimPrefix(c.Endpoint, "/")
}

func (c *Config) validateAuth() error {
	switch {
	case !c.Token.IsZero() && (c.User != "" || !c.APIKey.IsZero()):
		return problem.At("token", "expected either token, or user and apikey")
	case c.User != "" && c.APIKey.IsZero():
		return problem.At("apikey", "expected a value, since user is set")
	case c.User == "" && !c.APIKey.IsZero():
		return problem.At("user", "expected a value, since apikey is set; a key alone goes into token")
	case !httpguts.ValidHeaderFieldValue(c.Token.Reveal()):
		return problem.At("token", "expected no line breaks and other control characters")
	}
	return nil
}

func (c *Config) validateTenant() error {
	if c.Tenant == "" {
		return nil
	}
	if _, err := newTenant(c.Tenant); err != nil {
		return problem.At("tenant", "%v", err)
	}
	for name := range c.CustomHeaders {
		if strings.EqualFold(name, tenantHeader) {
			return problem.At("tenant", "expected either tenant, or %s in customheaders", tenantHeader)
		}
	}
	return nil
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return problem.At(key, "expected %s, got %q", strings.Join(allowed, " or "), value)
}
