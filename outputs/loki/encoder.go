package loki

import (
	"slices"
	"strings"

	"github.com/tiercel/tiercel/pkg/alert"
)

// layout is how a config wants alerts to look in Loki. It is not changed, so encoders share it.
type layout struct {
	labels   []label
	slots    map[string]int // field to its place in labels
	taken    []string
	metadata bool
	direct   bool   // see encoder.direct
	uuid     string // see uuidPiece
	tags     string // the name of the piece with the tags, see nameOf
	line     lineWriter
	wire     wire
}

func newLayout(c *Config) *layout {
	l := &layout{
		labels:   newLabels(c),
		slots:    make(map[string]int),
		taken:    []string{"uuid", "tags", truncatedName},
		metadata: c.StructuredMetadata && c.Labels == LabelsDefault,
		line:     textLine,
		wire:     protobufWire{},
		uuid:     uuidPiece(),
		tags:     nameOf("tags"),
	}
	for i, label := range l.labels {
		l.taken = append(l.taken, label.name)
		if label.of == nil {
			l.slots[label.field] = i
		}
	}
	if c.Format == FormatJSON {
		l.line = jsonLine
	}
	if c.Protocol == ProtocolJSON {
		l.wire = jsonWire{}
	}
	l.direct = l.metadata && len(l.slots) == 0 && c.Protocol != ProtocolJSON
	return l
}

// wire is one of the two forms that Loki's push API takes.
type wire interface {
	contentType() string
	// labels appends the labels of a stream, sorted by name. Streams with the same labels give the same bytes.
	labels(dst []byte, labels []pair) []byte
	// entry appends one line of a stream.
	entry(dst []byte, at timestamp, line []byte, metadata []pair) []byte
	// body lays out the request's body in out, with scratch space at hand, and hands both back.
	body(out, scratch []byte, r *request) (body, space []byte)
}

// request is what an encoder has gathered: streams in the order in which their first line came, each with its lines
// in theirs.
type request struct {
	text    []byte // labels and entries, one after the other
	streams []stream
	entries []entry
}

type stream struct {
	labels      part
	first, last int // in entries
	lines       int
}

type entry struct {
	part
	alert int // index in the batch
	next  int // the stream's next entry, or -1
}

// part is a stretch of text.
type part struct{ from, to int }

func (r *request) at(p part) []byte { return r.text[p.from:p.to] }

// maxKept is the largest buffer that is kept from one request to the next, in bytes. A batch is about 1 MiB, one
// alert can be more.
const maxKept = 4 << 20

// encoder writes requests. It keeps its buffers, so one request at a time.
type encoder struct {
	*layout
	names *names

	request
	byLabels map[string]int // labels to index in streams

	slots    []string // values of the labels of the alert at hand
	pairs    []pair
	metadata []pair
	order    []int
	line     []byte

	scratch []byte
	out     []byte
	lent    *lending // whether the transport still holds out
}

func newEncoder(l *layout) *encoder {
	return &encoder{
		layout:   l,
		names:    newNames(l.slots, l.taken),
		byLabels: make(map[string]int),
		slots:    make([]string, len(l.labels)),
		lent:     new(lending),
	}
}

// encode writes the alerts of batch that which lists, by index, as one request. The body is good until the next call.
func (e *encoder) encode(batch []*alert.Alert, which []int) []byte {
	e.reset()
	for _, i := range which {
		if !e.layout.direct || !e.direct(i, batch[i]) {
			e.add(i, batch[i])
		}
	}
	if e.lent.out() {
		// The transport gave up early and may still read what it was given.
		e.out, e.lent = nil, new(lending)
	}
	var body []byte
	body, e.scratch = e.wire.body(e.out, e.scratch, &e.request)
	e.out = body
	return body
}

