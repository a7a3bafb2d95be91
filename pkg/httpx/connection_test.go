package httpx_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// One output's own certificate, authority and server name, beside those that all share.
func TestConnectionOfOneOutput(t *testing.T) {
	servers, clients, shared := newAuthority(t, "servers"), newAuthority(t, "clients"), newAuthority(t, "shared")
	server := servers.serve("alerts.internal", time.Now().Add(time.Hour), clients, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %d", r.TLS.PeerCertificates[0].Subject.CommonName, r.TLS.Version)
	})
	dir := t.TempDir()
	cert, key := clients.sign("own", time.Now().Add(time.Hour))
	o := httpx.TLSOptions{
		CAFile:   write(t, filepath.Join(dir, "ca.crt"), servers.PEM),
		CertFile: write(t, filepath.Join(dir, "own.crt"), cert), KeyFile: write(t, filepath.Join(dir, "own.key"), key),
		ServerName: "alerts.internal", MinVersion: "1.3",
	}
	other := t.TempDir()
	otherCert, otherKey := shared.sign("shared", time.Now().Add(time.Hour))
	common := httpx.Common{MutualTLSClient: httpx.MutualTLSClient{
		CertFile: write(t, filepath.Join(other, "c.crt"), otherCert), KeyFile: write(t, filepath.Join(other, "c.key"), otherKey),
	}}
	for name, c := range map[string]struct {
		change func(*httpx.TLSOptions)
		mutual bool
		ok     bool
	}{
		"all of its own":               {func(*httpx.TLSOptions) {}, false, true},
		"its own wins over the shared": {func(*httpx.TLSOptions) {}, true, true},
		"without its authority":        {func(o *httpx.TLSOptions) { o.CAFile = "" }, false, false},
		"without the server's name":    {func(o *httpx.TLSOptions) { o.ServerName = "" }, false, false},
		"without a certificate":        {func(o *httpx.TLSOptions) { o.CertFile, o.KeyFile = "", "" }, false, false},
	} {
		own := o
		c.change(&own)
		client := newClient(t, common, httpx.Settings{CheckCert: true, MutualTLS: c.mutual, Connection: httpx.Connection{TLSOptions: own}})
		answer, err := httpx.Post(t.Context(), client, server.URL, "text/plain", nil, nil)
		switch want := fmt.Sprintf("own %d", tls.VersionTLS13); {
		case c.ok && (err != nil || string(answer) != want):
			t.Errorf("%s: got %q, %v, want %q", name, answer, err, want)
		case !c.ok && (err == nil || verdict.IsPermanent(err)):
			t.Errorf("%s: got %q, %v", name, answer, err)
		}
	}

	old := servers.serve("127.0.0.1", time.Now().Add(time.Hour), nil, func(http.ResponseWriter, *http.Request) {})
	old.TLS.MaxVersion = tls.VersionTLS12
	client := newClient(t, httpx.Common{}, httpx.Settings{CheckCert: true, Connection: httpx.Connection{TLSOptions: httpx.TLSOptions{CAFile: o.CAFile, MinVersion: "1.3"}}})
	if err := httpx.Reach(t.Context(), client, old.URL); err == nil || verdict.ReasonOf(err) != verdict.TLS {
		t.Errorf("TLS 1.2 was taken where 1.3 is the lowest: %v", err)
	}
}

func TestProxyOfOneOutput(t *testing.T) {
	proxy := witness(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "asked for %s by %s", r.RequestURI, r.Header.Get("Proxy-Authorization"))
	})
	through := func(text string) *http.Client {
		return newClient(t, httpx.Common{}, httpx.Settings{CheckCert: true, Connection: httpx.Connection{Proxy: secret.New(text)}})
	}
	answer, err := httpx.Post(t.Context(), through(strings.Replace(proxy.URL, "http://", "http://u:hush-pw@", 1)), "http://behind.example/in", "text/plain", nil, nil)
	if want := "asked for http://behind.example/in by Basic dTpodXNoLXB3"; err != nil || string(answer) != want {
		t.Errorf("got %q, %v, want %q", answer, err, want)
	}
	// The environment of these tests names a proxy, see TestClientUsesTheProxyOfTheEnvironment.
	if answer, err := httpx.Post(t.Context(), through("none"), "http://behind.test/in", "text/plain", nil, nil); err == nil {
		t.Errorf("none went through the proxy of the environment: %q", answer)
	}
}

func TestConnectionValidate(t *testing.T) {
	for name, c := range map[string]struct {
		connection httpx.Connection
		want       string
	}{
		"defaults":           {httpx.DefaultConnection(), ""},
		"nothing":            {httpx.Connection{}, ""},
		"half a pair":        {httpx.Connection{TLSOptions: httpx.TLSOptions{CertFile: "a"}}, "connection.certfile: expected certfile and keyfile together"},
		"a version":          {httpx.Connection{TLSOptions: httpx.TLSOptions{MinVersion: "1.1"}}, `connection.mintls: expected 1.2 or 1.3, got "1.1"`},
		"a proxy":            {httpx.Connection{Proxy: secret.New("hush.example:3128")}, "connection.proxy: expected http://, https:// or socks5:// and host:port, or none"},
		"a negative time":    {httpx.Connection{ConnectTimeout: -1}, "connection.connecttimeout: expected 0s (for 10s) or more, got -1ns"},
		"a negative pause":   {httpx.Connection{IdleTimeout: -time.Second}, "connection.idletimeout: expected 0s (for 55s) or more, got -1s"},
		"a socks proxy":      {httpx.Connection{Proxy: secret.New("socks5://h:1080")}, ""},
		"a proxy with a key": {httpx.Connection{Proxy: secret.New("http://u:p@h:1")}, ""},
	} {
		s := httpx.Settings{Connection: c.connection}
		var got string
		for _, err := range problem.Each(s.Validate()) {
			got += err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	_, err := httpx.Common{}.Client(httpx.Settings{Connection: httpx.Connection{TLSOptions: httpx.TLSOptions{CAFile: "/no/such"}}})
	if err == nil || !strings.HasPrefix(err.Error(), "connection.cafile: ") {
		t.Errorf("got %v", err)
	}
}

func TestZipper(t *testing.T) {
	z := httpx.NewZipper()
	for _, text := range []string{"", "한글 😀", strings.Repeat("x", 100_000)} {
		r, err := gzip.NewReader(bytes.NewReader(z.Compress([]byte(text))))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != text {
			t.Errorf("%d bytes become %d (%v)", len(text), len(got), err)
		}
	}
}
