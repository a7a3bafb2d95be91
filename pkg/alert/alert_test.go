package alert_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
)

var received = time.Date(2026, 8, 17, 9, 47, 22, 0, time.UTC)

// falcoAlert is what Falco sends for a shell in a container, with 20 output_fields.
const falcoAlert = `{"hostname":"node-03","output":"09:47:21.123456789: Warning Shell & <redirect> in container (user=root cmd=bash -c \"id\" container=web)","output_fields":{"container.id":"3ad7b26ded6d","container.image.repository":"docker.io/library/nginx","container.image.tag":"1.27","container.name":"web","evt.time":1787132841123456789,"evt.type":"execve","fd.name":null,"k8s.ns.name":"shop","k8s.pod.name":"web-7d4b9-abcde","proc.aname[2]":"containerd-shim","proc.cmdline":"bash -c \"id\" and a text longer than thirty-six characters","proc.exepath":"/usr/bin/bash","proc.name":"bash","proc.pid":18446744073709551615,"proc.pname":"containerd-shim","proc.tty":34816,"thread.cap_permitted":true,"user.loginuid":-1,"user.name":"root","user.uid":0},"priority":"Warning","rule":"Terminal shell in container","source":"syscall","tags":["T1059","container","mitre_execution","shell"],"time":"2026-08-17T09:47:21.123456789Z","message":"Shell"}`

