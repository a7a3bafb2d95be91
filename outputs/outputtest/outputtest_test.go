package outputtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs"
	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/problem"
	"github.com/tiercel/tiercel/pkg/secret"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// faultVariable names the fault of the output that TestFaulty runs the contract on; it is set in a process of its own.
const faultVariable = "OUTPUTTEST_FAULT"

// faults are what the contract must find: where, and a part of what it then says.
var faults = map[string]struct{ test, says string }{
	"none":              {".*", ""},
	"success for all":   {"status/500", "expected an error with reason server_error"},
	"no reason":         {"status/429", "reason unknown, want rate_limited"},
	"permanent":         {"status/503", "permanent is true, want false"},
	"retries":           {"status/500", "Send made 2 requests"},
	"shows the secret":  {"no_answer/refused", `the error shows the secret "/in/hush-token"`},
	"logs the secret":   {"alerts/rich", `the log shows the secret "/in/hush-token"`},
	"logs the error":    {"status/400", "the error is returned and logged"},
	"writes to alerts":  {"alerts/rich", "alert 0 of the batch was changed"},
	"sorts the batch":   {"alerts/as_one_batch", "alert 0 of the batch was changed"},
	"ignores the end":   {"cancel", "Send goes on although its context has ended"},
	"keeps connections": {"alerts/rich", "Close leaves connections open"},
	"keeps a goroutine": {"alerts/rich", "found unexpected goroutines"},
	"sends raw text":    {"alerts/hostile", "what came out holds the control character U+0000"},
	"on by default":     {"config", "the defaults switch the output on"},
	"unknown key":       {"config", `there is no key "misspelled"`},
	"shows its config":  {"config", "the printed config shows the secret"},
	"check is content":  {"check", "nothing listens, but Check is content"},
}

type faultyConfig struct {
	Address secret.String `config:"address"`
	Plain   string        `config:"plain"`
	fault   string
}

func (c *faultyConfig) Enabled() bool { return !c.Address.IsZero() || c.fault == "on by default" }

func (c *faultyConfig) Validate() error {
	if c.Address.IsZero() {
		key := "address"
		if c.fault == "unknown key" {
			key = "misspelled"
		}
		return problem.At(key, "expected an address")
	}
	return nil
}

type faulty struct {
	outputs.Env
	address, fault string
	client         *http.Client
}

func (f *faulty) Send(ctx context.Context, batch []*alert.Alert) error {
	switch f.fault {
	case "writes to alerts":
		batch[0].Hostname = "x"
	case "sorts the batch":
		batch[0], batch[len(batch)-1] = batch[len(batch)-1].Clone(), batch[0]
	case "logs the secret":
		f.Log.Info("sending", "to", f.address)
	case "keeps a goroutine":
		go func() { select {} }()
	case "ignores the end":
		ctx = context.WithoutCancel(ctx)
	}
	var body []byte
	for _, a := range batch {
		body = a.AppendJSON(body)
	}
	if f.fault == "sends raw text" {
		body = []byte(batch[0].Output)
	}
	post := func() error {
		_, err := httpx.Post(ctx, f.client, f.address, "application/json", nil, body, f.address)
		return err
	}
	err := post()
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	switch f.fault {
	case "success for all":
		return nil
	case "no reason":
		return errors.New("no")
	case "permanent":
		return verdict.Permanent(err)
	case "retries":
		return post()
	case "shows the secret":
		return fmt.Errorf("%s: %w", f.address, err)
	case "logs the error":
		f.Log.Error("failed", "error", err)
	}
	return err
}

func (f *faulty) Check(ctx context.Context) error {
	if f.fault == "check is content" {
		return nil
	}
	return httpx.Reach(ctx, f.client, f.address, f.address)
}

func (f *faulty) Close() error {
	if f.fault != "keeps connections" {
		f.client.CloseIdleConnections()
	}
	return nil
}

// TestFaulty runs the contract on a faulty output, when it is told which.
func TestFaulty(t *testing.T) {
	fault := os.Getenv(faultVariable)
	if fault == "" {
		t.Skip("run by TestTheContractFindsFaults, in a process of its own")
	}
	spec := outputs.Define(outputs.Spec{Name: "faulty", Title: "Faulty", Category: "web", About: "Fails.", Batch: outputs.Batch{Max: 10}},
		func() faultyConfig { return faultyConfig{fault: fault} },
		func(env outputs.Env, c faultyConfig) (outputs.Output, error) {
			client, err := env.HTTP.Client(httpx.DefaultSettings())
			return &faulty{env, c.Address.Reveal(), fault, client}, err
		})
	Run(t, spec, func(server string) outputs.Config {
		c := &faultyConfig{Address: secret.New(server + "/in/hush-token"), fault: fault}
		if fault == "shows its config" {
			c.Plain = "/in/hush-token"
		}
		return c
	}, func(c *contract) { c.patience = 2 * time.Second })
}

func TestTheContractFindsFaults(t *testing.T) {
	for fault, c := range faults {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("# Faulty\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			run := func(arguments ...string) (string, error) {
				command := exec.CommandContext(t.Context(), os.Args[0], append(arguments, "-test.run=^TestFaulty$/"+c.test)...)
				command.Dir, command.Env = dir, append(os.Environ(), faultVariable+"="+fault)
				output, err := command.CombinedOutput()
				return string(output), err
			}
			if output, err := run("-update"); fault == "none" && err != nil {
				t.Fatalf("the golden files: %v\n%s", err, output)
			}
			output, err := run()
			if (err == nil) != (c.says == "") || !strings.Contains(output, c.says) {
				t.Errorf("expected %q, got %v:\n%.4000s", c.says, err, output)
			}
		})
	}
}

func TestAlertsAreFreshAndDifferent(t *testing.T) {
	first, second := Alerts(), Alerts()
	for i := range first {
		if first[i].Alert == second[i].Alert {
			t.Errorf("%s is shared", first[i].Name)
		}
		if !bytes.Equal(first[i].Alert.AppendRecord(nil), second[i].Alert.AppendRecord(nil)) {
			t.Errorf("%s differs from call to call, so no golden file can hold it", first[i].Name)
		}
	}
	hostile := first[2].Alert
	for _, want := range []string{"\x00", "\x1b[31m", "\r\n", "\u009b", "\u202e", "한글", "😀", "\uFFFD"} {
		if !strings.Contains(hostile.Output, want) {
			t.Errorf("the hostile alert lacks %q", want)
		}
	}
	if n := len(hostile.Fields.Text("long")); n < 99_000 || hostile.Fields.Text("max") != "18446744073709551615" {
		t.Errorf("long has %d bytes, max is %s", n, hostile.Fields.Text("max"))
	}
}
