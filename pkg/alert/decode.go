package alert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// DefaultMaxDepth is how many levels of nested arrays and objects an alert may have. Falco's alerts have two.
const DefaultMaxDepth = 128

// Refusal says why a body was refused: which value of it, which member, and what was expected.
type Refusal struct {
	Index    int    // which value of the body, from 0
	Member   string // the member at fault, "" for the value as a whole
	Expected string // what would have been right
	Got      string // what was there, shortened
	Reason   Reason
	Err      error // the cause, where there is one
}

// Reason is why a body was refused, from a closed list; it is a metric label.
type Reason string

// The reasons for refusing a body that is at fault itself.
const (
	NotJSON       Reason = "not_json"
	NotAnAlert    Reason = "not_an_object"
	Empty         Reason = "empty"
	MissingMember Reason = "missing_member"
	WrongType     Reason = "wrong_type"
	BadValue      Reason = "bad_value"
	TooDeep       Reason = "too_deep"
)

// Error gives the refusal as one sentence.
func (r *Refusal) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "value %d", r.Index)
	if r.Member != "" {
		fmt.Fprintf(&s, ", member %q", r.Member)
	}
	fmt.Fprintf(&s, ": expected %s", r.Expected)
	if r.Got != "" {
		fmt.Fprintf(&s, ", got %s", r.Got)
	}
	if r.Err != nil {
		fmt.Fprintf(&s, ": %v", r.Err)
	}
	return s.String()
}

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Decode reads all alerts of a body: one JSON object, several one after the other (with or without line breaks), or
// arrays of them. Either all are taken or the error, a *[Refusal], names the first that is at fault. maxDepth bounds
// the nesting (at most 10,000); received is put into each alert.
//
// What Falco can send is accepted: members in any order and any case, unknown ones (kept in [Alert.Extra]), null for
// a missing one. Needed are rule, priority and time. Invalid UTF-8 becomes U+FFFD; [Alert.Raw] keeps the bytes.
func Decode(body []byte, received time.Time, maxDepth int) ([]*Alert, error) {
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	maxDepth = min(maxDepth, 10_000)
	var alerts []*Alert
	var err error
	if needsMending(body) {
		alerts, err = d.mended(body, received.UTC(), maxDepth)
	} else {
		alerts, err = d.decode(body, received.UTC(), maxDepth)
	}
	if err == nil && len(alerts) == 0 {
		err = &Refusal{Expected: "a JSON object with rule, priority and time", Got: "an empty body", Reason: Empty}
	}
	return alerts, err
}

// DecodeOne reads a body that must hold exactly one alert.
func DecodeOne(body []byte, received time.Time) (*Alert, error) {
	alerts, err := Decode(body, received, DefaultMaxDepth)
	if err != nil {
		return nil, err
	}
	if len(alerts) != 1 {
		return nil, &Refusal{Index: 1, Expected: "one alert", Got: fmt.Sprintf("%d", len(alerts)), Reason: BadValue}
	}
	return alerts[0], nil
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

type decoder struct {
	json     jsontext.Decoder
	text     string // the whole body; alerts hold slices of it
	received time.Time
	maxDepth int
	alerts   []*Alert
	extra    []Field
}

var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// decode reads the alerts of a body that is valid UTF-8.
func (d *decoder) decode(body []byte, received time.Time, maxDepth int) ([]*Alert, error) {
	// jsontext reads a bytes.Buffer in place, without a copy.
	d.json.Reset(bytes.NewBuffer(body), lenient...)
	d.text = string(body)
	d.received = received
	d.maxDepth = maxDepth
	d.alerts = nil
	if err := d.values(); err != nil {
		return nil, err
	}
	return d.alerts, nil
}

// mended reads the alerts of a body that is no valid Unicode: each value by itself, so that each alert can keep
// what was received of it.
func (d *decoder) mended(body []byte, received time.Time, maxDepth int) ([]*Alert, error) {
	parts, err := split(body)
	if err != nil {
		return nil, &Refusal{Index: len(parts), Expected: "valid JSON", Got: shorten(string(body)), Reason: NotJSON, Err: err}
	}
	var all []*Alert
	for _, part := range parts {
		if part[0] == '[' {
			return nil, &Refusal{Index: len(all), Expected: "a JSON object", Got: "an array in an array", Reason: NotAnAlert}
		}
		mended, _ := fixSurrogates(bytes.ToValidUTF8(part, []byte("\uFFFD")))
		alerts, err := d.decode(mended, received, maxDepth)
		if refusal, ok := errors.AsType[*Refusal](err); ok {
			refusal.Index += len(all)
		}
		if err != nil {
			return nil, err
		}
		for _, a := range alerts {
			if a.body != string(part) {
				a.original = string(part)
			}
		}
		all = append(all, alerts...)
	}
	return all, nil
}

// split finds the values of a body, those within an array one by one.
func split(body []byte) (parts [][]byte, err error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body), lenient...)
	for {
		if kind := d.PeekKind(); (kind == '[' && d.StackDepth() == 0) || kind == ']' {
			if _, err := d.ReadToken(); err != nil {
				return parts, err
			}
			continue
		}
		value, err := d.ReadValue()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return parts, err
		}
		parts = append(parts, bytes.Clone(value))
	}
}

