package loki_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tiercel/tiercel/outputs/loki"
	"github.com/tiercel/tiercel/pkg/secret"
)

// recorded reads a request that falcosidekick was seen to send.
func recorded(t *testing.T, name string) (http.Header, []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "wire", name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the recorded requests are not on this machine: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := bytes.Cut(text, []byte("\n\n"))
	r, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\nHost: loki\n\n"))))
	if err != nil {
		t.Fatal(err)
	}
	return r.Header, body
}

const recordedUUID = "5b2f0f0e-3c63-4f7e-9d2a-0d6a3f3b7a10"

// The alert that the recordings are of.
const recordedAlert = `{"uuid":"` + recordedUUID + `","output":"09:47:21.123456789: Warning Shell & <redirect> in container (user=root cmd=bash -c \"id\" container=web)",
"priority":"Warning","rule":"Terminal shell in container","time":"2026-08-17T09:47:21.123456789Z","output_fields":{"container.id":"3ad7b26ded6d",
"container.name":"web",EXTRA"evt.time":1787132841123456789,"fd.name":null,"k8s.ns.name":"shop","k8s.pod.name":"web-7d4b9-abcde",
"proc.aname[2]":"containerd-shim","proc.cmdline":"bash -c \"id\" and a text longer than thirty-six characters","proc.name":"bash",
"proc.tty":34816,"thread.cap_permitted":true,"user.name":"root","user.uid":0},"source":"syscall",
"tags":["T1059","container","mitre_execution","shell"],"hostname":"node-03"}`

// With falcosidekick's settings and labels, what Loki gets is what falcosidekick sends.
func TestSameAsFalcosidekick(t *testing.T) {
	for _, c := range []struct {
		file, fields string
		set          func(*loki.Config)
	}{
		{"loki-text.http", "", func(*loki.Config) {}},
		{"loki-json.http", "", func(c *loki.Config) { c.Format = loki.FormatJSON }},
		{"loki-options.http", `"dc.name":"par","env":"prod",`, func(c *loki.Config) {
			// dc.name and env came by customfields: those are named in extralabels.
			c.ExtraLabels = "container.name,proc.name,proc.aname[2],proc.tty,dc.name,env"
			c.User, c.APIKey, c.Tenant = "u", secret.New("k"), "team-a"
			c.CustomHeaders = map[string]secret.String{"X-One": secret.New("1"), "X-Two": secret.New("2")}
		}},
	} {
		t.Run(c.file, func(t *testing.T) {
			header, body := recorded(t, c.file)
			body = bytes.ReplaceAll(body, []byte("UUID"), []byte(recordedUUID))
			batch := parse(t, strings.Replace(recordedAlert, "EXTRA", c.fields, 1))

			f := newFake(t, nil)
			set := func(config *loki.Config) {
				c.set(config)
				config.Labels, config.Protocol = loki.LabelsFalcosidekick, loki.ProtocolJSON
			}
			if err := newOutput(t, f, set).Send(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			got := f.only(t)
			if !reflect.DeepEqual(members(t, got.Body), members(t, body)) {
				t.Errorf("got %s\nwant %s", got.Body, body)
			}
			header.Set("User-Agent", "Tiercel/1.2.3")
			got.Header.Del("Content-Length")
			if !reflect.DeepEqual(got.Header, header) {
				t.Errorf("headers %v\nwant %v", got.Header, header)
			}

			want, err := decode("application/json", body)
			if err != nil {
				t.Fatal(err)
			}
			f = newFake(t, nil)
			set = func(config *loki.Config) { c.set(config); config.Labels = loki.LabelsFalcosidekick }
			if err := newOutput(t, f, set).Send(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if streams := f.only(t).Streams; !reflect.DeepEqual(streams, want) {
				t.Errorf("as protobuf: %s\nwant %s", render(streams), render(want))
			}
		})
	}
}

func members(t *testing.T, body []byte) any {
	t.Helper()
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}
