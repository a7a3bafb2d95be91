package syslog

import (
	"errors"
	"strconv"
	"strings"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
)

// Config is falcosidekick's, and TLS.
type Config struct {
	// Host of the collector. Setting it switches the output on.
	Host string `config:"host"`
	// Its port. Empty is 514, or 6514 with TLS.
	Port string `config:"port"`
	// udp, tcp or tls.
	Protocol string `config:"protocol" enum:"tcp,udp,tls"`
	// What the message holds: the alert as json, or as a cef event.
	Format string `config:"format" enum:"json,cef"`
	// Facility of the messages.
	Facility string `config:"facility" enum:"kern,user,daemon,auth,syslog,authpriv,audit,alert,local0,local1,local2,local3,local4,local5,local6,local7"`
	// How messages follow each other on TCP: octets puts the length before each (RFC 6587, 3.4.1), newline ends each with a line break. TLS always has the length (RFC 5425).
	Framing string `config:"framing" enum:"octets,newline"`
	// Verify the collector's certificate. Switch it off for a test only.
	CheckCert bool `config:"checkcert"`
	// TLS settings of this output. See docs/connection.md.
	Connection httpx.TLSOptions `config:"connection"`
}

// Values of Config.Protocol, Format and Framing.
const (
	overTCP        = "tcp"
	overUDP        = "udp"
	overTLS        = "tls"
	formatCEF      = "cef"
	formatJSON     = "json"
	framingOctets  = "octets"
	framingNewline = "newline"
)

// facilities by their names, RFC 5424, section 6.2.1.
var facilities = map[string]int{
	"kern": 0, "user": 1, "daemon": 3, "auth": 4, "syslog": 5, "authpriv": 10, "audit": 13, "alert": 14,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// Defaults gives JSON over TCP.
func Defaults() Config {
	return Config{
		Protocol: overTCP, Format: formatJSON, Facility: "user", Framing: framingOctets, CheckCert: true, Connection: httpx.DefaultTLS(),
	}
}

// Enabled reports whether there is a host.
func (c *Config) Enabled() bool { return c.Host != "" }

// Validate returns every problem, joined.
func (c *Config) Validate() error {
	errs := []error{problem.Under("connection", c.Connection.Validate())}
	if strings.ContainsAny(c.Host, "/ \t") || strings.Contains(c.Host, "://") {
		errs = append(errs, problem.At("host", "expected a name or an address without scheme and port, got %q", c.Host))
	}
	if n, err := strconv.ParseUint(c.port(), 10, 16); err != nil || n == 0 {
		errs = append(errs, problem.At("port", "expected a port, 1 to 65535, got %q", c.Port))
	}
	if _, ok := facilities[c.Facility]; !ok && c.Facility != "" {
		errs = append(errs, problem.At("facility", "expected the name of a facility, got %q", c.Facility))
	}
	return errors.Join(errs...)
}

func (c *Config) port() string {
	switch {
	case c.Port != "":
		return c.Port
	case c.Protocol == overTLS:
		return "6514"
	}
	return "514"
}