func decodeOne(t testing.TB, body string) *alert.Alert {
	t.Helper()
	a, err := alert.DecodeOne([]byte(body), received)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDecodeKeepsEveryMember(t *testing.T) {
	a := decodeOne(t, falcoAlert)
	if a.Rule != "Terminal shell in container" || a.Priority != alert.Warning || a.Source != "syscall" || a.Hostname != "node-03" {
		t.Errorf("envelope: %+v", a)
	}
	if want := time.Date(2026, 8, 17, 9, 47, 21, 123456789, time.UTC); !a.Time.Equal(want) {
		t.Errorf("time %v", a.Time)
	}
	for name, want := range map[string]string{
		"proc.pid": "18446744073709551615", "evt.time": "1787132841123456789", "user.loginuid": "-1",
		"fd.name": "", "thread.cap_permitted": "true", "proc.aname[2]": "containerd-shim",
		"proc.cmdline": `bash -c "id" and a text longer than thirty-six characters`, "absent": "",
	} {
		if got := a.Fields.Text(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if v, ok := a.Fields.Get("fd.name"); !ok || v != "null" {
		t.Errorf("a null is kept: %q %v", v, ok)
	}
	if a.Extra.Text("message") != "Shell" {
		t.Errorf("unknown members: %s", a.Extra.JSON())
	}
	if a.Raw() != falcoAlert {
		t.Errorf("raw differs")
	}
}

func TestAppendJSONIsWhatFalcosidekickSends(t *testing.T) {
	a := decodeOne(t, falcoAlert)
	got := string(a.AppendJSON(nil))
	for _, want := range []string{
		`"output":"09:47:21.123456789: Warning Shell \u0026 \u003credirect\u003e in container (user=root cmd=bash -c \"id\" container=web)"`,
		`"priority":"Warning"`, `"evt.time":1787132841123456789`, `"fd.name":null`, `"proc.pid":18446744073709551615`, `"message":"Shell"`,
		`"tags":["T1059","container","mitre_execution","shell"],"hostname":"node-03"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
	if !json.Valid([]byte(got)) || strings.ContainsAny(got, "\n<>&") {
		t.Errorf("not one line of valid, escaped JSON: %s", got)
	}
}

func TestDecodeTakesSeveralValues(t *testing.T) {
	one := `{"rule":"a","priority":"info","time":"2026-01-01T00:00:00Z"}`
	two := `{"Rule":"b","PRIORITY":"ERROR","time":"2026-01-01T09:00:00+09:00","output_fields":{ "x" : [ 1, {"y":2} ], "x2":"한글 😀" }}`
	for name, body := range map[string]string{
		"lines": one + "\n" + two + "\n", "next to each other": one + two, "array": "[" + one + "," + two + "]",
		"array then line": "[" + one + "]\n" + two,
	} {
		alerts, err := alert.Decode([]byte(body), received, alert.DefaultMaxDepth)
		if err != nil || len(alerts) != 2 {
			t.Errorf("%s: %d alerts, %v", name, len(alerts), err)
			continue
		}
		if alerts[1].Rule != "b" || alerts[1].Priority != alert.Error || alerts[1].Source != "syscalls" {
			t.Errorf("%s: second is %+v", name, alerts[1])
		}
		if got := alerts[1].Fields.JSON(); got != `{"x":[1,{"y":2}],"x2":"한글 😀"}` {
			t.Errorf("%s: fields %s", name, got)
		}
		if alerts[0].Raw() != one || alerts[1].Raw() != two {
			t.Errorf("%s: raw is not what came: %q", name, alerts[1].Raw())
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	ok := `{"rule":"a","priority":"info","time":"2026-01-01T00:00:00Z"}`
	for _, test := range []struct {
		name, body, member string
		index              int
		reason             alert.Reason
	}{
		{"nothing", "", "", 0, alert.Empty},
		{"blanks", " \n", "", 0, alert.Empty},
		{"empty array", "[]", "", 0, alert.Empty},
		{"text", "12:00:00: Warning a shell", "", 0, alert.NotAnAlert},
		{"cut", ok[:20], "", 0, alert.NotJSON},
		{"garbage after", ok + "x", "", 1, alert.NotJSON},
		{"number", "1", "", 0, alert.NotAnAlert},
		{"second is a string", ok + `"x"`, "", 1, alert.NotAnAlert},
		{"array in array", "[[" + ok + "]]", "", 0, alert.NotAnAlert},
		{"array in array, to be mended", "[[" + ok + ",\"\xff\"]]", "", 0, alert.NotAnAlert},
		{"empty object", "{}", "rule", 0, alert.MissingMember},
		{"no time", `{"rule":"a","priority":"info"}`, "time", 0, alert.MissingMember},
		{"null priority", `{"rule":"a","priority":null,"time":"2026-01-01T00:00:00Z"}`, "priority", 0, alert.MissingMember},
		{"rule number", `{"rule":1}`, "rule", 0, alert.WrongType},
		{"rule empty", `{"rule":""}`, "rule", 0, alert.BadValue},
		{"priority word", `{"priority":"loud"}`, "priority", 0, alert.BadValue},
		{"priority blank", `{"priority":"info "}`, "priority", 0, alert.BadValue},
		{"priority number", `{"priority":3}`, "priority", 0, alert.WrongType},
		{"time", `{"time":"yesterday"}`, "time", 0, alert.BadValue},
		{"zero time", `{"time":"0001-01-01T00:00:00Z"}`, "time", 0, alert.BadValue},
		{"tags string", `{"tags":"a"}`, "tags", 0, alert.WrongType},
		{"tags numbers", `{"tags":["a",1]}`, "tags", 0, alert.WrongType},
		{"fields array", `{"output_fields":[]}`, "output_fields", 0, alert.WrongType},
		{"hostname", `{"hostname":7}`, "hostname", 0, alert.WrongType},
		{"deep fields", ok + `{"output_fields":{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`, "output_fields", 1, alert.TooDeep},
		{"very deep", `{"x":` + strings.Repeat("[", 200_000), "", 0, alert.NotJSON},
	} {
		_, err := alert.Decode([]byte(test.body), received, alert.DefaultMaxDepth)
		var refusal *alert.Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v is no refusal", test.name, err)
			continue
		}
		if refusal.Member != test.member || refusal.Index != test.index || refusal.Reason != test.reason || refusal.Expected == "" {
			t.Errorf("%s: %#v", test.name, refusal)
		}
	}
}

func TestDecodeMendsText(t *testing.T) {
	body := "{\"rule\":\"a\",\"priority\":\"info\",\"time\":\"2026-01-01T00:00:00Z\",\"output\":\"x\xff\xfey\",\"output_fields\":{\"half\":\"\\ud800\",\"pair\":\"\\ud83d\\ude00\",\"odd\":\"\\\\ud800\"}}"
	other := `{"rule":"b","priority":"info","time":"2026-01-01T00:00:00Z"}`
	alerts, err := alert.Decode([]byte(body+other), received, alert.DefaultMaxDepth)
	if err != nil {
		t.Fatal(err)
	}
	a := alerts[0]
	if a.Output != "x\uFFFDy" || a.Fields.Text("half") != "\uFFFD" || a.Fields.Text("pair") != "😀" || a.Fields.Text("odd") != `\ud800` {
		t.Errorf("output %q, fields %s", a.Output, a.Fields.JSON())
	}
	if a.Raw() != body || alerts[1].Raw() != other {
		t.Errorf("raw is not what came: %q", a.Raw())
	}
}

func TestDuplicatesLastWins(t *testing.T) {
	a := decodeOne(t, `{"rule":"a","rule":"b","priority":"info","time":"2026-01-01T00:00:00Z","output_fields":{"x":1,"y":2,"\u0078":3}}`)
	if a.Rule != "b" || a.Fields.JSON() != `{"x":3,"y":2}` {
		t.Errorf("%s %s", a.Rule, a.Fields.JSON())
	}
	for given, want := range map[string]string{
		`{"":1,"":2}`: `{"":2}`, `{"b":1,"a":[ 1 ]}`: `{"b":1,"a":[1]}`, `{"a":{"x": 1},"b":-1.5e3 }`: `{"a":{"x":1},"b":-1.5e3}`,
		`{ }`: `{}`, `{"a":true,"b":null,"c":"\\" }`: `{"a":true,"b":null,"c":"\\"}`, `{"a":1,"a":2,"a":3}`: `{"a":3}`,
	} {
		a := decodeOne(t, `{"rule":"r","priority":"info","time":"2026-01-01T00:00:00Z","output_fields":`+given+`}`)
		if a.Fields.JSON() != want {
			t.Errorf("%s becomes %s, want %s", given, a.Fields.JSON(), want)
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	for _, body := range []string{
		falcoAlert,
		`{"rule":"a","priority":"info","time":"9999-12-31T23:59:59.999999999Z"}`,
		"{\"rule\":\"\xff\",\"priority\":\"info\",\"time\":\"0001-01-01T00:00:01Z\",\"tags\":[\"\\u0000\",\"나\"]}",
	} {
		a := decodeOne(t, body)
		a.Fields = a.Fields.With(alert.Field{Name: "added", Value: alert.String("\x00 new")})
		record := a.AppendRecord(nil)
		if len(record) > a.RecordSize() {
			t.Errorf("record of %d bytes, announced %d", len(record), a.RecordSize())
		}
		b, err := alert.ParseRecord(record)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(b.AppendJSON(nil)), string(a.AppendJSON(nil)); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if b.Raw() != body || !b.Received.Equal(received) {
			t.Errorf("raw %q", b.Raw())
		}
		for n := range record {
			if _, err := alert.ParseRecord(record[:n]); err == nil {
				t.Fatalf("a record cut at %d of %d bytes is taken", n, len(record))
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(falcoAlert))
	f.Add([]byte("[{\"rule\":\"a\",\"priority\":\"info\",\"time\":\"2026-01-01T00:00:00Z\",\"x\":\"\xff\\ud800\"}]\n{}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		alerts, err := alert.Decode(body, received, alert.DefaultMaxDepth)
		if (err == nil) == (len(alerts) == 0) {
			t.Fatalf("%d alerts and error %v", len(alerts), err)
		}
		for _, a := range alerts {
			text := a.AppendJSON(nil)
			if !json.Valid(text) {
				t.Fatalf("%q gives %q", body, text)
			}
			b, err := alert.ParseRecord(a.AppendRecord(nil))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.AppendJSON(nil), text) {
				t.Fatalf("%q changes to %q", text, b.AppendJSON(nil))
			}
			if _, err := alert.DecodeOne(text, received); err != nil && len(text) < 1<<16 {
				t.Fatalf("what we write, %q, is refused: %v", text, err)
			}
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add(decodeOne(f, falcoAlert).AppendRecord(nil))
	f.Fuzz(func(_ *testing.T, record []byte) {
		if a, err := alert.ParseRecord(record); err == nil {
			_ = a.Raw() + a.Output + a.Rule
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(falcoAlert)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := alert.Decode(body, received, alert.DefaultMaxDepth); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	a := decodeOne(b, falcoAlert)
	var record []byte
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			record = a.AppendRecord(record[:0])
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := alert.ParseRecord(record); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst = a.AppendJSON(dst[:0])
		}
	})
}
