package httpsource

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// pki is a certificate authority and a server's certificate in files, as Kubernetes mounts a secret: each file is a
// symbolic link into a folder that is exchanged as a whole.
type pki struct {
	dir     string
	version int
	key     *ecdsa.PrivateKey
	ca      *x509.Certificate
}

func newPKI(t testing.TB) *pki {
	t.Helper()
	p := &pki{dir: t.TempDir()}
	for _, name := range []string{"server.crt", "server.key", "ca.crt"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(p.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	p.rotate(t)
	return p
}

// rotate makes a new authority and server certificate, and turns the link to them.
func (p *pki) rotate(t testing.TB) {
	t.Helper()
	p.key = newKey(t)
	p.ca = sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, p.key, p.key)
	server, key := p.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	p.mount(t, server, key, encode("CERTIFICATE", p.ca.Raw))
}

// mount exchanges the contents of all files at once.
func (p *pki) mount(t testing.TB, certificate, key, ca []byte) {
	t.Helper()
	p.version++
	name := fmt.Sprint("version-", p.version)
	folder := filepath.Join(p.dir, name)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{"server.crt": certificate, "server.key": key, "ca.crt": ca} {
		if err := os.WriteFile(filepath.Join(folder, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fresh := filepath.Join(p.dir, "..data_new")
	if err := os.Symlink(name, fresh); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, filepath.Join(p.dir, "..data")); err != nil {
		t.Fatal(err)
	}
}

// issue makes a certificate of the authority, and its key, both PEM.
func (p *pki) issue(t testing.TB, what *x509.Certificate) (certificate, key []byte) {
	t.Helper()
	private := newKey(t)
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", sign(t, what, p.ca, private, p.key).Raw), encode("EC PRIVATE KEY", der)
}

// client is a sender's certificate of the authority.
func (p *pki) client(t testing.TB) tls.Certificate {
	t.Helper()
	certificate, key := p.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "falco"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func (p *pki) pool(t testing.TB) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(p.ca)
	return pool
}

func (p *pki) serverConfig(mutual bool) Config {
	cfg := loopback()
	cfg.TLSServer.Deploy = true
	cfg.TLSServer.MutualTLS = mutual
	cfg.TLSServer.CertFile = filepath.Join(p.dir, "server.crt")
	cfg.TLSServer.KeyFile = filepath.Join(p.dir, "server.key")
	cfg.TLSServer.CACertFile = filepath.Join(p.dir, "ca.crt")
	return cfg
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, what, by *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	var err error
	if what.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	what.NotBefore, what.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if by == nil {
		by = what
	}
	der, err := x509.CreateCertificate(rand.Reader, what, by, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func (r *running) secureURL(path string) string { return "https://" + r.Addrs()[0].String() + path }

// tries sends an alert with TLS and gives the error of the connection, or the status.
func (r *running) tries(t testing.TB, config *tls.Config) (int, error) {
	t.Helper()
	c := client(t, &http.Transport{TLSClientConfig: config, DisableKeepAlives: true})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.secureURL("/"), strings.NewReader(falcoAlert))
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func TestTLS(t *testing.T) {
	files, stranger := newPKI(t), newPKI(t)
	r := start(t, files.serverConfig(false))
	if got, err := r.tries(t, &tls.Config{RootCAs: files.pool(t)}); err != nil || got != 200 {
		t.Errorf("%d %v", got, err)
	}
	if _, err := r.tries(t, &tls.Config{RootCAs: stranger.pool(t)}); err == nil {
		t.Error("a sender took the certificate of an authority that it does not know")
	}
	if _, err := r.tries(t, &tls.Config{RootCAs: files.pool(t), MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was taken")
	}
	if got := r.raw(t, "POST / HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.Contains(got, "HTTP request to an HTTPS server") {
		t.Errorf("without TLS: %q", got)
	}
	if !strings.Contains(r.log.String(), "TLS handshake error") {
		t.Errorf("a failed handshake is not in the log: %s", r.log)
	}
}

func TestMutualTLS(t *testing.T) {
	files, stranger := newPKI(t), newPKI(t)
	r := start(t, files.serverConfig(true))
	for name, c := range map[string]struct {
		certificates []tls.Certificate
		ok           bool
	}{
		"of the authority": {[]tls.Certificate{files.client(t)}, true},
		"of another one":   {[]tls.Certificate{stranger.client(t)}, false},
		"none":             {nil, false},
	} {
		got, err := r.tries(t, &tls.Config{RootCAs: files.pool(t), Certificates: c.certificates})
		if (err == nil && got == 200) != c.ok {
			t.Errorf("certificate %s: %d %v", name, got, err)
		}
	}
	if got := r.journal.rules(); got != "Terminal shell in container" {
		t.Errorf("journal: %s", got)
	}
}

// TestCertificatesAreTakenWhenTheyChange rotates them under a server that runs, with a clock of the test's own.
func TestCertificatesAreTakenWhenTheyChange(t *testing.T) {
	files := newPKI(t)
	var later atomic.Int64
	r := start(t, files.serverConfig(true), func(_ *running, d *Deps) {
		d.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	try := func() error {
		_, err := r.tries(t, &tls.Config{RootCAs: files.pool(t), Certificates: []tls.Certificate{files.client(t)}})
		return err
	}
	if err := try(); err != nil {
		t.Fatal(err)
	}
	before := *files
	files.rotate(t)
	later.Add(int64(lookEvery))
	if err := try(); err != nil {
		t.Errorf("the new certificates: %v", err)
	}
	if _, err := r.tries(t, &tls.Config{RootCAs: files.pool(t), Certificates: []tls.Certificate{before.client(t)}}); err == nil {
		t.Error("a sender of the old authority was taken")
	}

	// Half a rotation, or a broken file: the old ones stay, which is logged once.
	files.mount(t, []byte("no certificate"), nil, nil)
	for range 3 {
		later.Add(int64(lookEvery))
		if err := try(); err != nil {
			t.Errorf("with a broken file: %v", err)
		}
	}
	if got := strings.Count(r.log.String(), "the old ones stay"); got != 1 {
		t.Errorf("logged %d times: %s", got, r.log)
	}
	files.rotate(t)
	later.Add(int64(lookEvery))
	if err := try(); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

func TestPathsWithoutTLS(t *testing.T) {
	files := newPKI(t)
	cfg := files.serverConfig(false)
	cfg.TLSServer.NoTLSPaths = []string{"/ping", "/metrics"}
	r := start(t, cfg)
	if n := len(r.Addrs()); n != 2 {
		t.Fatalf("%d listeners", n)
	}
	secure := client(t, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: files.pool(t)}})
	plain := client(t, &http.Transport{})
	plainURL := "http://" + r.Addrs()[1].String()
	for _, c := range []struct {
		client      *http.Client
		method, url string
		status      int
		body        string
	}{
		{plain, "GET", plainURL + "/ping", 200, "pong\n"},
		{plain, "GET", plainURL + "/metrics", 200, ""},
		{plain, "POST", plainURL + "/", 404, "404 page not found\n"},
		{plain, "GET", plainURL + "/healthz", 404, "404 page not found\n"},
		{secure, "POST", r.secureURL("/"), 200, ""},
		{secure, "POST", r.secureURL("/x"), 200, ""},
		{secure, "GET", r.secureURL("/healthz"), 200, `{"status": "ok"}`},
		{secure, "GET", r.secureURL("/ping"), 400, "Please send with post http method\n"}, // moved away, so a path like any other
		{secure, "GET", r.secureURL("/metrics"), 400, "Please send with post http method\n"},
	} {
		got := send(t, c.client, c.method, c.url, strings.NewReader(falcoAlert))
		if got.status != c.status || c.body != "" && got.body != c.body {
			t.Errorf("%s %s: %d %q", c.method, c.url, got.status, got.body)
		}
	}
}

func TestReceiverWithoutTLSBesideOthersWith(t *testing.T) {
	files := newPKI(t)
	cfg := files.serverConfig(false)
	cfg.TLSServer.NoTLSPaths = []string{"/"}
	r := start(t, cfg)
	if got := send(t, client(t, &http.Transport{}), "POST", "http://"+r.Addrs()[1].String()+"/any", strings.NewReader(falcoAlert)); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	secure := client(t, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: files.pool(t)}})
	if got := send(t, secure, "POST", r.secureURL("/"), strings.NewReader(falcoAlert)); got.status != 404 {
		t.Errorf("with TLS: %d %s", got.status, got.body)
	}
}

func TestBadCertificatesStopTheStart(t *testing.T) {
	files, other := newPKI(t), newPKI(t)
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("not PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*TLSServer)
		want   string
	}{
		"no certificate":      {func(c *TLSServer) { c.CertFile = garbage }, "tlsserver.certfile"},
		"another one's key":   {func(c *TLSServer) { c.KeyFile = filepath.Join(other.dir, "server.key") }, "private key does not match"},
		"no authority":        {func(c *TLSServer) { c.CACertFile = garbage }, "holds no certificate in PEM form"},
		"authority not there": {func(c *TLSServer) { c.CACertFile += ".no" }, "tlsserver.cacertfile"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := files.serverConfig(true)
			c.change(&cfg.TLSServer)
			r := &running{journal: &journal{}, log: &safeBuffer{}}
			r.reg = newRegistry()
			s, err := New(t.Context(), cfg, testDeps(r))
			if err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}
