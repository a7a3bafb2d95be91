package falcogrpc

import (
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/certs"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/socket"
)

// Config is where alerts are given to subscribers.
type Config struct {
	// Addresses to serve on: unix:///run/tiercel/falco.sock, or host:port, for which the certificates below are needed. Empty leaves it off.
	Listen []string `config:"listen"`
	// Mode of unix sockets, octal: who may subscribe.
	SocketMode string `config:"socketmode"`
	// Server certificate for host:port, PEM. It is read again when the file changes, as the other two are.
	CertFile string `config:"certfile"`
	// Its private key, PEM.
	KeyFile string `config:"keyfile"`
	// Certificate authority of the subscribers, PEM. On host:port they must show a certificate that it signed.
	CACertFile string `config:"cacertfile"`
	// Most that the alerts may take that wait for subscribers, in memory, for all subscribers together. One that is further behind is cut.
	Buffer size.Bytes `config:"buffer"`
	// How long the journal keeps the place of a subscriber that asked for one and is away.
	KeepPlace time.Duration `config:"keepplace"`
	// Most subscribers that may have a place in the journal.
	MaxPlaces int `config:"maxplaces"`
}

// Defaults gives what is not set.
func Defaults() Config {
	return Config{
		SocketMode: "0660",
		CertFile:   "/etc/certs/server/server.crt",
		KeyFile:    "/etc/certs/server/server.key",
		CACertFile: "/etc/certs/server/ca.crt",
		Buffer:     16 * size.MiB,
		KeepPlace:  24 * time.Hour,
		MaxPlaces:  16,
	}
}

// Enabled reports whether anything is served.
func (c *Config) Enabled() bool { return len(c.Listen) > 0 }

// Validate returns every problem, joined. It reads the certificates where they are needed.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(key, format string, args ...any) { errs = append(errs, problem.At(key, format, args...)) }
	secure := false
	for _, address := range c.Listen {
		network, _, err := parseAddress(address)
		if err != nil {
			wrong("listen", "%v", err)
		}
		secure = secure || network == "tcp"
	}
	if _, err := socket.Mode(c.SocketMode); err != nil {
		wrong("socketmode", "%v", err)
	}
	if secure {
		if err := c.certificates().Check(); err != nil {
			errs = append(errs, err)
		}
	}
	if c.Buffer < 64*size.KiB || c.Buffer > 4*size.GiB {
		wrong("buffer", "expected 64KiB to 4GiB, got %s", c.Buffer)
	}
	if c.KeepPlace < time.Minute {
		wrong("keepplace", "expected at least 1m, got %s", c.KeepPlace)
	}
	if c.MaxPlaces < 0 || c.MaxPlaces > 1000 {
		wrong("maxplaces", "expected 0 to 1000, got %d", c.MaxPlaces)
	}
	return errors.Join(errs...)
}

func (c *Config) certificates() certs.Server {
	return certs.Server{CertFile: c.CertFile, KeyFile: c.KeyFile, CACertFile: c.CACertFile, Mutual: true}
}

var errAddress = errors.New("expected unix:///absolute/path or host:port")

// parseAddress reads an address to listen on.
func parseAddress(text string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(text, "unix://"); ok {
		if !filepath.IsAbs(path) {
			return "", "", errAddress
		}
		return "unix", path, nil
	}
	text = strings.TrimPrefix(text, "tcp://")
	if _, port, err := net.SplitHostPort(text); err != nil {
		return "", "", errAddress
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", "", errAddress
	}
	return "tcp", text, nil
}