// needsMending reports whether a body is no valid UTF-8, or may hold half of a surrogate pair.
func needsMending(body []byte) bool {
	return !utf8.Valid(body) || bytes.Contains(body, []byte(`\ud`)) || bytes.Contains(body, []byte(`\uD`))
}

// values reads all alerts of the body.
func (d *decoder) values() error {
	for {
		switch kind := d.json.PeekKind(); kind {
		case '{':
			if err := d.alert(); err != nil {
				return err
			}
		case '[', ']':
			if kind == '[' && d.json.StackDepth() > 0 {
				return d.refuse(NotAnAlert, "", "a JSON object", "an array in an array", nil)
			}
			if _, err := d.json.ReadToken(); err != nil {
				return d.syntax(err)
			}
		case 0:
			_, err := d.json.ReadToken()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return d.syntax(err)
		default:
			if _, err := d.json.ReadValue(); err != nil {
				return d.syntax(err)
			}
			return d.refuse(NotAnAlert, "", "a JSON object (is json_output on in falco.yaml?)", shorten(d.text), nil)
		}
	}
}

// members, in the order of [known].
const (
	memberOutput = iota
	memberPriority
	memberRule
	memberTime
	memberFields
	memberSource
	memberTags
	memberHostname
	memberUUID
	memberUnknown
)

var known = [...]string{"output", "priority", "rule", "time", "output_fields", "source", "tags", "hostname", "uuid"}

func member(name string) int {
	for i, k := range known {
		if name == k {
			return i
		}
	}
	for i, k := range known {
		if strings.EqualFold(name, k) {
			return i
		}
	}
	return memberUnknown
}

// alert reads the object that comes next.
func (d *decoder) alert() error {
	a := &Alert{Received: d.received, Source: "syscalls"}
	d.extra = d.extra[:0]
	if _, err := d.json.ReadToken(); err != nil {
		return d.syntax(err)
	}
	begin := d.json.InputOffset() - 1
	var seen [memberUnknown]bool
	for d.json.PeekKind() != '}' {
		name, err := d.next()
		if err != nil {
			return d.syntax(err)
		}
		value, err := d.next()
		if err != nil {
			return d.syntax(err)
		}
		if value[0] == '{' || value[0] == '[' {
			if tooDeep(value, d.maxDepth) {
				return d.refuse(TooDeep, unquote(name), fmt.Sprintf("at most %d levels of arrays and objects", d.maxDepth), "more", nil)
			}
		}
		m := member(unquote(name))
		if m == memberUnknown {
			d.extra = append(d.extra, Field{unquote(name), Value(value)})
			continue
		}
		if value == "null" {
			continue
		}
		seen[m] = true
		if refusal := a.set(m, value); refusal != nil {
			refusal.Index = len(d.alerts)
			return refusal
		}
	}
	if _, err := d.json.ReadToken(); err != nil {
		return d.syntax(err)
	}
	for _, m := range []int{memberRule, memberPriority, memberTime} {
		if !seen[m] {
			return d.refuse(MissingMember, known[m], expectations[m], "nothing", nil)
		}
	}
	a.body = d.text[begin:d.json.InputOffset()]
	if a.ID == (ID{}) {
		a.ID = NewID()
	}
	for i := range d.extra {
		d.extra[i].Value = compact(d.extra[i].Value)
	}
	if len(d.extra) > 0 {
		a.Extra = FieldsOf(d.extra...)
	}
	d.alerts = append(d.alerts, a)
	return nil
}

