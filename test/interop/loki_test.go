//go:build loki

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/outputs/loki"
	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// TestRealLoki starts a Loki, built from its module in lokiserver, pushes to it and asks it what it has.
func TestRealLoki(t *testing.T) {
	l := start(t)
	t.Run("both forms", l.testBothForms)
	t.Run("falcosidekick", l.testFalcosidekick)
	t.Run("tenants", l.testTenants)
	t.Run("hostile", l.testHostile)
	t.Run("refusals", l.testRefusals)
	t.Run("too far behind", l.testTooFarBehind)
	t.Run("twice", l.testTwice)
	t.Run("check", l.testCheck)
	t.Run("set up otherwise", l.testSetUpOtherwise)
}

// instance is a Loki that runs.
type instance struct{ address string }

// binary finds Loki, or builds it: some minutes, once. TIERCEL_LOKI names another.
func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("TIERCEL_LOKI"); path != "" {
		return path
	}
	list := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/grafana/loki/v3")
	list.Dir = "lokiserver"
	version, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "tiercel", "tools", "loki-"+strings.TrimSpace(string(version)), "loki")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	t.Logf("building %s", path)
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", path, "github.com/grafana/loki/v3/cmd/loki")
	build.Dir = "lokiserver"
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	return path
}

const config = `
auth_enabled: true
analytics: {reporting_enabled: false}
server: {http_listen_address: 127.0.0.1, http_listen_port: %d, grpc_listen_address: 127.0.0.1, grpc_listen_port: %d, log_level: warn}
common:
  instance_addr: 127.0.0.1
  path_prefix: %[3]s
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
  storage: {filesystem: {chunks_directory: %[3]s/chunks, rules_directory: %[3]s/rules}}
storage_config: {use_thanos_objstore: false}
runtime_config: {file: %[3]s/overrides.yaml}
schema_config:
  configs:
    - {from: "2020-10-24", store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}
`

// Tenants for which Loki is set up otherwise.
const overrides = `
overrides:
  blocked: {block_ingestion_until: 2099-01-01T00:00:00Z}
  plain: {allow_structured_metadata: false}
`

func start(t *testing.T) *instance {
	t.Helper()
	path, dir := binary(t), t.TempDir()
	http, grpc := port(t), port(t)
	file := filepath.Join(dir, "loki.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, http, grpc, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overrides.yaml"), []byte(overrides), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	server := exec.CommandContext(ctx, path, "-config.file="+file, "-target=all")
	server.Stdout, server.Stderr = &log, &log
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGTERM) }
	server.WaitDelay = 20 * time.Second
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("Loki says:\n%s", log.String())
		}
	})
	l := &instance{fmt.Sprintf("http://127.0.0.1:%d", http)}
	l.eventually(t, "Loki is ready", func() error {
		_, err := l.get("/ready", "")
		return err
	})
	return l
}

func port(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// eventually asks until the answer is no error.
func (l *instance) eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = ask(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

func (l *instance) get(path, tenant string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, l.address+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Scope-OrgID", tenant)
	request.Header.Set("X-Loki-Response-Encoding-Flags", "categorize-labels") // metadata apart from labels
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, body)
	}
	return body, err
}

// found is one line that Loki has.
type found struct {
	labels   map[string]string
	time     int64
	text     string
	metadata map[string]string
}

