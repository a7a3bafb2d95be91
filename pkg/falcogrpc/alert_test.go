package falcogrpc

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/falcogrpc/outputspb"
	"github.com/tiercel/tiercel/pkg/falcogrpc/schemapb"
)

const shell = `{"hostname":"노드-1","output":"16:17:57.881781397: Warning A shell 🐚 | user=root","output_fields":{"container.id":"host",` +
	`"evt.time":1785491877881781397,"fd.types":["ipv4","file"],"k8s.ns.name":null,"proc.cmdline":"sh -c \"echo 안녕\"","proc.is_exe_upper_layer":false,` +
	`"user.loginuid":-1},"priority":"Warning","rule":"Terminal shell in container","source":"syscall","tags":["container","shell"],` +
	`"time":"2026-07-31T09:57:57.881781397Z"}`

func decoded(t testing.TB, text string) *alert.Alert {
	t.Helper()
	a, err := alert.DecodeOne([]byte(text), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What we write is what the generated code of the .proto files reads.
func TestAppend(t *testing.T) {
	var got outputspb.Response
	if err := proto.Unmarshal(Append(nil, decoded(t, shell)), &got); err != nil {
		t.Fatal(err)
	}
	if unknown := got.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		t.Errorf("it holds members that the API does not have: %x", unknown)
	}
	if at := got.GetTime().AsTime(); !at.Equal(time.Date(2026, 7, 31, 9, 57, 57, 881781397, time.UTC)) {
		t.Errorf("the time is %s", at)
	}
	if got.GetPriority() != schemapb.Priority_WARNING || got.GetRule() != "Terminal shell in container" || got.GetHostname() != "노드-1" ||
		got.GetSource() != "syscall" || !slices.Equal(got.GetTags(), []string{"container", "shell"}) ||
		got.GetOutput() != "16:17:57.881781397: Warning A shell 🐚 | user=root" {
		t.Errorf("the message is %v", &got)
	}
	want := map[string]string{
		"container.id": "host", "evt.time": "1785491877881781397", "fd.types": `["ipv4","file"]`, "k8s.ns.name": "<NA>",
		"proc.cmdline": `sh -c "echo 안녕"`, "proc.is_exe_upper_layer": "false", "user.loginuid": "-1",
	}
	if !maps.Equal(got.GetOutputFields(), want) {
		t.Errorf("the fields are %v", got.GetOutputFields())
	}
}

func TestAppendEveryPriorityAndSource(t *testing.T) {
	for _, p := range alert.Priorities() {
		for source, old := range map[string]schemapb.Source{
			"syscall": schemapb.Source_SYSCALL, "k8s_audit": schemapb.Source_K8S_AUDIT, "internal": schemapb.Source_INTERNAL,
			"aws_cloudtrail": schemapb.Source_PLUGIN, "terminal": schemapb.Source_PLUGIN,
		} {
			var got outputspb.Response
			a := &alert.Alert{Priority: p, Source: source, Rule: "r", Time: time.Unix(-5, 0)}
			if err := proto.Unmarshal(Append(nil, a), &got); err != nil {
				t.Fatal(err)
			}
			if name := p.String(); !strings.EqualFold(got.GetPriority().String(), name) {
				t.Errorf("%s became %s", name, got.GetPriority())
			}
			if oldSourceOf(&got) != old || got.GetSource() != source || got.GetTime().GetSeconds() != -5 {
				t.Errorf("%s became %v", source, &got)
			}
		}
	}
}

func oldSourceOf(r *outputspb.Response) schemapb.Source {
	return r.GetSourceDeprecated() //nolint:staticcheck // old subscribers read it
}

func response() *outputspb.Response {
	return &outputspb.Response{
		Time: timestamppb.New(time.Date(2026, 7, 31, 9, 57, 57, 881781397, time.UTC)), Priority: schemapb.Priority_CRITICAL,
		Rule: "규칙", Output: "09:57:57: Critical 🐚", OutputFields: map[string]string{"proc.pid": "12", "k8s.ns.name": "<NA>", "a": ""},
		Hostname: "node-1", Tags: []string{"z", "a"}, Source: "aws_cloudtrail",
	}
}

func marshal(t testing.TB, r *outputspb.Response) []byte {
	t.Helper()
	message, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// What the generated code writes is what we read; values that are texts stay texts, whatever they look like.
func TestDecode(t *testing.T) {
	received := time.Now()
	a, err := Decode(marshal(t, response()), received)
	if err != nil {
		t.Fatal(err)
	}
	if a.Rule != "규칙" || a.Priority != alert.Critical || a.Hostname != "node-1" || a.Source != "aws_cloudtrail" || a.ID == (alert.ID{}) ||
		!a.Time.Equal(time.Date(2026, 7, 31, 9, 57, 57, 881781397, time.UTC)) || !a.Received.Equal(received) || !slices.Equal(a.Tags, []string{"a", "z"}) ||
		a.Output != "09:57:57: Critical 🐚" {
		t.Errorf("the alert is %+v", a)
	}
	if got := a.Fields.JSON(); got != `{"a":"","k8s.ns.name":"<NA>","proc.pid":"12"}` {
		t.Errorf("the fields are %s", got)
	}
}

// With json_output on, output is the whole line.
func TestDecodeTakesTheSentenceOutOfJSON(t *testing.T) {
	r := response()
	r.Rule, r.Output = "Terminal shell in container", shell
	a, err := Decode(marshal(t, r), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if a.Output != "16:17:57.881781397: Warning A shell 🐚 | user=root" || a.Fields.Text("proc.pid") != "12" {
		t.Errorf("the alert is %+v", a)
	}
	r.Output = `{"not": "an alert"}`
	if a, err = Decode(marshal(t, r), time.Now()); err != nil || a.Output != r.GetOutput() {
		t.Errorf("another text that begins with { became %q, %v", a.Output, err)
	}
}

func TestDecodeOldSource(t *testing.T) {
	r := response()
	r.Source = ""
	r.SourceDeprecated = schemapb.Source_K8S_AUDIT //nolint:staticcheck // old Falcos set it
	a, err := Decode(marshal(t, r), time.Now())
	if err != nil || a.Source != "k8s_audit" {
		t.Errorf("the source is %q, %v", a.Source, err)
	}
}

// Falco could send bytes that are no UTF-8; the generated code refuses the whole message.
func TestDecodeMendsText(t *testing.T) {
	r := response()
	r.Rule = "rule"
	message := []byte(strings.Replace(string(marshal(t, r)), "rule", "ru\xffe", 1))
	if err := proto.Unmarshal(message, new(outputspb.Response)); err == nil {
		t.Error("generated code takes it too: then we need no decoder of our own")
	}
	a, err := Decode(message, time.Now())
	if err != nil || a.Rule != "ru\uFFFDe" {
		t.Errorf("the rule is %q, %v", a.Rule, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	change := func(do func(*outputspb.Response)) []byte {
		r := response()
		do(r)
		return marshal(t, r)
	}
	whole := marshal(t, response())
	for name, c := range map[string]struct {
		message []byte
		reason  alert.Reason
	}{
		"empty":             {nil, alert.MissingMember},
		"no rule":           {change(func(r *outputspb.Response) { r.Rule = "" }), alert.MissingMember},
		"no time":           {change(func(r *outputspb.Response) { r.Time = nil }), alert.MissingMember},
		"a year too far":    {change(func(r *outputspb.Response) { r.Time = &timestamppb.Timestamp{Seconds: 1 << 40} }), alert.BadValue},
		"too many nanos":    {change(func(r *outputspb.Response) { r.Time.Nanos = 1e9 }), alert.BadValue},
		"negative nanos":    {change(func(r *outputspb.Response) { r.Time.Nanos = -1 }), alert.BadValue},
		"unknown priority":  {change(func(r *outputspb.Response) { r.Priority = 8 }), alert.BadValue},
		"negative priority": {change(func(r *outputspb.Response) { r.Priority = -1 }), alert.BadValue},
		"cut":               {whole[:len(whole)-3], alert.WrongType},
		"text":              {[]byte("hello, is this gRPC?"), alert.WrongType},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := Decode(c.message, time.Now())
			refusal, ok := errors.AsType[*alert.Refusal](err)
			if !ok || refusal.Reason != c.reason {
				t.Errorf("got %+v, %v, expected the reason %s", a, err, c.reason)
			}
		})
	}
}

// Whatever comes in is taken or refused, and what is taken can be sent on and read again.
func FuzzDecode(f *testing.F) {
	f.Add(marshal(f, response()))
	f.Add(Append(nil, decoded(f, shell)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, message []byte) {
		a, err := Decode(message, time.Now())
		if err != nil {
			if _, ok := errors.AsType[*alert.Refusal](err); !ok {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		again, err := Decode(Append(nil, a), a.Received)
		if err != nil {
			t.Fatalf("what was taken is refused the second time: %v", err)
		}
		if again.Rule != a.Rule || !again.Time.Equal(a.Time) || again.Priority != a.Priority || again.Fields.JSON() != a.Fields.JSON() ||
			again.Source != a.Source || !slices.Equal(again.Tags, a.Tags) {
			t.Errorf("%+v became %+v", a, again)
		}
		if _, err := alert.DecodeOne(a.AppendJSON(nil), a.Received); err != nil {
			t.Errorf("what was taken is no alert as JSON: %v", err)
		}
		if _, err := alert.ParseRecord(a.AppendRecord(nil)); err != nil {
			t.Errorf("what was taken cannot be written: %v", err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	a := decoded(b, shell)
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		dst = Append(dst[:0], a)
	}
}

func BenchmarkDecode(b *testing.B) {
	message := Append(nil, decoded(b, shell))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(message, time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}
