package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/secret"
)

func TestAddressToTry(t *testing.T) {
	for listened, want := range map[string]string{
		"[::]:2801": "http://localhost:2801/", "0.0.0.0:80": "http://localhost:80/",
		"127.0.0.1:1": "http://127.0.0.1:1/", "[::1]:2801": "http://[::1]:2801/",
	} {
		addr, err := net.ResolveTCPAddr("tcp", listened)
		if err != nil {
			t.Fatal(err)
		}
		if got := address(&config.Config{}, addr); got != want {
			t.Errorf("%s is %s, expected %s", listened, got, want)
		}
	}
}

func TestLineToTry(t *testing.T) {
	cfg := &config.Config{}
	line := tryLine(cfg, "http://localhost:2801/", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	body, found := strings.CutPrefix(line, "curl -d '")
	body, address, ok := strings.Cut(body, "' ")
	if !found || !ok || address != "http://localhost:2801/" || strings.ContainsAny(body, "'\n") {
		t.Fatalf("the line is %s", line)
	}
	a, err := alert.DecodeOne([]byte(body), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if a.Hostname == "" || a.Source == "" || a.Output == "" || len(a.Tags) == 0 || a.Fields.IsEmpty() || !a.Extra.IsEmpty() {
		t.Errorf("the alert is not whole: %+v", a)
	}

	cfg.HTTP.TLSServer.Deploy, cfg.HTTP.TLSServer.MutualTLS = true, true
	cfg.HTTP.Receiver.Token = secret.New("hidden")
	line = tryLine(cfg, "https://localhost:2801/", time.Now())
	if !strings.HasPrefix(line, `curl -k --cert client.crt --key client.key -H "Authorization: Bearer $TOKEN" -d '`) || strings.Contains(line, "hidden") {
		t.Errorf("the line is %s", line)
	}
}