func (e *encoder) reset() {
	clear(e.byLabels)
	e.streams = e.streams[:0]
	e.entries = e.entries[:0]
	e.text, e.line, e.scratch, e.out = kept(e.text), kept(e.line), kept(e.scratch), kept(e.out)
	if cap(e.metadata) > maxNames {
		e.metadata, e.order = nil, nil
	}
	// Their texts are parts of alerts, which must not be kept for them.
	clear(e.slots)
	clear(e.pairs[:cap(e.pairs)])
	clear(e.metadata[:cap(e.metadata)])
}

func kept(buffer []byte) []byte {
	if cap(buffer) > maxKept {
		return nil
	}
	return buffer[:0]
}

// add writes one alert, the i-th of its batch.
func (e *encoder) add(i int, a *alert.Alert) {
	e.read(a)
	s := e.stream()
	from := len(e.text)
	e.line = e.layout.line(e.line[:0], a, e.names)
	e.text = e.wire.entry(e.text, timestampOf(a.Time), e.line, e.metadata)
	e.enter(s, i, from)
}

// enter makes what was appended from on the next entry of a stream.
func (e *encoder) enter(s *stream, i, from int) {
	at := len(e.entries)
	e.entries = append(e.entries, entry{part: part{from, len(e.text)}, alert: i, next: -1})
	if s.lines == 0 {
		s.first = at
	} else {
		e.entries[s.last].next = at
	}
	s.last = at
	s.lines++
}

// read takes the labels and the structured metadata out of an alert.
func (e *encoder) read(a *alert.Alert) {
	e.metadata = e.metadata[:0]
	e.names.begin()
	e.ownLabels(a)
	if e.layout.metadata {
		e.metadata = append(e.metadata, pair{"uuid", a.ID.String()})
		if len(a.Tags) > 0 {
			e.metadata = append(e.metadata, pair{"tags", safe(strings.Join(a.Tags, ","))})
		}
	}
	if e.layout.metadata || len(e.layout.slots) > 0 {
		e.fields(a.Fields)
	}
	if e.layout.metadata {
		e.fields(a.Extra)
		e.metadata, e.order = bound(e.metadata, e.order)
	}
}

// ownLabels takes the labels out of an alert that come from none of its fields.
func (e *encoder) ownLabels(a *alert.Alert) {
	clear(e.slots)
	for i, label := range e.labels {
		if label.of != nil {
			e.slots[i] = label.of(a)
		}
	}
}

func (e *encoder) fields(fields alert.Fields) {
	for name, value := range fields.All() {
		if value == "null" {
			continue
		}
		f := e.names.of(name)
		if f.slot >= 0 {
			text := e.labels[f.slot].value(value)
			e.slots[f.slot] = text
			if len(text) <= maxLabelValue {
				continue
			}
			// Too long for a label: cut there, whole here.
		}
		if !e.layout.metadata {
			continue
		}
		if text := value.Text(); text != "" {
			e.metadata = append(e.metadata, pair{e.names.unique(f.name), safe(text)})
		}
	}
}

// stream finds the stream of the labels at hand, or begins it.
func (e *encoder) stream() *stream {
	e.pairs = e.pairs[:0]
	for i, value := range e.slots {
		if value != "" {
			e.pairs = append(e.pairs, pair{e.labels[i].name, cut(safe(value), maxLabelValue)})
		}
	}
	from := len(e.text)
	e.text = e.wire.labels(e.text, e.pairs)
	at, ok := e.byLabels[string(e.text[from:])]
	if ok {
		e.text = e.text[:from]
		return &e.streams[at]
	}
	e.byLabels[string(e.text[from:])] = len(e.streams)
	e.streams = append(e.streams, stream{labels: part{from, len(e.text)}})
	return &e.streams[len(e.streams)-1]
}

// alerts lists the indexes of each stream's alerts, in order.
func (r *request) alerts() [][]int {
	all := make([][]int, 0, len(r.streams))
	for _, s := range r.streams {
		list := make([]int, 0, s.lines)
		for at := s.first; at >= 0; at = r.entries[at].next {
			list = append(list, r.entries[at].alert)
		}
		all = append(all, list)
	}
	return slices.Clip(all)
}
