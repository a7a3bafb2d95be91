package journal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/journal"
	"github.com/tiercel/tiercel/pkg/secret"
)

// natsServer starts a NATS server with JetStream and gives a config that names it.
func natsServer(t testing.TB, opts server.Options) journal.Config {
	t.Helper()
	opts.Host, opts.Port, opts.JetStream, opts.StoreDir = "127.0.0.1", server.RANDOM_PORT, true, t.TempDir()
	opts.NoSigs, opts.NoLog = true, true
	srv, err := server.NewServer(&opts)
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	cfg := testConfig(t)
	cfg.URL = srv.ClientURL()
	return cfg
}

// refused fails when a journal can be opened, or when the error shows a secret.
func refused(t testing.TB, cfg journal.Config) {
	t.Helper()
	j, err := journal.Open(t.Context(), cfg, journal.Options{Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Error("a stranger was let in")
		_ = j.Close()
	} else if strings.Contains(err.Error(), "hush") {
		t.Errorf("the error shows a secret: %v", err)
	}
}

// passes puts an alert through the journal.
func passes(t testing.TB, cfg journal.Config) {
	t.Helper()
	j := open(t, cfg)
	r := read(t, j, "slack", alert.Debug)
	if err := j.Append(t.Context(), []*alert.Alert{anAlert(t, 1, alert.Notice)}); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 1)
}

func TestExternalServerKnowsWhoComes(t *testing.T) {
	for name, c := range map[string]struct {
		server       server.Options
		right, wrong func(*journal.Config)
	}{
		"user": {
			server.Options{Username: "tiercel", Password: "hush-password"},
			func(c *journal.Config) { c.User, c.Password = "tiercel", secret.New("hush-password") },
			func(c *journal.Config) { c.User, c.Password = "tiercel", secret.New("hush-other") },
		},
		"user in the address": {
			server.Options{Username: "tiercel", Password: "hush-password"},
			func(c *journal.Config) { c.URL = strings.Replace(c.URL, "://", "://tiercel:hush-password@", 1) },
			func(c *journal.Config) { c.URL = strings.Replace(c.URL, "://", "://tiercel:hush-other@", 1) },
		},
		"token": {
			server.Options{Authorization: "hush-token"},
			func(c *journal.Config) { c.Token = secret.New("hush-token") },
			func(c *journal.Config) { c.Token = secret.New("hush-other") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := natsServer(t, c.server)
			refused(t, cfg)
			wrong := cfg
			c.wrong(&wrong)
			refused(t, wrong)
			c.right(&cfg)
			passes(t, cfg)
		})
	}
}

func TestExternalServerWithTLS(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	authority, key := certificate(t, nil, nil)
	write(t, file("ca.crt"), "CERTIFICATE", authority.Raw)
	for _, name := range []string{"server", "client"} {
		own, ownKey := certificate(t, authority, key)
		der, err := x509.MarshalPKCS8PrivateKey(ownKey)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file(name+".crt"), "CERTIFICATE", own.Raw)
		write(t, file(name+".key"), "PRIVATE KEY", der)
	}
	pair, err := tls.LoadX509KeyPair(file("server.crt"), file("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	cfg := natsServer(t, server.Options{TLS: true, TLSVerify: true, TLSTimeout: 10, TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}})
	refused(t, cfg) // neither does it know the server, nor the server it
	cfg.TLS.CACertFile = file("ca.crt")
	refused(t, cfg)
	cfg.TLS.CertFile, cfg.TLS.KeyFile = file("client.crt"), file("client.key")
	passes(t, cfg)
}

// certificate makes an authority, or with one a certificate for 127.0.0.1 that it signed.
func certificate(t testing.TB, authority *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if authority == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		authority, signer = template, key
	} else {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

func write(t testing.TB, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
