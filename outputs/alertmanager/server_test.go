package alertmanager_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/alertmanager"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/pkg/alert"
)

func httptestServer(t *testing.T, handler http.HandlerFunc) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// startAlertmanager starts a real one, where this machine has it, and gives its address.
func startAlertmanager(t *testing.T) string {
	t.Helper()
	binary, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		binary, err = exec.LookPath("alertmanager")
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no alertmanager here: Debian's package is prometheus-alertmanager")
		}
		t.Skip("no alertmanager here: Debian's package is prometheus-alertmanager")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	cmd := exec.Command(binary, "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--cluster.listen-address=")
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if answer, err := http.Get("http://" + address + "/-/ready"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return "http://" + address
			}
		}
		if time.Now().After(end) {
			t.Fatal("Alertmanager does not get ready")
		}
	}
}

// A real Alertmanager takes all that we send, and knows what is the same.
func TestRealAlertmanager(t *testing.T) {
	server := startAlertmanager(t)
	o := open(t, os.Stderr, func(c *alertmanager.Config) { c.ExpiresAfter = alertmanager.Seconds(time.Hour) }, server)
	var batch []*alert.Alert
	for _, sample := range outputtest.Alerts() {
		batch = append(batch, sample.Alert)
	}
	for i := range 20 {
		batch = append(batch, decode(t, fmt.Sprintf(`{"rule":"again","priority":"error","time":"2026-08-17T09:47:21Z","hostname":"node-1","output":"number %d",
			"output_fields":{"evt.time":%d,"proc.pid":%d,"proc.name":"bash"}}`, i, 1787132841123456789+i, 100+i)))
	}
	for range 2 {
		if err := o.Send(deadline(t), batch); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := http.Get(server + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var held []posted
	if err := json.NewDecoder(answer.Body).Decode(&held); err != nil {
		t.Fatal(err)
	}
	if len(held) != len(outputtest.Alerts())+1 {
		t.Errorf("it holds %d alerts, want %d: 46 were sent, 40 of them the same thing", len(held), len(outputtest.Alerts())+1)
	}
	for _, h := range held {
		if h.Labels["rule"] == "again" && (h.Labels["severity"] != "warning" || h.Labels["proc_name"] != "bash" || h.Annotations["info"] != "number 19") {
			t.Errorf("got %+v", h)
		}
	}
	if err := o.(outputs.Checker).Check(deadline(t)); err != nil {
		t.Errorf("check: %v", err)
	}
}
