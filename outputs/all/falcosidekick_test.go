package all_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tiercel/tiercel/outputs/alertmanager"
	"github.com/tiercel/tiercel/outputs/all"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/config"
	"github.com/tiercel/tiercel/pkg/secret"
)

// needed is what must be set so that the others can be.
func needed() map[string]string {
	return map[string]string{
		"slack.webhookurl": "https://hooks.example.com/services/T0/B0/X",
		"loki.hostport":    "http://loki:3100",
		"loki.user":        "someone",
		"loki.apikey":      "a key",
		"webhook.address":  "https://example.com/alerts",

		"alertmanager.hostport":  "http://alertmanager:9093",
		"elasticsearch.hostport": "http://elasticsearch:9200",
		"elasticsearch.username": "someone",
		"syslog.host":            "collector",
	}
}

// Every key of falcosidekick for what exists here works under its name, in the file and in the environment.
func TestFalcosidekicksKeys(t *testing.T) {
	tests := []struct {
		key, given string
		want       any
	}{
		{"listenaddress", "127.0.0.1", "127.0.0.1"},
		{"listenport", "2901", 2901},
		{"debug", "true", true},
		{"customfields", "Akey:a,k8s.b:http://c:1", map[string]string{"Akey": "a", "k8s.b": "http://c:1"}},
		{"templatedfields", `who:{{ or (index . "user.name") "nobody" }}`, map[string]string{"who": `{{ or (index . "user.name") "nobody" }}`}},
		{"customtags", "one, two", []string{"one", "two"}},
		{"bracketreplacer", "_", "_"},
		{"outputfieldformat", "<timestamp>: <priority> <output>", "<timestamp>: <priority> <output>"},
		{"mutualtlsfilespath", "/certs", "/certs"},
		{"mutualtlsclient.certfile", "/a.crt", "/a.crt"},
		{"mutualtlsclient.keyfile", "/a.key", "/a.key"},
		{"mutualtlsclient.cacertfile", "/ca.crt", "/ca.crt"},
		{"tlsclient.cacertfile", "/ca.crt", "/ca.crt"},
		{"tlsserver.deploy", "true", true},
		{"tlsserver.certfile", "/s.crt", "/s.crt"},
		{"tlsserver.keyfile", "/s.key", "/s.key"},
		{"tlsserver.mutualtls", "true", true},
		{"tlsserver.cacertfile", "/ca.crt", "/ca.crt"},
		{"tlsserver.notlspaths", "/metrics,/healthz", []string{"/metrics", "/healthz"}},
		{"tlsserver.notlsport", "2811", 2811},
		{"prometheus.extralabels", "proc.name,fd.name", "proc.name,fd.name"},

		{"slack.webhookurl", "https://example.com/hook", "https://example.com/hook"},
		{"slack.channel", "#falco", "#falco"},
		{"slack.footer", "by me", "by me"},
		{"slack.icon", "https://example.com/i.png", "https://example.com/i.png"},
		{"slack.username", "Falcosidekick", "Falcosidekick"},
		{"slack.outputformat", "fields", "fields"},
		{"slack.messageformat", `Rule *{{ .Rule }}* by *{{ index .OutputFields "user.name" }}*`, `Rule *{{ .Rule }}* by *{{ index .OutputFields "user.name" }}*`},
		{"slack.minimumpriority", "warning", alert.Warning},
		{"slack.mutualtls", "true", true},
		{"slack.checkcert", "false", false},
		{"slack.maxconcurrentrequests", "3", 3},

		{"loki.hostport", "https://logs:443", "https://logs:443"},
		{"loki.endpoint", "/push", "/push"},
		{"loki.user", "1234", "1234"},
		{"loki.apikey", "k", "k"},
		{"loki.tenant", "falco", "falco"},
		{"loki.format", "json", "json"},
		{"loki.extralabels", "proc.name", "proc.name"},
		{"loki.customheaders", "X-A:b,X-C:d:e", map[string]string{"X-A": "b", "X-C": "d:e"}},
		{"loki.minimumpriority", "Emergency", alert.Emergency},
		{"loki.mutualtls", "true", true},
		{"loki.checkcert", "false", false},
		{"loki.maxconcurrentrequests", "2", 2},

		{"webhook.address", "http://other/", "http://other/"},
		{"webhook.method", "PUT", "PUT"},
		{"webhook.customheaders", "Authorization:Bearer x", map[string]string{"Authorization": "Bearer x"}},
		{"webhook.minimumpriority", "informational", alert.Informational},
		{"webhook.mutualtls", "true", true},
		{"webhook.checkcert", "false", false},
		{"webhook.maxconcurrentrequests", "1", 1},

		{"alertmanager.hostport", "http://a:9093, http://b:9093", []string{"http://a:9093", "http://b:9093"}},
		{"alertmanager.endpoint", "/api/v1/alerts", "/api/v1/alerts"},
		{"alertmanager.expiresafter", "3600", alertmanager.Seconds(time.Hour)},
		{"alertmanager.extralabels", "cluster:prod,team:sec:ops", map[string]string{"cluster": "prod", "team": "sec:ops"}},
		{"alertmanager.extraannotations", "runbook:https://wiki/x", map[string]string{"runbook": "https://wiki/x"}},
		{"alertmanager.customseveritymap", "warning:page", map[string]string{"warning": "page"}},
		{"alertmanager.dropeventdefaultpriority", "error", alert.Error},
		{"alertmanager.dropeventthresholds", "100:critical, 10:warning", []string{"100:critical", "10:warning"}},
		{"alertmanager.customheaders", "X-A:b:c", map[string]string{"X-A": "b:c"}},
		{"alertmanager.minimumpriority", "info", alert.Informational},
		{"alertmanager.mutualtls", "true", true},
		{"alertmanager.checkcert", "false", false},
		{"alertmanager.maxconcurrentrequests", "1", 1},

		{"elasticsearch.hostport", "https://es:9200", "https://es:9200"},
		{"elasticsearch.index", "security", "security"},
		{"elasticsearch.suffix", "monthly", "monthly"},
		{"elasticsearch.pipeline", "p", "p"},
		{"elasticsearch.username", "u", "u"},
		{"elasticsearch.password", "p", "p"},
		{"elasticsearch.apikey", "k", "k"},
		{"elasticsearch.flattenfields", "true", true},
		{"elasticsearch.createindextemplate", "true", true},
		{"elasticsearch.numberofshards", "1", 1},
		{"elasticsearch.numberofreplicas", "0", 0},
		{"elasticsearch.enablecompression", "true", true},
		{"elasticsearch.customheaders", `{"X-A": "b, c"}`, map[string]string{"X-A": "b, c"}},
		{"elasticsearch.minimumpriority", "warn", alert.Warning},
		{"elasticsearch.mutualtls", "true", true},
		{"elasticsearch.checkcert", "false", false},
		{"elasticsearch.maxconcurrentrequests", "1", 1},

		{"syslog.host", "10.0.0.1", "10.0.0.1"},
		{"syslog.port", "1514", "1514"},
		{"syslog.protocol", "udp", "udp"},
		{"syslog.format", "cef", "cef"},
		{"syslog.minimumpriority", "info", alert.Informational},
	}
	covered := make(map[string]bool)
	for _, tt := range tests {
		covered[tt.key] = true
	}
	for _, spec := range all.Specs() {
		for _, path := range config.Documented() {
			if strings.HasPrefix(path, spec.Name+".") && !covered[path] && !config.IsRetired(path) {
				t.Errorf("%s is documented by falcosidekick and not in this table", path)
			}
		}
	}
	for _, tt := range tests {
		t.Run(tt.key, func(t *testing.T) {
			below := needed()
			if tt.key == "tlsserver.deploy" {
				below["tlsserver.certfile"], below["tlsserver.keyfile"] = certificate(t)
			}
			inFile := maps.Clone(below)
			inFile[tt.key] = tt.given
			delete(below, tt.key)
			variable := strings.ToUpper(strings.ReplaceAll(tt.key, ".", "_")) + "=" + tt.given
			for how, c := range map[string]*config.Config{
				"file":        load(t, inFile),
				"environment": load(t, below, variable),
			} {
				if got := at(t, c, tt.key); !reflect.DeepEqual(got, tt.want) {
					t.Errorf("%s: got %#v, expected %#v", how, got, tt.want)
				}
			}
		})
	}
}

