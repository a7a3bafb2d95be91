// Package syslogsource takes alerts out of syslog messages: Falco's syslog output, as a syslog daemon passes it on.
package syslogsource

import (
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tiercel/tiercel/pkg/certs"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/socket"
)

// Config is where syslog messages are received.
type Config struct {
	// Where to listen: unix:///run/tiercel/syslog.sock (datagrams, as /dev/log), udp://:5514, tcp://:5514, tls://:6514. Empty leaves it off.
	Listen []string `config:"listen"`
	// Mode of unix sockets, octal: who may write to them.
	SocketMode string `config:"socketmode"`
	// Server certificate for tls, PEM. It is read again when the file changes, as the other two are.
	CertFile string `config:"certfile"`
	// Its private key, PEM.
	KeyFile string `config:"keyfile"`
	// Ask senders for a certificate that cacertfile signed.
	MutualTLS bool `config:"mutualtls"`
	// Certificate authority of the senders, PEM.
	CACertFile string `config:"cacertfile"`
	// Longest message that is read over tcp and tls. A datagram has at most 64KiB over udp.
	MaxMessage size.Bytes `config:"maxmessage"`
}

// Defaults gives what is not set.
func Defaults() Config {
	return Config{
		SocketMode: "0660",
		CertFile:   "/etc/certs/server/server.crt",
		KeyFile:    "/etc/certs/server/server.key",
		CACertFile: "/etc/certs/server/ca.crt",
		MaxMessage: size.MiB,
	}
}

// Validate returns every problem, joined. It reads the certificates where they are needed.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(key, format string, args ...any) { errs = append(errs, problem.At(key, format, args...)) }
	secure := false
	for _, text := range c.Listen {
		network, _, err := parse(text)
		if err != nil {
			wrong("listen", "expected unix:///absolute/path, udp://host:port, tcp://host:port or tls://host:port, got %q", text)
		}
		secure = secure || network == "tls"
	}
	if _, err := socket.Mode(c.SocketMode); err != nil {
		wrong("socketmode", "%v", err)
	}
	if secure {
		errs = append(errs, c.certificates().Check())
	}
	if c.MaxMessage < size.KiB || c.MaxMessage > 64*size.MiB {
		wrong("maxmessage", "expected 1KiB to 64MiB, got %s", c.MaxMessage)
	}
	return errors.Join(errs...)
}

func (c *Config) certificates() certs.Server {
	return certs.Server{CertFile: c.CertFile, KeyFile: c.KeyFile, Mutual: c.MutualTLS, CACertFile: c.CACertFile}
}

var errForm = errors.New("unknown form")

// parse reads an address to listen on.
func parse(text string) (network, address string, err error) {
	network, address, _ = strings.Cut(text, "://")
	switch network {
	case "unix":
		if !filepath.IsAbs(address) {
			return "", "", errForm
		}
		return network, address, nil
	case "udp", "tcp", "tls":
		_, port, err := net.SplitHostPort(address)
		if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
			return "", "", errForm
		}
		return network, address, nil
	}
	return "", "", errForm
}
