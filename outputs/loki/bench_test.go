package loki

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

// typical makes n alerts as a fleet sends them: 8 nodes, 5 rules, 60 pods, about 15 fields.
func typical(tb testing.TB, n int) []*alert.Alert {
	tb.Helper()
	var body strings.Builder
	for i := range n {
		fmt.Fprintf(&body, `{"uuid":"5b2f0f0e-3c63-4f7e-9d2a-%012d","output":"09:47:21.123456789: Warning Shell in container (user=root cmd=bash -c \"id\" container=web pod=web-%d)",`+
			`"priority":"Warning","rule":"Terminal shell in container %d","time":"2026-08-17T09:47:21.%09dZ","output_fields":{"container.id":"3ad7b26ded6d","container.name":"web",`+
			`"evt.time":1787132841123456789,"fd.name":null,"k8s.ns.name":"shop","k8s.pod.name":"web-7d4b9-%d","proc.aname[2]":"containerd-shim","proc.cmdline":"bash -c \"id\" and a text longer than thirty-six characters",`+
			`"proc.exepath":"/usr/bin/bash","proc.name":"bash","proc.pname":"containerd-shim","proc.tty":34816,"thread.cap_permitted":true,"user.loginuid":-1,"user.name":"root","user.uid":0},`+
			`"source":"syscall","tags":["T1059","container","mitre_execution","shell"],"hostname":"node-%02d"}`, i, i%60, i%5, i, i%60, i%8)
	}
	alerts, err := alert.Decode([]byte(body.String()), time.Now(), alert.DefaultMaxDepth)
	if err != nil {
		tb.Fatal(err)
	}
	return alerts
}

func BenchmarkEncode(b *testing.B) {
	const n = 500
	for name, set := range map[string]func(*Config){
		"default":            func(*Config) {},
		"format-json":        func(c *Config) { c.Format = FormatJSON },
		"falcosidekick":      func(c *Config) { c.Labels = LabelsFalcosidekick },
		"protocol-json":      func(c *Config) { c.Protocol = ProtocolJSON },
		"without-metadata":   func(c *Config) { c.StructuredMetadata = false },
		"falcosidekick-wire": func(c *Config) { c.Labels, c.Protocol = LabelsFalcosidekick, ProtocolJSON },
	} {
		b.Run(name, func(b *testing.B) {
			c := Defaults()
			set(&c)
			e := newEncoder(newLayout(&c))
			batch := typical(b, n)
			which := make([]int, n)
			for i := range which {
				which[i] = i
			}
			size := len(e.encode(batch, which))
			b.ReportAllocs()
			for b.Loop() {
				e.encode(batch, which)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/alert")
			b.ReportMetric(float64(size)/n, "B/alert")
		})
	}
}
