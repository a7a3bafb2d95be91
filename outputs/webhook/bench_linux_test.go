package webhook_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tiercel/tiercel/outputs/outputtest"
	"github.com/tiercel/tiercel/outputs/webhook"
	"github.com/tiercel/tiercel/pkg/alert"
)

// sinkVariable makes TestSink serve, in a process of its own.
const sinkVariable = "WEBHOOK_SINK"

// TestSink is a receiver for benchmarks, until its standard input ends.
func TestSink(t *testing.T) {
	if os.Getenv(sinkVariable) == "" {
		t.Skip("run by benchmarks, in a process of its own")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "ok")
	}))
	defer server.Close()
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// sink starts the receiver, so that what it costs does not count.
func sink(b *testing.B) string {
	b.Helper()
	command := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestSink$")
	command.Env = append(os.Environ(), sinkVariable+"=1")
	stdin, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Wait()
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// processor gives the processor time that this process has used, its own and the kernel's for it.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkSend gives the cost of one alert: cpu-ns/op is processor time of the sender alone.
func BenchmarkSend(b *testing.B) {
	for name, change := range map[string]func(*webhook.Config){
		"plain": nil, "gzip": func(c *webhook.Config) { c.Gzip = true },
	} {
		b.Run(name, func(b *testing.B) {
			output := open(b, sink(b), change)
			batch := make([]*alert.Alert, 64)
			for i := range batch {
				batch[i] = outputtest.Alerts()[1].Alert
				batch[i].Hostname = fmt.Sprint("node-", i%16)
			}
			ctx := deadline(b)
			b.ReportAllocs()
			before, n := processor(b), 0
			for b.Loop() {
				if n++; n%len(batch) == 0 { // an operation is one alert
					if err := output.Send(ctx, batch); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(processor(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkBareClient is what net/http alone costs for the same requests.
func BenchmarkBareClient(b *testing.B) {
	address, client := sink(b), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	b.Cleanup(client.CloseIdleConnections)
	body := append(outputtest.Alerts()[1].Alert.AppendJSON(nil), '\n')
	var wg sync.WaitGroup
	work := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for range work {
				answer, err := client.Post(address, "application/json; charset=utf-8", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					continue
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		})
	}
	b.ReportAllocs()
	before := processor(b)
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	b.ReportMetric(float64(processor(b)-before)/float64(b.N), "cpu-ns/op")
}