// next reads a value (or name) and returns its text as a slice of d.text.
func (d *decoder) next() (string, error) {
	value, err := d.json.ReadValue()
	if err != nil {
		return "", err
	}
	end := d.json.InputOffset()
	return d.text[end-int64(len(value)) : end], nil
}

var expectations = [...]string{
	memberOutput:   "a string",
	memberPriority: "one of Emergency, Alert, Critical, Error, Warning, Notice, Informational, Debug",
	memberRule:     "a string that is not empty",
	memberTime:     "a time as RFC 3339 has it, 2026-01-31T12:00:00.123456789Z for example",
	memberFields:   "an object",
	memberSource:   "a string",
	memberTags:     "an array of strings",
	memberHostname: "a string",
	memberUUID:     "a string",
}

// set takes the value of a known member.
func (a *Alert) set(m int, value string) *Refusal {
	wrong := func(reason Reason, err error) *Refusal {
		return &Refusal{Member: known[m], Expected: expectations[m], Got: shorten(value), Reason: reason, Err: err}
	}
	switch m {
	case memberFields:
		if value[0] != '{' {
			return wrong(WrongType, nil)
		}
		a.Fields = fieldsFrom(value)
		return nil
	case memberTags:
		tags, ok := stringsFrom(value)
		if !ok {
			return wrong(WrongType, nil)
		}
		a.Tags = tags
		return nil
	}
	if value[0] != '"' {
		return wrong(WrongType, nil)
	}
	text := unquote(value)
	switch m {
	case memberOutput:
		a.Output = text
	case memberPriority:
		priority, err := ParsePriority(text)
		if err != nil {
			return wrong(BadValue, nil)
		}
		a.Priority = priority
	case memberRule:
		if text == "" {
			return wrong(BadValue, nil)
		}
		a.Rule = text
	case memberTime:
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || at.IsZero() {
			return wrong(BadValue, err)
		}
		a.Time = at.UTC()
	case memberSource:
		if text != "" {
			a.Source = text
		}
	case memberHostname:
		a.Hostname = text
	case memberUUID:
		// A sender's own id is kept, so that an alert that passes through several hops is the same alert everywhere.
		if id, ok := ParseID(text); ok {
			a.ID = id
		}
	}
	return nil
}

func (d *decoder) refuse(reason Reason, member, expected, got string, err error) error {
	return &Refusal{Index: len(d.alerts), Member: member, Expected: expected, Got: got, Reason: reason, Err: err}
}

func (d *decoder) syntax(err error) error {
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return d.refuse(NotJSON, "", "valid JSON", shorten(d.text), err)
}

// fieldsFrom takes a valid object's text; it is rewritten only where it has blanks between tokens or a name twice.
func fieldsFrom(text string) Fields {
	if asFalcoWrites(text) {
		return Fields{text}
	}
	f := Fields{string(compact(Value(text)))}
	names := make(map[string]bool, 32)
	var all []Field
	twice := false
	for name, value := range f.All() {
		twice = twice || names[name]
		names[name] = true
		all = append(all, Field{name, value})
	}
	if !twice {
		return f
	}
	return FieldsOf(all...)
}

