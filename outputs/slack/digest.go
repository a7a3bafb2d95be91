package slack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Bounds of a digest.
const (
	maxRules = 20 // rules with a line of their own
	maxHosts = 3  // hosts that are named, in a line
	maxName  = 80 // characters of a rule's or host's name
)

// digest shows many alerts in one message, so that the numbers in it add up to all of them. more says that others
// were posted by themselves just before.
func (s *Slack) digest(alerts []*alert.Alert, more bool) *slackgo.WebhookMessage {
	var total tally
	ofRule := make(map[string]*tally)
	for _, a := range alerts {
		total.add(a)
		t := ofRule[a.Rule]
		if t == nil {
			t = &tally{rule: a.Rule}
			ofRule[a.Rule] = t
		}
		t.add(a)
	}
	rules := make([]*tally, 0, len(ofRule))
	for _, t := range ofRule {
		rules = append(rules, t)
	}
	slices.SortFunc(rules, func(a, b *tally) int {
		return cmp.Or(cmp.Compare(b.highest(), a.highest()), cmp.Compare(b.count, a.count), cmp.Compare(a.rule, b.rule))
	})

	head := headline(total, rules, more)
	var text strings.Builder
	text.WriteString(head)
	if len(rules) > 1 {
		for _, t := range rules[:min(len(rules), maxRules)] {
			fmt.Fprintf(&text, "\n• %d of rule %s (%s)", t.count, name(t.rule), t.details())
		}
	}
	if len(rules) > maxRules {
		var others tally
		for _, t := range rules[maxRules:] {
			others.merge(t)
		}
		fmt.Fprintf(&text, "\nand %s of %s (%s)", counted(others.count, "more alert"), counted(len(rules)-maxRules, "rule"), others.priorities())
	}
	text.WriteString("\nFolded into one message, because alerts came faster than Slack takes messages.")
	return s.envelope(slackgo.Attachment{
		Fallback: head,
		Color:    colors[total.highest()],
		Text:     text.String(),
		Footer:   s.config.Footer,
	})
}

// headline says it all in one sentence.
func headline(total tally, rules []*tally, more bool) string {
	word := ""
	if more {
		word = "more "
	}
	if len(rules) == 1 {
		return fmt.Sprintf("%d %sof rule %s in %s (%s)", total.count, word, name(rules[0].rule), span(total.last.Sub(total.first)), total.details())
	}
	return fmt.Sprintf("%d %salerts of %d rules in %s (%s)", total.count, word, len(rules), span(total.last.Sub(total.first)), total.details())
}

// tally counts alerts.
type tally struct {
	rule        string
	count       int
	ofPriority  [alert.Emergency + 1]int
	hosts       map[string]int
	first, last time.Time // of when they happened
}

func (t *tally) add(a *alert.Alert) {
	if t.count == 0 || a.Time.Before(t.first) {
		t.first = a.Time
	}
	if t.count == 0 || a.Time.After(t.last) {
		t.last = a.Time
	}
	t.count++
	t.ofPriority[a.Priority]++
	if a.Hostname != "" {
		if t.hosts == nil {
			t.hosts = make(map[string]int)
		}
		t.hosts[a.Hostname]++
	}
}

// merge adds what priorities shows.
func (t *tally) merge(other *tally) {
	t.count += other.count
	for p, count := range other.ofPriority {
		t.ofPriority[p] += count
	}
}

func (t *tally) highest() alert.Priority {
	for _, p := range slices.Backward(alert.Priorities()) {
		if t.ofPriority[p] > 0 {
			return p
		}
	}
	return alert.Debug
}

// details gives priorities, hosts and times.
func (t *tally) details() string {
	parts := []string{t.priorities()}
	if len(t.hosts) > 0 {
		parts = append(parts, t.hostnames())
	}
	return strings.Join(append(parts, t.times()), "; ")
}

// priorities gives how many there are of each, the most serious first.
func (t *tally) priorities() string {
	var parts []string
	for _, p := range slices.Backward(alert.Priorities()) {
		if count := t.ofPriority[p]; count > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", p, count))
		}
	}
	return strings.Join(parts, ", ")
}

// hostnames names those with the most alerts.
func (t *tally) hostnames() string {
	hosts := make([]string, 0, len(t.hosts))
	for host := range t.hosts {
		hosts = append(hosts, host)
	}
	slices.SortFunc(hosts, func(a, b string) int { return cmp.Or(cmp.Compare(t.hosts[b], t.hosts[a]), cmp.Compare(a, b)) })
	shown := make([]string, 0, maxHosts)
	for _, host := range hosts[:min(len(hosts), maxHosts)] {
		shown = append(shown, name(host))
	}
	text := "hosts "
	if len(hosts) == 1 {
		text = "host "
	}
	text += strings.Join(shown, ", ")
	if others := len(hosts) - len(shown); others > 0 {
		text += fmt.Sprintf(" and %d more", others)
	}
	return text
}

// times gives the first and the last, UTC, with the day where that differs.
func (t *tally) times() string {
	first, last := t.first.UTC(), t.last.UTC()
	from, to := first.Format(time.TimeOnly), last.Format(time.TimeOnly)
	if first.Format(time.DateOnly) != last.Format(time.DateOnly) {
		from, to = first.Format(time.DateTime), last.Format(time.DateTime)
	}
	if from == to {
		return from + " UTC"
	}
	return from + "–" + to + " UTC"
}

// name makes a rule's or host's name one short line.
func name(text string) string {
	return fit(escape(alert.Printable(cut(text, maxName))), maxName)
}

// counted gives a number and its noun.
func counted(count int, noun string) string {
	if count == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", count, noun)
}

// span gives a length of time in its largest unit, at least one second.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	round := func(unit time.Duration) int { return int((d + unit/2) / unit) }
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(round(time.Second), 1))
	case d < time.Hour:
		return fmt.Sprintf("%d min", round(time.Minute))
	case d < 2*day:
		return fmt.Sprintf("%d h", round(time.Hour))
	default:
		return fmt.Sprintf("%d days", int(d/day))
	}
}
