package httpx_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain puts a proxy into the environment before anything can ask for it: net/http reads it once. It is never
// used for loopback addresses, so only the test of the proxy meets it.
func TestMain(m *testing.M) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprintf(w, "the proxy was asked for %s", r.RequestURI)
	}))
	for name, value := range map[string]string{
		"HTTP_PROXY": proxy.URL, "HTTPS_PROXY": proxy.URL, "NO_PROXY": "direct.test", "http_proxy": "", "https_proxy": "", "no_proxy": "",
	} {
		os.Setenv(name, value)
	}
	code := m.Run()
	proxy.Close()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
