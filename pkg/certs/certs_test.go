package certs_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tiercel/tiercel/pkg/certs"
	"github.com/tiercel/tiercel/pkg/certs/certstest"
)

// pair makes a connection over loopback.
func pair(t *testing.T) (one, other net.Conn) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if one, err = new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if other, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return one, other
}

// shake lets a client and a server shake hands, and gives the server's certificate as the client saw it.
func shake(one, other net.Conn, server, client *tls.Config) (subject string, err error) {
	defer one.Close()
	defer other.Close()
	go func() {
		conn := tls.Server(one, server)
		_, _ = conn.Write([]byte("x"))
		_ = conn.Close()
	}()
	conn := tls.Client(other, client)
	if err := conn.HandshakeContext(context.Background()); err != nil {
		return "", err
	}
	// With TLS 1.3 a client learns only now whether its own certificate was taken.
	if _, err := conn.Read(make([]byte, 1)); err != nil && err != io.EOF { //nolint:errorlint // as Read has it
		return "", err
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func try(t *testing.T, server, client *tls.Config) (subject string, err error) {
	t.Helper()
	one, other := pair(t)
	return shake(one, other, server, client)
}

func clientConfig(t *testing.T, files certs.Client) *tls.Config {
	t.Helper()
	config, err := files.Config()
	if err != nil {
		t.Fatal(err)
	}
	config.ServerName = "localhost"
	return config
}

func TestMutual(t *testing.T) {
	ours, theirs := certstest.New(t), certstest.New(t)
	cert, key := ours.Sign("server")
	server, err := certs.Server{CertFile: cert, KeyFile: key, Mutual: true, CACertFile: ours.File()}.Config(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	good, goodKey := ours.Sign("client")
	bad, badKey := theirs.Sign("client")
	if subject, err := try(t, server, clientConfig(t, certs.Client{CertFile: good, KeyFile: goodKey, CACertFile: ours.File()})); err != nil || subject != "server" {
		t.Errorf("got %q, %v", subject, err)
	}
	for name, files := range map[string]certs.Client{
		"no certificate":     {CACertFile: ours.File()},
		"another authority":  {CertFile: bad, KeyFile: badKey, CACertFile: ours.File()},
		"trusts another":     {CertFile: good, KeyFile: goodKey, CACertFile: theirs.File()},
		"trusts the machine": {CertFile: good, KeyFile: goodKey},
	} {
		if _, err := try(t, server, clientConfig(t, files)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Rotated files are taken with the next handshake; broken ones are not, and the log says so once.
func TestFilesThatChange(t *testing.T) {
	ca := certstest.New(t)
	cert, key := ca.Sign("first")
	secondCert, secondKey := ca.Sign("second")
	client := clientConfig(t, certs.Client{CACertFile: ca.File()})
	now := time.Now() // the fake clock stands before the certificates were made
	client.Time = func() time.Time { return now }
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		server, err := certs.Server{CertFile: cert, KeyFile: key}.Config(slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		expect := func(when, want string) {
			t.Helper()
			time.Sleep(3 * time.Second)
			one, other := net.Pipe() // loopback does not know of the fake clock
			if subject, err := shake(one, other, server, client); err != nil || subject != want {
				t.Errorf("%s: got %q, %v, expected %q", when, subject, err, want)
			}
		}
		expect("at first", "first")
		for from, to := range map[string]string{secondCert: cert, secondKey: key} {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
		expect("rotated", "second")
		if err := os.WriteFile(cert, []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		expect("broken", "second")
		expect("still broken", "second")
		if n := strings.Count(log.String(), "not taken"); n != 1 {
			t.Errorf("the log says %d times that the files are broken:\n%s", n, &log)
		}
	})
}

func TestErrorsNameTheKey(t *testing.T) {
	ca := certstest.New(t)
	cert, key := ca.Sign("server")
	_, otherKey := ca.Sign("other")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"missing":      {certs.Server{CertFile: "/nowhere", KeyFile: key}.Check(), "certfile: expected a file in PEM form"},
		"no key":       {certs.Server{CertFile: cert}.Check(), "keyfile: expected a file in PEM form"},
		"no pair":      {certs.Server{CertFile: cert, KeyFile: otherKey}.Check(), "certfile: expected a certificate, with its key"},
		"no authority": {certs.Server{CertFile: cert, KeyFile: key, Mutual: true}.Check(), "cacertfile: expected a file in PEM form"},
		"a device":     {certs.Client{CACertFile: "/dev/zero"}.Check(), "cacertfile: expected a file in PEM form, but /dev/zero is no file"},
		"a key":        {certs.Client{CACertFile: key}.Check(), "cacertfile: expected the certificate authority of the server"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: got %v, expected %q", name, c.err, c.want)
		}
	}
}