// asFalcoWrites reports whether a valid object has no blanks between its tokens and its names in rising order, and so
// none of them twice. That is one pass, and all that Falco's alerts cost here.
func asFalcoWrites(text string) bool {
	last := ""
	for at := 1; text[at] != '}'; {
		if text[at] != '"' {
			return false
		}
		end := at + scanString(text[at:])
		name := text[at+1 : end-1]
		if (at > 1 && name <= last) || text[end] != ':' || strings.IndexByte(name, '\\') >= 0 {
			return false
		}
		last = name
		at = end + 1
		switch text[at] {
		case '"':
			at += scanString(text[at:])
		case '{', '[':
			length := scanValue(text[at:])
			if hasBlanks(text[at : at+length]) {
				return false
			}
			at += length
		default:
			for text[at] > ' ' && text[at] != ',' && text[at] != '}' {
				at++
			}
		}
		switch text[at] {
		case ',':
			at++
		case '}':
		default:
			return false
		}
	}
	return true
}

// compact removes the blanks between the tokens of a valid value, where there are any.
func compact(text Value) Value {
	if !hasBlanks(string(text)) {
		return text
	}
	value := jsontext.Value(text)
	if err := value.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return text // cannot happen: the decoder has read it
	}
	return Value(value)
}

func hasBlanks(text string) bool {
	for at := 0; at < len(text); {
		switch text[at] {
		case '"':
			at += scanString(text[at:])
			continue
		case ' ', '\t', '\r', '\n':
			return true
		}
		at++
	}
	return false
}

// stringsFrom reads an array of strings.
func stringsFrom(text string) ([]string, bool) {
	text = string(compact(Value(text)))
	if text[0] != '[' {
		return nil, false
	}
	if text == "[]" {
		return nil, true
	}
	list := make([]string, 0, 8)
	for at := 1; at < len(text); {
		if text[at] != '"' {
			return nil, false
		}
		end := at + scanString(text[at:])
		list = append(list, unquote(text[at:end]))
		at = end + 1
	}
	return list, true
}

// tooDeep reports whether a valid value has limit levels of arrays and objects or more.
func tooDeep(text string, limit int) bool {
	if strings.Count(text, "{")+strings.Count(text, "[") < limit {
		return false // whatever they nest, and whether or not they stand in strings
	}
	level := 0
	for at := 0; at < len(text); {
		switch text[at] {
		case '"':
			at += scanString(text[at:])
			continue
		case '{', '[':
			if level++; level >= limit {
				return true
			}
		case '}', ']':
			level--
		}
		at++
	}
	return false
}

// fixSurrogates replaces each \uD800 to \uDFFF escape that is not half of a pair by \uFFFD: such a string stands
// for no Unicode text, and strict readers refuse the whole document that holds one.
func fixSurrogates(body []byte) ([]byte, bool) {
	var out []byte
	for at := 0; at < len(body); at++ {
		if body[at] != '\\' || at+1 >= len(body) {
			continue
		}
		if body[at+1] != 'u' {
			at++ // whatever is escaped, a backslash for one, is not the start of an escape
			continue
		}
		first := hex4(body, at+2)
		if first < 0xD800 || first > 0xDFFF {
			at += 5
			continue
		}
		if first <= 0xDBFF && at+7 < len(body) && body[at+6] == '\\' && body[at+7] == 'u' {
			if second := hex4(body, at+8); second >= 0xDC00 && second <= 0xDFFF {
				at += 11
				continue
			}
		}
		if out == nil {
			out = bytes.Clone(body)
		}
		copy(out[at:], `\ufffd`)
		at += 5
	}
	if out == nil {
		return body, false
	}
	return out, true
}

// hex4 reads four hexadecimal digits, or returns -1.
func hex4(body []byte, at int) int {
	if at+4 > len(body) {
		return -1
	}
	value := 0
	for _, c := range body[at : at+4] {
		switch {
		case c >= '0' && c <= '9':
			value = value<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			value = value<<4 | int(c|0x20-'a') + 10
		default:
			return -1
		}
	}
	return value
}

// shorten cuts a text for an error message.
func shorten(text string) string {
	const most = 64
	text = strings.TrimSpace(text)
	if len(text) <= most {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
