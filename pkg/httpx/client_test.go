package httpx_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/verdict"
)

var quiet = log.New(io.Discard, "", 0)

// newClient makes a client that leaves no connection behind.
func newClient(t testing.TB, c httpx.Common, s httpx.Settings) *http.Client {
	t.Helper()
	client, err := c.Client(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestClientVerifiesTheServer(t *testing.T) {
	known, unknown := newAuthority(t, "known"), newAuthority(t, "unknown")
	trusting := httpx.Common{TLSClient: httpx.TLSClient{CACertFile: write(t, filepath.Join(t.TempDir(), "ca.crt"), known.PEM)}}
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	ok := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }
	cases := []struct {
		name      string
		server    *authority
		host      string
		until     time.Time
		checkCert bool
		err       string // part of the error, "" for success
	}{
		{"authority of the config", known, "127.0.0.1", soon, true, ""},
		{"unknown authority", unknown, "127.0.0.1", soon, true, "unknown authority"},
		{"another host's certificate", known, "example.org", soon, true, "127.0.0.1"},
		{"expired", known, "127.0.0.1", past, true, "expired"},
		{"checkcert off", unknown, "example.org", past, false, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := c.server.serve(c.host, c.until, nil, ok)
			client := newClient(t, trusting, httpx.Settings{CheckCert: c.checkCert})
			answer, err := httpx.Post(t.Context(), client, server.URL, "text/plain", nil, []byte("x"))
			if c.err == "" {
				if err != nil || string(answer) != "HTTP/2.0" {
					t.Fatalf("got %q over %v, want HTTP/2", answer, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) || verdict.ReasonOf(err) != verdict.TLS || verdict.IsPermanent(err) {
				t.Fatalf("got %v (reason %s, permanent %t)", err, verdict.ReasonOf(err), verdict.IsPermanent(err))
			}
		})
	}
}

func TestClientNeedsTLS12(t *testing.T) {
	known := newAuthority(t, "known")
	server := known.serve("127.0.0.1", time.Now().Add(time.Hour), nil, func(http.ResponseWriter, *http.Request) {})
	server.TLS.MaxVersion = tls.VersionTLS11
	client := newClient(t, httpx.Common{}, httpx.Settings{CheckCert: false})
	err := httpx.Reach(t.Context(), client, server.URL)
	if err == nil || verdict.ReasonOf(err) != verdict.TLS {
		t.Errorf("a server with TLS 1.1 was taken: %v", err)
	}
}

func TestClientSaysWhenTheServerSpeaksNoTLS(t *testing.T) {
	w := witness(t, answers(200))
	err := httpx.Reach(t.Context(), newClient(t, httpx.Common{}, httpx.DefaultSettings()), strings.Replace(w.URL, "http:", "https:", 1))
	if err == nil || verdict.ReasonOf(err) != verdict.TLS {
		t.Errorf("got %v, reason %s", err, verdict.ReasonOf(err))
	}
}

func TestClientPresentsItsCertificate(t *testing.T) {
	servers, clients := newAuthority(t, "servers"), newAuthority(t, "clients")
	server := servers.serve("127.0.0.1", time.Now().Add(time.Hour), clients, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	})
	put := func(dir, name string, by *authority) (cert, key string) {
		c, k := by.sign(name, time.Now().Add(time.Hour))
		return write(t, filepath.Join(dir, "client.crt"), c), write(t, filepath.Join(dir, "client.key"), k)
	}
	folder, other, wrong := t.TempDir(), t.TempDir(), t.TempDir()
	ca := write(t, filepath.Join(folder, "ca.crt"), servers.PEM)
	cert, key := put(folder, "from the folder", clients)
	otherCert, otherKey := put(other, "from the files", clients)
	put(wrong, "stranger", servers)
	write(t, filepath.Join(wrong, "ca.crt"), servers.PEM)

	cases := []struct {
		name   string
		common httpx.Common
		mutual bool
		want   string // what the server saw, "" for an error
	}{
		{"files of the folder", httpx.Common{MutualTLSFilesPath: folder}, true, "from the folder"},
		{"single files win", httpx.Common{
			MutualTLSFilesPath: folder, MutualTLSClient: httpx.MutualTLSClient{CertFile: otherCert, KeyFile: otherKey},
		}, true, "from the files"},
		{"a folder without ca.crt", httpx.Common{
			MutualTLSFilesPath: other, TLSClient: httpx.TLSClient{CACertFile: ca},
		}, true, "from the files"},
		{"authority by itself", httpx.Common{
			MutualTLSFilesPath: other, MutualTLSClient: httpx.MutualTLSClient{CACertFile: ca},
		}, true, "from the files"},
		{"switched off", httpx.Common{MutualTLSFilesPath: folder, TLSClient: httpx.TLSClient{CACertFile: ca}}, false, ""},
		{"a stranger's certificate", httpx.Common{MutualTLSFilesPath: wrong}, true, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client := newClient(t, c.common, httpx.Settings{MutualTLS: c.mutual, CheckCert: true})
			answer, err := httpx.Post(t.Context(), client, server.URL, "text/plain", nil, nil)
			if c.want == "" {
				// In TLS 1.3 the server refuses once the client believes to be connected, so this may be a broken
				// connection as well.
				reason := verdict.ReasonOf(err)
				if err == nil || (reason != verdict.TLS && reason != verdict.Connection) || verdict.IsPermanent(err) {
					t.Errorf("got %q, %v, reason %s", answer, err, reason)
				}
				return
			}
			if err != nil || string(answer) != c.want {
				t.Errorf("the server saw %q, want %q (%v)", answer, c.want, err)
			}
		})
	}

	t.Run("renewed while running", func(t *testing.T) {
		client := newClient(t, httpx.Common{MutualTLSFilesPath: folder}, httpx.Settings{MutualTLS: true, CheckCert: true})
		renewed, renewedKey := clients.sign("renewed", time.Now().Add(time.Hour))
		write(t, cert, renewed)
		// The certificate is new, its key is not yet: the pair from the start is used.
		answer, err := httpx.Post(t.Context(), client, server.URL, "text/plain", nil, nil)
		if err != nil || string(answer) != "from the folder" {
			t.Errorf("half renewed: %q, %v", answer, err)
		}
		write(t, key, renewedKey)
		client.CloseIdleConnections()
		client.Transport.(*http.Transport).TLSClientConfig.ClientSessionCache = nil // a resumed session shows the old one
		answer, err = httpx.Post(t.Context(), client, server.URL, "text/plain", nil, nil)
		if err != nil || string(answer) != "renewed" {
			t.Errorf("renewed: %q, %v", answer, err)
		}
	})
}

