package rules

import "slices"

// Selection switches rules on or off. A selection with a tag and a name is for rules that fit both.
type Selection struct {
	Enable bool
	Rule   string // a name; "*" in it is any text
	Tag    string
}

// decide tells what the selections make of a rule that is enabled or not by itself.
func decide(selections []Selection, r *Rule, enabled bool) bool {
	for _, s := range selections {
		if s.fits(r) {
			enabled = s.Enable
		}
	}
	return enabled
}

func (s Selection) fits(r *Rule) bool {
	if s.Rule == "" && s.Tag == "" {
		return false
	}
	return (s.Rule == "" || Wildcard(s.Rule, r.Name)) && (s.Tag == "" || slices.Contains(r.Tags, s.Tag))
}

// Wildcard matches a name with a pattern in which "*" is any text, also none.
func Wildcard(pattern, name string) bool {
	star, mark := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
