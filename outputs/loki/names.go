package loki

import (
	"strconv"
	"strings"
)

// maxName bounds the name of a label or of a piece of structured metadata, in bytes. Loki takes 1,024.
const maxName = 256

// labelName makes a label's name of a field's, as falcosidekick does: brackets go, and every other character that a
// name cannot have becomes an underscore: proc.aname[2] is proc_aname2. The name begins with a letter or an
// underscore and is never made of underscores alone, for which Loki fails the whole request.
func labelName(field string) string {
	var name strings.Builder
	name.Grow(len(field) + 1)
	meaning := false
	for _, r := range field {
		if name.Len() >= maxName-1 {
			break
		}
		switch {
		case r == '[' || r == ']':
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
			name.WriteRune(r)
			meaning = true
		case r >= '0' && r <= '9':
			if name.Len() == 0 {
				name.WriteByte('_')
			}
			name.WriteRune(r)
			meaning = true
		default:
			name.WriteByte('_')
		}
	}
	if !meaning {
		return "field"
	}
	return name.String()
}

// metadataName is [labelName] with runs of underscores drawn together, which Loki would do by itself: so two names
// that are the same to Loki are the same to us.
func metadataName(field string) string {
	name := labelName(field)
	for strings.Contains(name, "__") {
		name = strings.ReplaceAll(name, "__", "_")
	}
	return name
}

// maxNames is how many fields' names are remembered from one alert to the next.
const maxNames = 4096

// names remembers what became of each field's name, so that the work is done once for a field and not for each alert.
type names struct {
	slots  map[string]int // field to its place among the labels; not changed
	taken  []string       // names that no field's metadata may have; not changed
	fields map[string]*field
	used   map[string]*name
	last   *field // the one looked for last, or first
	first  field
	marks  []*name // those of taken
	round  uint64  // the alert that is being written
}

// field is what a field of an alert becomes.
type field struct {
	text string
	slot int    // place among the labels, or -1
	name *name  // in structured metadata
	next *field // the one that came after it the last time: alerts of a rule have the same fields in the same order
}

// name is a name of structured metadata.
type name struct {
	text  string
	wire  string // see nameOf
	round uint64 // the alert that it was last used in
	next  int    // the number to try for the next of that name in the same alert
}

func newNames(slots map[string]int, taken []string) *names {
	return &names{slots: slots, taken: taken}
}

// begin is called before each alert.
func (n *names) begin() {
	n.round++
	n.last = &n.first
	if n.fields == nil || len(n.fields) > maxNames || len(n.used) > maxNames {
		n.fields = make(map[string]*field)
		n.first.next = nil
		n.used = make(map[string]*name)
		n.marks = n.marks[:0]
		for _, text := range n.taken {
			n.marks = append(n.marks, n.named(text))
		}
	}
	for _, it := range n.marks {
		n.mark(it)
	}
}

// of finds what the field becomes.
func (n *names) of(text string) *field {
	if next := n.last.next; next != nil && next.text == text {
		n.last = next
		return next
	}
	f, ok := n.fields[text]
	if !ok {
		text = strings.Clone(text) // it is part of the alert's text, which must not be kept for it
		f = &field{text: text, slot: -1, name: n.named(metadataName(text))}
		if slot, ok := n.slots[text]; ok {
			f.slot = slot
		}
		n.fields[text] = f
	}
	n.last.next = f
	n.last = f
	return f
}

func (n *names) named(text string) *name {
	known, ok := n.used[text]
	if !ok {
		known = &name{text: text, wire: nameOf(text)}
		n.used[text] = known
	}
	return known
}

func (n *names) mark(it *name) {
	it.round = n.round
	it.next = 2
}

// unique gives the text of a name that this alert has not used yet: the second that would be user_name is
// user_name_2. Loki keeps one value of a name.
func (n *names) unique(it *name) string {
	if it.round != n.round {
		n.mark(it)
		return it.text
	}
	for {
		other := n.named(it.text + "_" + strconv.Itoa(it.next))
		it.next++
		if other.round != n.round {
			n.mark(other)
			return other.text
		}
	}
}
