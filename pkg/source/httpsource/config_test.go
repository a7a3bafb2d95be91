package httpsource

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/pkg/problem"
)

func TestValidateNamesEveryProblem(t *testing.T) {
	there := newPKI(t)
	other := filepath.Join(newPKI(t).dir, "server.key")
	for name, c := range map[string]struct {
		change func(*Config)
		keys   string
	}{
		"defaults":                  {func(*Config) {}, ""},
		"any free port":             {func(c *Config) { c.ListenPort = 0 }, ""},
		"ports":                     {func(c *Config) { c.ListenPort, c.TLSServer.NoTLSPort = 65536, -1 }, "listenport tlsserver.notlsport"},
		"IPv6":                      {func(c *Config) { c.ListenAddress = "::1" }, ""},
		"a host name":               {func(c *Config) { c.ListenAddress = "localhost" }, "listenaddress"},
		"unknown path":              {func(c *Config) { c.TLSServer.NoTLSPaths = []string{"/ping", "/debug", "ping"} }, "tlsserver.notlspaths tlsserver.notlspaths"},
		"files, without TLS":        {func(c *Config) { c.TLSServer.CertFile = "/nowhere" }, ""},
		"files, with TLS":           {func(c *Config) { c.TLSServer.Deploy, c.TLSServer.CertFile, c.TLSServer.KeyFile = true, "/nowhere", "/" }, "tlsserver.certfile tlsserver.keyfile"},
		"authority, not asked":      {func(c *Config) { *c = there.serverConfig(false); c.TLSServer.CACertFile = "" }, ""},
		"authority":                 {func(c *Config) { *c = there.serverConfig(true); c.TLSServer.CACertFile = "" }, "tlsserver.cacertfile"},
		"another one's key":         {func(c *Config) { *c = there.serverConfig(false); c.TLSServer.KeyFile = other }, "tlsserver.certfile"},
		"a key for a certificate":   {func(c *Config) { *c = there.serverConfig(false); c.TLSServer.CertFile = other }, "tlsserver.certfile"},
		"a key for the authority":   {func(c *Config) { *c = there.serverConfig(true); c.TLSServer.CACertFile = other }, "tlsserver.cacertfile"},
		"the same, nobody is asked": {func(c *Config) { *c = there.serverConfig(false); c.TLSServer.CACertFile = other }, ""},
		"a device":                  {func(c *Config) { *c = there.serverConfig(true); c.TLSServer.CACertFile = "/dev/zero" }, "tlsserver.cacertfile"},
		"one port twice": {func(c *Config) {
			*c = there.serverConfig(false)
			c.ListenPort, c.TLSServer.NoTLSPort, c.TLSServer.NoTLSPaths = 2801, 2801, []string{"/ping"}
		}, "tlsserver.notlsport"},
		"limits": {func(c *Config) {
			c.Receiver = Receiver{MaxBody: 1, MaxInFlight: 1, MaxDepth: 1}
		}, "receiver.maxbody receiver.maxdepth receiver.headertimeout receiver.bodytimeout receiver.idletimeout"},
		"in flight": {func(c *Config) { c.Receiver.MaxInFlight = c.Receiver.MaxBody - 1 }, "receiver.maxinflight"},
		"depth":     {func(c *Config) { c.Receiver.MaxDepth = 10_001 }, "receiver.maxdepth"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Defaults()
			c.change(&cfg)
			var keys []string
			for _, err := range problem.Each(cfg.Validate()) {
				var p *problem.Problem
				if !errors.As(err, &p) {
					t.Errorf("no problem: %v", err)
					continue
				}
				keys = append(keys, p.Key)
			}
			if got := strings.Join(keys, " "); got != c.keys {
				t.Errorf("%q, want %q", got, c.keys)
			}
		})
	}
}