// certificate makes a certificate and its key, and gives their files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("server.crt", "CERTIFICATE", der), write("server.key", "PRIVATE KEY", encoded)
}

// load loads keys from a file, and variables.
func load(t *testing.T, keys map[string]string, environ ...string) *config.Config {
	t.Helper()
	tree := make(map[string]any)
	for key, value := range keys {
		section, parts := tree, strings.Split(key, ".")
		for _, part := range parts[:len(parts)-1] {
			if section[part] == nil {
				section[part] = make(map[string]any)
			}
			section, _ = section[part].(map[string]any)
		}
		section[parts[len(parts)-1]] = value
	}
	text, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c, warnings, err := config.Load(config.Options{File: path, Environ: environ, Specs: all.Specs()})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v\n%v\n%s", err, warnings, text)
	}
	return c
}

// at gives what the config holds under a key. Secrets come as their text.
func at(t *testing.T, c *config.Config, key string) any {
	t.Helper()
	places := []reflect.Value{reflect.ValueOf(*c)}
	name, rest, _ := strings.Cut(key, ".")
	if i := slices.IndexFunc(c.Outputs, func(o config.Output) bool { return o.Name == name }); i >= 0 {
		places, key = []reflect.Value{reflect.ValueOf(c.Outputs[i].Config).Elem(), reflect.ValueOf(c.Outputs[i].Lane)}, rest
	}
	for _, place := range places {
		found, ok := find(place, key)
		if !ok {
			continue
		}
		switch v := found.Interface().(type) {
		case secret.String:
			return v.Reveal()
		case map[string]secret.String:
			revealed := make(map[string]string)
			for name, s := range v {
				revealed[name] = s.Reveal()
			}
			return revealed
		}
		return found.Interface()
	}
	t.Fatalf("there is no field for %s", key)
	return nil
}

// find finds a field by the keys in the tags.
func find(v reflect.Value, key string) (reflect.Value, bool) {
	name, rest, below := strings.Cut(key, ".")
	for i := range v.NumField() {
		field := v.Type().Field(i)
		tag, option, _ := strings.Cut(field.Tag.Get("config"), ",")
		switch {
		case field.Anonymous || option == "inline":
			if found, ok := find(v.Field(i), key); ok {
				return found, true
			}
		case tag == name && below:
			return find(v.Field(i), rest)
		case tag == name:
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}
