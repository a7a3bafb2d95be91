package slack

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// at is a time of the tests' day.
func at(clock string) time.Time {
	t, err := time.Parse(time.DateTime, "2026-08-17 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func TestDigestOfOneRule(t *testing.T) {
	c := config()
	c.Digest.After = 1
	s, slack := serve(t, c)
	batch := []*alert.Alert{one("Write below etc", alert.Critical, "a", at("12:00:00"))}
	for i := range 37 {
		p := alert.Warning
		if i%18 == 0 {
			p = alert.Error
		}
		batch = append(batch, one("Write below etc", p, string(rune('a'+i%3)), at("12:00:01").Add(time.Duration(i)*299*time.Second/36)))
	}
	if err := s.send(t, batch...); err != nil {
		t.Fatal(err)
	}
	posts := slack.all()
	if len(posts) != 2 {
		t.Fatalf("%d messages", len(posts))
	}
	const head = "37 more of rule Write below etc in 5 min (Error 3, Warning 34; hosts a, b, c; 12:00:01–12:05:00 UTC)"
	want := head + "\nFolded into one message, because alerts came faster than Slack takes messages."
	digest := posts[1].attachment(t)
	if digest["text"] != want || digest["fallback"] != head || digest["color"] != "#e20b0b" || digest["footer"] != project {
		t.Errorf("digest %s", posts[1].body)
	}
	if posts[1].message(t)["username"] != "Tiercel" {
		t.Errorf("digest %s", posts[1].body)
	}
	if n := testutil.ToFloat64(s.Slack.metrics.digested); n != 37 {
		t.Errorf("%v digested", n)
	}
}

func TestDigestOfSeveralRules(t *testing.T) {
	c := config()
	c.Digest.After = 0
	s, slack := serve(t, c)
	batch := []*alert.Alert{
		one("셸 <!channel>", alert.Notice, "node<", at("23:59:59")),
		one("셸 <!channel>", alert.Notice, "", at("23:59:59").Add(4*time.Second)),
		one("B", alert.Debug, "", at("12:00:00")),
		one("A\nline", alert.Debug, "", at("12:00:00")),
		one("C", alert.Emergency, "h1", at("12:30:00")),
	}
	for i := range 4 {
		batch = append(batch, one("B", alert.Debug, fmt.Sprint("h", i), at("12:00:00")))
	}
	if err := s.send(t, batch...); err != nil {
		t.Fatal(err)
	}
	if n := len(slack.all()); n != 1 {
		t.Fatalf("%d messages", n)
	}
	want := `9 alerts of 4 rules in 12 h (Emergency 1, Notice 2, Debug 6; hosts h1, h0, h2 and 2 more; 2026-08-17 12:00:00–2026-08-18 00:00:03 UTC)
• 1 of rule C (Emergency 1; host h1; 12:30:00 UTC)
• 2 of rule 셸 &lt;!channel> (Notice 2; host node&lt;; 2026-08-17 23:59:59–2026-08-18 00:00:03 UTC)
• 5 of rule B (Debug 5; hosts h0, h1, h2 and 1 more; 12:00:00 UTC)
• 1 of rule A\u000aline (Debug 1; 12:00:00 UTC)
Folded into one message, because alerts came faster than Slack takes messages.`
	if got := slack.all()[0].text(t); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDigestOfManyRules(t *testing.T) {
	c := config()
	c.Digest.After = 0
	s, slack := serve(t, c)
	var batch []*alert.Alert
	for i := range 29 {
		for range 30 - i {
			batch = append(batch, one(fmt.Sprintf("rule %02d %s", i, strings.Repeat("<!한🦅\x00", 100)), alert.Warning, strings.Repeat("<!\x00", 300)+strconv.Itoa(i), at("12:00:00")))
		}
	}
	if err := s.send(t, batch...); err != nil {
		t.Fatal(err)
	}
	text := slack.all()[0].text(t)
	counts := countsOf(t, text)
	if counts.rules != 29 || counts.lines != 20 || counts.otherRules != 9 || counts.others != 10+9+8+7+6+5+4+3+2 || counts.total != len(batch) {
		t.Errorf("%+v of %d alerts in %s", counts, len(batch), text)
	}
	if n := utf8.RuneCountInString(text); n > 12_000 {
		t.Errorf("%d characters", n)
	}
	if strings.Contains(text, "<!") || strings.ContainsRune(text, 0) {
		t.Errorf("hostile names: %q", text)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1 s", 400 * time.Millisecond: "1 s", 42 * time.Second: "42 s", time.Minute: "1 min", 299 * time.Second: "5 min",
		time.Hour: "1 h", 47*time.Hour + 59*time.Minute: "48 h", 48 * time.Hour: "2 days", 1<<63 - 1: "106751 days",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
}

// counts are the numbers that a digest shows.
type counts struct {
	total, rules              int // of the first line
	lines, inLines            int
	others, otherRules        int
	priorities, linePriorites int // added up
}

var (
	headPattern   = regexp.MustCompile(`^(\d+) (?:more )?(?:of rule .*|alerts of (\d+) rules) in \d+ (?:s|min|h|days) \((.*)\)$`)
	linePattern   = regexp.MustCompile(`^• (\d+) of rule .* \((.*)\)$`)
	othersPattern = regexp.MustCompile(`^and (\d+) more alerts? of (\d+) rules? \((.*)\)$`)
	priorityCount = regexp.MustCompile(`(?:Emergency|Alert|Critical|Error|Warning|Notice|Informational|Debug) (\d+)`)
)

// countsOf reads them, and fails where they do not add up.
func countsOf(t *testing.T, text string) counts {
	t.Helper()
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return n
	}
	sum := func(s string) int {
		total := 0
		for _, m := range priorityCount.FindAllStringSubmatch(s, -1) {
			total += number(m[1])
		}
		return total
	}
	lines := strings.Split(text, "\n")
	head := headPattern.FindStringSubmatch(lines[0])
	if head == nil {
		t.Fatalf("no digest: %s", text)
	}
	c := counts{total: number(head[1]), rules: 1, priorities: sum(head[3])}
	if head[2] != "" {
		c.rules = number(head[2])
	}
	for _, line := range lines[1:] {
		if m := linePattern.FindStringSubmatch(line); m != nil {
			c.lines++
			c.inLines += number(m[1])
			c.linePriorites += sum(m[2])
		}
		if m := othersPattern.FindStringSubmatch(line); m != nil {
			c.others, c.otherRules = number(m[1]), number(m[2])
			c.linePriorites += sum(m[3])
		}
	}
	if c.priorities != c.total {
		t.Errorf("%d alerts, but %d by priority: %s", c.total, c.priorities, text)
	}
	if c.rules > 1 && (c.inLines+c.others != c.total || c.linePriorites != c.total || c.lines+c.otherRules != c.rules) {
		t.Errorf("%+v does not add up: %s", c, text)
	}
	return c
}

// Whatever comes, and whatever Slack refuses on the way, every alert is shown once: by itself, or counted in a digest.
func TestEveryAlertIsAccountedFor(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := config()
		c.Digest.After = random.IntN(7)
		if random.IntN(3) == 0 {
			c.Digest.Age = time.Minute // of alerts that came in years ago
		}
		s, slack := serve(t, c)
		refused := map[int]bool{}
		slack.answer = func(n int, w http.ResponseWriter) {
			switch random.IntN(6) {
			case 0:
				refused[n] = true
				refuse(w, 500, "rollup_error")
			case 1:
				refused[n] = true
				w.Header().Set("Retry-After", "1")
				refuse(w, 429, "rate_limited")
			case 2:
				if n%4 == 0 {
					refused[n] = true
					refuse(w, 400, "invalid_payload")
				}
			}
		}
		batch := make([]*alert.Alert, 1+random.IntN(80))
		for i := range batch {
			rule := fmt.Sprint("rule ", random.IntN(1+random.IntN(40)))
			batch[i] = one(rule, alert.Priority(random.IntN(8)), fmt.Sprint("h", random.IntN(5)), received.Add(time.Duration(random.IntN(1e12))))
			batch[i].Output = "id-" + batch[i].ID.String()
		}

		buried := map[string]bool{}
		waiting := batch
		for try := 0; len(waiting) > 0; try++ {
			if try > 1000 {
				t.Fatal("no end")
			}
			err := s.send(t, waiting...)
			if err == nil {
				break
			}
			partial, ok := err.(verdict.Partial) //nolint:errorlint // as the lane does
			if !ok {
				if len(waiting) > 1 {
					t.Fatalf("of %d alerts: %v", len(waiting), err)
				}
				partial = verdict.Partial{0: err}
			}
			var again []*alert.Alert
			for i, a := range waiting {
				switch {
				case partial[i] == nil:
				case verdict.IsPermanent(partial[i]):
					buried[a.Output] = true
				default:
					again = append(again, a)
				}
			}
			waiting = again
		}

		alone, digested := map[string]int{}, 0
		for n, p := range slack.all() {
			if refused[n] {
				continue
			}
			if text := p.text(t); strings.HasPrefix(text, "id-") {
				alone[text]++
			} else {
				digested += countsOf(t, text).total
			}
		}
		for id, times := range alone {
			if times > 1 || buried[id] {
				t.Errorf("seed %d: %s is shown %d times, buried: %v", seed, id, times, buried[id])
			}
		}
		if total := len(alone) + digested + len(buried); total != len(batch) {
			t.Errorf("seed %d: %d alone, %d digested, %d buried, of %d", seed, len(alone), digested, len(buried), len(batch))
		}
		if n := testutil.ToFloat64(s.Slack.metrics.digested); n != float64(digested) {
			t.Errorf("seed %d: %v counted, %d digested", seed, n, digested)
		}
	}
}

func TestTheMostSeriousAreShown(t *testing.T) {
	c := config()
	c.Digest.After = 3
	s, slack := serve(t, c)
	test := one(alert.TestRule, alert.Debug, "t", received)
	err := s.send(t,
		one("1", alert.Warning, "1", received), one("2", alert.Debug, "2", received), one("3", alert.Critical, "3", received),
		one("4", alert.Warning, "4", received), test, one("6", alert.Emergency, "6", received))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(rulesOf(t, slack.all())), "[Test rule 6 3 digest of 3]"; got != want {
		t.Errorf("posted %s, want %s", got, want)
	}
}

// A few that gathered are posted as they came in.
func TestAFewAreNotReordered(t *testing.T) {
	s, slack := serve(t, config())
	err := s.send(t, one("1", alert.Warning, "", received), one("2", alert.Debug, "", received), one("3", alert.Critical, "", received))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(rulesOf(t, slack.all())), "[1 2 3]"; got != want {
		t.Errorf("posted %s, want %s", got, want)
	}
}

// Once an alert has waited for too long, only the critical ones are posted by themselves.
func TestBehind(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		oldest time.Duration
		want   string
	}{
		"in time": {29 * time.Second, "[1 2 3 4]"},
		"behind":  {31 * time.Second, "[3 2 digest of 2]"},
	} {
		cfg := config()
		cfg.Digest.Age = 30 * time.Second
		s, slack := serve(t, cfg)
		err := s.send(t, one("1", alert.Warning, "", now.Add(-c.oldest)), one("2", alert.Critical, "", now),
			one("3", alert.Alarm, "", now), one("4", alert.Error, "", now))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(rulesOf(t, slack.all())); got != c.want {
			t.Errorf("%s: posted %s, want %s", name, got, c.want)
		}
	}
}

// One that is left is posted by itself, however old.
func TestNoDigestOfOne(t *testing.T) {
	c := config()
	c.Digest.After = 0
	c.Digest.Age = time.Second
	s, slack := serve(t, c)
	if err := s.send(t, one("1", alert.Debug, "", received)); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(rulesOf(t, slack.all())), "[1]"; got != want {
		t.Errorf("posted %s, want %s", got, want)
	}
}

// rulesOf names what was posted.
func rulesOf(t *testing.T, posts []post) []string {
	t.Helper()
	var all []string
	for _, p := range posts {
		if _, single := p.attachment(t)["fields"]; !single {
			all = append(all, fmt.Sprintf("digest of %d", countsOf(t, p.text(t)).total))
			continue
		}
		rule, _ := p.field(t, "rule")
		all = append(all, rule)
	}
	return all
}

func BenchmarkDigest(b *testing.B) {
	s, _ := serve(b, config())
	batch := make([]*alert.Alert, 2000)
	for i := range batch {
		batch[i] = one(fmt.Sprint("rule ", i%40), alert.Priority(i%8), fmt.Sprint("node-", i%60), received.Add(time.Duration(i)*time.Second))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(s.digest(batch, true)); err != nil {
			b.Fatal(err)
		}
	}
}
