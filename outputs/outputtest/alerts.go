package outputtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Sample is one of the three alerts that every output must take.
type Sample struct {
	Name  string // of its golden file
	Alert *alert.Alert
}

// Alerts makes the samples: the least that is an alert, a usual one, and a hostile one.
//
// The hostile one has NUL, ESC, line breaks, C1 and bidirectional controls wherever text can stand, bytes that are no
// UTF-8, Hangul and emoji, 100 KB of text, numbers at the edge, nested values, and names that mean something elsewhere.
func Alerts() []Sample {
	received := time.Date(2026, 8, 17, 9, 47, 22, 0, time.UTC)
	var samples []Sample
	for _, s := range []struct{ name, text string }{{"minimal", minimal}, {"rich", rich}, {"hostile", hostile()}} {
		a, err := alert.DecodeOne([]byte(s.text), received)
		if err != nil {
			panic(fmt.Sprintf("outputtest: the %s alert: %v", s.name, err)) // a constant text
		}
		samples = append(samples, Sample{s.name, a})
	}
	return samples
}

const minimal = `{"uuid":"00000000-0000-4000-8000-000000000001","rule":"R","priority":"Debug","time":"2026-01-31T12:00:00Z"}`

const rich = `{
	"uuid": "00000000-0000-4000-8000-000000000002",
	"output": "09:47:21.123456789: Warning Shell & <redirect> in container (user=root cmd=bash -c \"id\" container=web)",
	"priority": "Warning",
	"rule": "Terminal shell in container",
	"time": "2026-08-17T09:47:21.123456789Z",
	"output_fields": {
		"container.id": "3ad7b26ded6d",
		"container.name": "web",
		"evt.time": 1787132841123456789,
		"fd.name": null,
		"k8s.ns.name": "shop",
		"k8s.pod.name": "web-7d4b9-abcde",
		"proc.aname[2]": "containerd-shim",
		"proc.cmdline": "bash -c \"id\" and a text longer than thirty-six characters",
		"proc.name": "bash",
		"proc.tty": 34816,
		"thread.cap_permitted": true,
		"user.name": "root",
		"user.uid": 0
	},
	"source": "syscall",
	"tags": ["T1059", "container", "mitre_execution", "shell"],
	"hostname": "node-03"
}`

// longUnit is what the long text repeats; golden files show how often, see [shorten].
const longUnit = "a long text 긴 글 😀 "

func hostile() string {
	const bad = `\u0000 \u001b[31mred\u001b[0m\r\nX-Injected: yes\r\n\u0007\b\u007f\u009b2J\u202eevil\u2066\u2028` + "한글 😀 \xff\xfe" +
		`{{.}} %s %n ${jndi:ldap://x} $(id) ` + "`id`" + ` ';-- \" \\ </script> <!channel> <@U0> *b* _i_ ~s~ [l](http://x) | # - = & \ud800 end`
	return `{
	"uuid": "00000000-0000-4000-8000-000000000003",
	"output": "` + bad + `",
	"priority": "Emergency",
	"rule": "` + bad + `",
	"time": "9999-12-31T23:59:59.999999999+09:00",
	"output_fields": {
		"": "no name",
		"` + bad + `": "` + bad + `",
		"array": [1, [2, {"three": [null, true, "\u0000"]}]],
		"boolean": false,
		"container.name": "` + bad + `",
		"k8s.ns.name": 18446744073709551615,
		"k8s.pod.name": {"nested": {"more": 1}},
		"long": "` + strings.Repeat(longUnit, 100_000/len(longUnit)) + `",
		"max": 18446744073709551615,
		"min": -9223372036854775808,
		"null": null,
		"number": 1e-400,
		"object": {"` + bad + `": {}},
		"same": 1,
		"SAME": 2,
		"__proto__": "x",
		"키": "값"
	},
	"source": "` + bad + `",
	"tags": ["", "` + bad + `", "태그"],
	"hostname": "` + bad + `",
	"unknown": {"member": "` + bad + `"}
}`
}