func TestClientRefusesUnusableFiles(t *testing.T) {
	dir := t.TempDir()
	text := write(t, filepath.Join(dir, "text"), []byte("no PEM"))
	ca := newAuthority(t, "ca")
	certPEM, _ := ca.sign("a", time.Now().Add(time.Hour))
	_, keyOfOther := ca.sign("b", time.Now().Add(time.Hour))
	cert, key := write(t, filepath.Join(dir, "a.crt"), certPEM), write(t, filepath.Join(dir, "b.key"), keyOfOther)
	for name, c := range map[string]struct {
		common httpx.Common
		key    string
	}{
		"authority absent":           {httpx.Common{TLSClient: httpx.TLSClient{CACertFile: filepath.Join(dir, "absent")}}, "tlsclient.cacertfile"},
		"authority without PEM":      {httpx.Common{TLSClient: httpx.TLSClient{CACertFile: text}}, "tlsclient.cacertfile"},
		"client authority absent":    {httpx.Common{MutualTLSClient: httpx.MutualTLSClient{CACertFile: filepath.Join(dir, "absent")}}, "mutualtlsclient.cacertfile"},
		"folder without certificate": {httpx.Common{MutualTLSFilesPath: dir}, "mutualtlsfilespath"},
		"key of another certificate": {httpx.Common{MutualTLSClient: httpx.MutualTLSClient{CertFile: cert, KeyFile: key}}, "mutualtlsclient.certfile"},
	} {
		_, err := c.common.Client(httpx.Settings{MutualTLS: true, CheckCert: true})
		if err == nil || !strings.HasPrefix(err.Error(), c.key+": ") {
			t.Errorf("%s: got %v, want a problem of %s", name, err, c.key)
		}
	}
}

func TestClientUsesTheProxyOfTheEnvironment(t *testing.T) {
	client := newClient(t, httpx.Common{}, httpx.DefaultSettings())
	answer, err := httpx.Post(t.Context(), client, "http://behind.test/in", "text/plain", nil, nil)
	if err != nil || string(answer) != "the proxy was asked for http://behind.test/in" {
		t.Errorf("plain: %q, %v", answer, err)
	}
	if err := httpx.Reach(t.Context(), client, "https://behind.test/in"); err == nil || !strings.Contains(err.Error(), "Bad Gateway") {
		t.Errorf("TLS goes through CONNECT, and the proxy's refusal is named: %v", err)
	}
}
