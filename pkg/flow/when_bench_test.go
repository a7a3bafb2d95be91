package flow

import (
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

// What one more output costs for an alert that its expression does not let through.
func BenchmarkFilteredOut(b *testing.B) {
	a, err := alert.DecodeOne([]byte(`{"output":"09:47:21.123456789: Warning Shell in a container","priority":"Warning","rule":"Terminal shell in container",
		"time":"2026-08-17T09:47:21.123456789Z","source":"syscall","tags":["T1059","container","mitre_execution","shell"],"hostname":"node-03","output_fields":{
		"container.id":"3ad7b26ded6d","container.name":"web","evt.time":1787132841123456789,"fd.name":null,"k8s.ns.name":"shop","k8s.pod.name":"web-7d4b9-abcde",
		"proc.aname[2]":"containerd-shim","proc.cmdline":"bash -c id","proc.name":"bash","proc.tty":34816,"thread.cap_permitted":true,"user.name":"root","user.uid":0}}`), time.Now())
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{
		"rule": `rule == "Other"`, "field": `fields["k8s.ns.name"] == "dev"`, "fields": `fields["k8s.ns.name"] in ["dev", "test"] or fields["proc.name"] == "sh"`,
		"any field": `any(values(fields), # == "nothing")`,
	} {
		b.Run(name, func(b *testing.B) {
			w, err := compileWhen(text)
			if err != nil {
				b.Skip(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if yes, err := w.wants(a); yes || err != nil {
					b.Fatal(yes, err)
				}
			}
		})
	}
}