// query asks for lines, oldest first, until there are as many as wanted.
func (l *instance) query(t *testing.T, tenant, logql string, want int) []found {
	t.Helper()
	var lines []found
	ask := url.Values{
		"query": {logql}, "limit": {"5000"}, "direction": {"forward"},
		"start": {strconv.FormatInt(time.Now().Add(-6*24*time.Hour).UnixNano(), 10)},
		"end":   {strconv.FormatInt(time.Now().Add(time.Hour).UnixNano(), 10)},
	}
	l.eventually(t, logql, func() error {
		body, err := l.get("/loki/api/v1/query_range?"+ask.Encode(), tenant)
		if err != nil {
			return err
		}
		var answer struct {
			Data struct {
				Result []struct {
					Stream map[string]string    `json:"stream"`
					Values [][3]json.RawMessage `json:"values"`
				} `json:"result"`
			} `json:"data"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return fmt.Errorf("%w: %s", err, body)
		}
		lines = lines[:0]
		for _, stream := range answer.Data.Result {
			delete(stream.Stream, "service_name") // Loki's own
			for _, value := range stream.Values {
				var at, text string
				var more struct {
					Metadata map[string]string `json:"structuredMetadata"`
				}
				for i, into := range []any{&at, &text, &more} {
					if err := json.Unmarshal(value[i], into); err != nil {
						return fmt.Errorf("%w: %s", err, value[i])
					}
				}
				delete(more.Metadata, "detected_level") // Loki's own
				number, err := strconv.ParseInt(at, 10, 64)
				if err != nil {
					return err
				}
				lines = append(lines, found{stream.Stream, number, text, more.Metadata})
			}
		}
		if len(lines) != want {
			return fmt.Errorf("%d lines, want %d", len(lines), want)
		}
		return nil
	})
	slices.SortFunc(lines, func(a, b found) int { return int(a.time - b.time) })
	return lines
}

// recent moves the alerts to now, a second apart: Loki takes nothing that is older than a week.
func recent(list []*alert.Alert) []*alert.Alert {
	now := time.Now().Add(-time.Minute)
	moved := make([]*alert.Alert, len(list))
	for i, a := range list {
		moved[i] = a.Clone()
		moved[i].Time = now.Add(time.Duration(i)*time.Second + 123456789).UTC()
	}
	return moved
}

func (l *instance) testBothForms(t *testing.T) {
	list := recent(alerts(t))
	for _, protocol := range []string{loki.ProtocolProtobuf, loki.ProtocolJSON} {
		o := open(t, l.address, func(c *loki.Config) { c.Tenant, c.Protocol = "form-"+protocol, protocol })
		if err := o.Send(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		lines := l.query(t, "form-"+protocol, `{rule=~".+"}`, len(list))
		for i, a := range list {
			line := lines[i]
			labels := map[string]string{"rule": alert.Printable(a.Rule), "source": a.Source, "priority": a.Priority.String()}
			if a.Hostname != "" {
				labels["hostname"] = a.Hostname
			}
			metadata := map[string]string{"uuid": a.ID.String()}
			if len(a.Tags) > 0 {
				metadata["tags"] = strings.Join(a.Tags, ",")
			}
			for name, value := range a.Fields.All() {
				metadata[strings.ReplaceAll(name, ".", "_")] = value.Text()
			}
			if line.text != a.Output || line.time != a.Time.UnixNano() || !maps.Equal(line.labels, labels) || !maps.Equal(line.metadata, metadata) {
				t.Errorf("%s: Loki has %+v\nwant %q at %d, %v, %v", protocol, line, a.Output, a.Time.UnixNano(), labels, metadata)
			}
		}
		// Metadata can be asked for.
		for logql, want := range map[string]int{
			`{rule=~".+"} | user_uid="18446744073709551615"`:              1,
			`{rule=~".+"} | proc_cmdline=~".*안녕.*"`:                       1,
			`{priority="Critical"} |= "👩‍👩‍👧"`:                            1,
			`{rule=~".+"} | tags=~"(.*,)?container(,.*)?"`:                1,
			`{rule=~".+"} | k8s_ns_name="pay"`:                            0,
			`{rule="quo\"te \\ 규칙\t🦅", hostname="노드-1"} | proc_name="vi"`: 1,
		} {
			l.query(t, "form-"+protocol, logql, want)
		}
	}
}

func (l *instance) testFalcosidekick(t *testing.T) {
	list := recent(alerts(t))
	o := open(t, l.address, func(c *loki.Config) {
		c.Tenant, c.Labels, c.Protocol, c.ExtraLabels = "falcosidekick", loki.LabelsFalcosidekick, loki.ProtocolJSON, "container.id"
	})
	if err := o.Send(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	line := l.query(t, "falcosidekick", `{k8s_ns_name="shop", container_id="3ad7b26ded6d", tags="T1059,container"}`, 1)[0]
	if len(line.metadata) != 0 || line.text != list[0].Output {
		t.Errorf("got %+v", line)
	}
}

func (l *instance) testTenants(t *testing.T) {
	o := open(t, l.address, func(c *loki.Config) { c.Tenant = `{{ or (index .OutputFields "k8s.ns.name") "infra" }}` })
	if err := o.Send(t.Context(), recent(alerts(t))); err != nil {
		t.Fatal(err)
	}
	l.query(t, "shop", `{rule=~".+"}`, 1)
	l.query(t, "infra", `{rule=~".+"}`, 3)
	l.query(t, "somebody-else", `{rule=~".+"}`, 0)
}

// testHostile pushes what is as bad as can be: Loki takes all of it.
func (l *instance) testHostile(t *testing.T) {
	var list []*alert.Alert
	for _, sample := range outputtest.Alerts() {
		list = append(list, sample.Alert)
	}
	var many strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&many, `"field.%d":"%s",`, i, strings.Repeat("안", i%20))
	}
	extreme, err := alert.Decode([]byte(`{"rule":"Many","priority":"Debug","time":"2026-08-17T09:00:00Z","output_fields":{`+many.String()+`"!!!":"1","__x__":"2","키":"3","9":"4"}}
		{"rule":"`+strings.Repeat("긴", 5000)+`","priority":"Debug","time":"2026-08-17T09:00:00Z","source":"�","hostname":"`+strings.Repeat("h", 5000)+`"}`),
		time.Now(), alert.DefaultMaxDepth)
	if err != nil {
		t.Fatal(err)
	}
	list = recent(append(list, extreme...))
	for name, set := range map[string]func(*loki.Config){
		"default": func(*loki.Config) {},
		"json":    func(c *loki.Config) { c.Protocol, c.Format = loki.ProtocolJSON, loki.FormatJSON },
		"falcosidekick": func(c *loki.Config) {
			c.Labels, c.ExtraLabels = loki.LabelsFalcosidekick, "container.name,키,array,long"
		},
		"extra": func(c *loki.Config) { c.ExtraLabels = "container.name,키,array,long" },
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, l.address, func(c *loki.Config) { set(c); c.Tenant = "hostile-" + name })
			if err := o.Send(t.Context(), list); err != nil {
				t.Fatal(err)
			}
			for _, line := range l.query(t, "hostile-"+name, `{rule=~".+"}`, len(list)) {
				for _, text := range append(slices.Collect(maps.Values(line.labels)), append(slices.Collect(maps.Values(line.metadata)), line.text)...) {
					if alert.Printable(text) != text {
						t.Errorf("Loki has %q", text)
					}
				}
			}
			// The names that we give are those that Loki keeps: none was lost by becoming another.
			if name == "default" {
				line := l.query(t, "hostile-"+name, `{rule="Many"}`, 1)[0]
				if len(line.metadata) != 100 || line.metadata["_tiercel_truncated"] == "" {
					t.Errorf("%d pieces of metadata: %v", len(line.metadata), line.metadata)
				}
			}
		})
	}
}

// testRefusals mixes alerts that Loki refuses with others: only those are buried, all others are there.
func (l *instance) testRefusals(t *testing.T) {
	list := recent(slices.Repeat(alerts(t), 5))
	for i, a := range list {
		a.Output = fmt.Sprintf("line %d", i)
	}
	list[3].Time = time.Now().Add(-30 * 24 * time.Hour)
	list[8].Time = time.Now().Add(30 * 24 * time.Hour)
	list[9].Output = strings.Repeat("x", 300<<10)
	list[13].Time = list[3].Time
	wrong := []int{3, 8, 9, 13}
	for _, protocol := range []string{loki.ProtocolProtobuf, loki.ProtocolJSON} {
		tenant := "refusals-" + protocol
		err := open(t, l.address, func(c *loki.Config) { c.Tenant, c.Protocol = tenant, protocol }).Send(t.Context(), list)
		var failed verdict.Partial
		if !errors.As(err, &failed) {
			t.Fatalf("got %v", err)
		}
		if got := slices.Sorted(maps.Keys(failed)); !reflect.DeepEqual(got, wrong) {
			t.Errorf("failed: %v, want %v: %v", got, wrong, err)
		}
		for i, err := range failed {
			if !verdict.IsPermanent(err) || verdict.ReasonOf(err) != verdict.Rejected {
				t.Errorf("%d: %v", i, err)
			}
		}
		l.query(t, tenant, `{rule=~".+"}`, len(list)-len(wrong))
	}
}

// testTooFarBehind sends alerts that are hours older than the newest of their stream, which the ingester refuses in
// words of its own.
func (l *instance) testTooFarBehind(t *testing.T) {
	first := alerts(t)[0]
	o := open(t, l.address, func(c *loki.Config) { c.Tenant = "behind" })
	if err := o.Send(t.Context(), recent([]*alert.Alert{first})); err != nil {
		t.Fatal(err)
	}
	list := recent(slices.Repeat([]*alert.Alert{first}, 40))
	for i, a := range list {
		a.Output = fmt.Sprintf("line %d", i)
		if i%2 == 0 {
			a.Time = a.Time.Add(-5 * time.Hour)
		}
	}
	var failed verdict.Partial
	if err := o.Send(t.Context(), list); !errors.As(err, &failed) || len(failed) != 20 {
		t.Fatalf("%d failed: %v", len(failed), err)
	}
	for i, err := range failed {
		if i%2 != 0 || !verdict.IsPermanent(err) || !strings.Contains(err.Error(), "too far behind") {
			t.Errorf("%d: %v", i, err)
		}
	}
	l.query(t, "behind", `{rule=~".+"}`, 21)
}

// testTwice sends a batch again, as after a crash: Loki keeps each line once.
func (l *instance) testTwice(t *testing.T) {
	list := recent(alerts(t))
	o := open(t, l.address, func(c *loki.Config) { c.Tenant = "twice" })
	for range 3 {
		if err := o.Send(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	l.query(t, "twice", `{rule=~".+"}`, len(list))
}

func (l *instance) testCheck(t *testing.T) {
	check := func(set func(*loki.Config)) error {
		return open(t, l.address, set).(outputs.Checker).Check(t.Context())
	}
	for _, protocol := range []string{loki.ProtocolProtobuf, loki.ProtocolJSON} {
		if err := check(func(c *loki.Config) { c.Tenant, c.Protocol = "check", protocol }); err != nil {
			t.Errorf("%s: %v", protocol, err)
		}
	}
	if err := check(nil); verdict.ReasonOf(err) != verdict.Auth {
		t.Errorf("without a tenant: %v", err)
	}
	if err := check(func(c *loki.Config) { c.Tenant, c.Endpoint = "check", "/nowhere" }); verdict.ReasonOf(err) != verdict.NotFound {
		t.Errorf("wrong path: %v", err)
	}
	l.query(t, "check", `{rule=~".+"}`, 0)
}

// testSetUpOtherwise sends to tenants that take nothing, or no structured metadata: the alerts wait.
func (l *instance) testSetUpOtherwise(t *testing.T) {
	list := recent(alerts(t))
	for _, tenant := range []string{"blocked", "plain"} {
		err := open(t, l.address, func(c *loki.Config) { c.Tenant = tenant }).Send(t.Context(), list)
		if err == nil || verdict.IsPermanent(err) {
			t.Errorf("%s: got %v", tenant, err)
		}
		l.query(t, tenant, `{rule=~".+"}`, 0)
	}
	if err := open(t, l.address, func(c *loki.Config) { c.Tenant, c.StructuredMetadata = "plain", false }).Send(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	l.query(t, "plain", `{rule=~".+"}`, len(list))
}
