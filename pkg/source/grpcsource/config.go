// Package grpcsource takes alerts from Falco's gRPC API, which Falco spoke up to 0.43, and from another Tiercel.
package grpcsource

import (
	"errors"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/certs"
	"github.com/tiercel/tiercel/pkg/problem"
)

// Config is where alerts are subscribed to.
type Config struct {
	// Falcos to subscribe to, up to version 0.43: unix:///run/falco/falco.sock, or host:port, for which the certificates below are needed. Empty leaves it off.
	Addresses []string `config:"addresses"`
	// Client certificate to show on host:port, PEM. It is read again for each connection, as the other two are.
	CertFile string `config:"certfile"`
	// Its private key, PEM.
	KeyFile string `config:"keyfile"`
	// Certificate authority that signed the servers' certificates, PEM.
	CACertFile string `config:"cacertfile"`
	// Time between two requests: Falco gives what it has after each.
	Interval time.Duration `config:"interval"`
	// Name under which another Tiercel keeps a place for this one: what comes while the connection is down is not missed. Falco does not know of it.
	Subscriber string `config:"subscriber"`
}

// Defaults gives what is not set.
func Defaults() Config {
	return Config{
		CertFile:   "/etc/falco/certs/client.crt",
		KeyFile:    "/etc/falco/certs/client.key",
		CACertFile: "/etc/falco/certs/ca.crt",
		Interval:   500 * time.Millisecond,
	}
}

var subscriberName = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}$`)

// Validate returns every problem, joined. It reads the certificates where they are needed.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(key, format string, args ...any) { errs = append(errs, problem.At(key, format, args...)) }
	secure := false
	seen := map[string]bool{}
	for _, address := range c.Addresses {
		if seen[address] {
			wrong("addresses", "%s is there twice", address)
		}
		seen[address] = true
		_, isTCP, err := parse(address)
		if err != nil {
			wrong("addresses", "expected unix:///run/falco/falco.sock or host:port, got %q", address)
		}
		secure = secure || isTCP
	}
	if secure {
		errs = append(errs, c.certificates().Check())
	}
	if c.Interval < 10*time.Millisecond || c.Interval > time.Minute {
		wrong("interval", "expected 10ms to 1m, got %s", c.Interval)
	}
	if !subscriberName.MatchString(c.Subscriber) {
		wrong("subscriber", "expected letters, digits, - and _, at most 64, got %q", c.Subscriber)
	}
	return errors.Join(errs...)
}

func (c *Config) certificates() certs.Client {
	return certs.Client{CertFile: c.CertFile, KeyFile: c.KeyFile, CACertFile: c.CACertFile}
}

// parse reads an address: the path of a socket, or host:port.
func parse(text string) (address string, isTCP bool, err error) {
	if path, ok := strings.CutPrefix(text, "unix://"); ok {
		if !filepath.IsAbs(path) {
			return "", false, errors.New("the path is not absolute")
		}
		return path, false, nil
	}
	text = strings.TrimPrefix(text, "tcp://")
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", false, err
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || host == "" {
		return "", false, errors.New("no host or no port")
	}
	return text, true, nil
}
