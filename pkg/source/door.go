package source

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Refused is something that came in and was no alert, and how.
type Refused struct {
	Time   time.Time
	Remote string // where it came from: an address, a file with its place, a Falco
	Reason string // from the list in docs/inputs/README.md
	Error  string
	Body   []byte // at most its first 64 KiB; it may be kept
}

// Reasons for refusing, besides those of [alert.Reason].
const (
	TooLarge  = "too_large"   // longer than is read, or larger than the journal takes
	NotSyslog = "not_syslog"  // no header of a syslog message
	NotText   = "not_a_text"  // neither JSON nor a text alert
	BadFrame  = "bad_framing" // where one message ends and the next begins is lost
)

// Reasons lists all reasons for which a stream's content is refused.
func Reasons() []string {
	return []string{
		string(alert.NotJSON), string(alert.NotAnAlert), string(alert.Empty), string(alert.MissingMember), string(alert.WrongType),
		string(alert.BadValue), string(alert.TooDeep), TooLarge, NotSyslog, NotText, BadFrame,
	}
}

// Metrics are those of all inputs that read streams.
type Metrics struct {
	alerts  *prometheus.CounterVec
	refused *prometheus.CounterVec
}

// NewMetrics makes and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tiercel_input_alerts_total", Help: "Alerts accepted from an input that reads a stream: gRPC, files, standard input, syslog.",
		}, []string{"input"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tiercel_input_refused_total", Help: "Messages and lines of such an input that were no alerts, by reason; docs/inputs/README.md lists the reasons.",
		}, []string{"input", "reason"}),
	}
	reg.MustRegister(m.alerts, m.refused)
	return m
}

// Door is the way from one stream to the journal. A stream, unlike the sender of a request, need not be answered: while
// the journal takes nothing, the door waits, and the stream with it.
type Door struct {
	name     string
	log      *slog.Logger
	accepted prometheus.Counter
	refused  map[string]prometheus.Counter
	keep     func(Refused)

	mu      sync.Mutex
	last    time.Time // when a refusal was logged last
	leftOut int       // refusals since that were not
}

// NewDoor makes the door of the input of that name. keep gets what is refused and must be quick; log carries the name
// already.
func NewDoor(name string, log *slog.Logger, m *Metrics, keep func(Refused)) *Door {
	d := &Door{name: name, log: log, accepted: m.alerts.WithLabelValues(name), refused: map[string]prometheus.Counter{}, keep: keep}
	for _, reason := range Reasons() {
		d.refused[reason] = m.refused.WithLabelValues(name, reason)
	}
	return d
}

const (
	// firstWait and longestWait bound the time between two tries to put alerts into a journal that takes none.
	firstWait   = 100 * time.Millisecond
	longestWait = 5 * time.Second
)

// Put puts alerts in. It tries until the journal has them; the only error is ctx's. One that is larger than the
// journal takes is refused, and the others are taken.
func (d *Door) Put(ctx context.Context, put Put, alerts []*alert.Alert) error {
	failed := ""
	for wait := firstWait; len(alerts) > 0; wait = min(2*wait, longestWait) {
		err := put(ctx, alerts)
		switch {
		case err == nil:
			d.accepted.Add(float64(len(alerts)))
			if failed != "" {
				d.log.Info("the journal takes alerts again")
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrTooLarge) && len(alerts) == 1:
			d.Refuse("", []byte(alerts[0].Raw()), TooLarge, err)
			return nil
		case errors.Is(err, ErrTooLarge):
			for i := range alerts {
				if err := d.Put(ctx, put, alerts[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		}
		if text := err.Error(); text != failed {
			failed = text
			d.log.Warn("the journal takes no alerts, the input waits", "error", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// keptOfRefused is how much of what is refused is handed on, in bytes.
const keptOfRefused = 64 << 10

// Refuse counts, logs and hands on what was no alert. body is copied. The reason is one of [Reasons], or that of err
// where err is an [alert.Refusal].
func (d *Door) Refuse(remote string, body []byte, reason string, err error) {
	if refusal, ok := errors.AsType[*alert.Refusal](err); ok {
		reason = string(refusal.Reason)
	}
	if counter, ok := d.refused[reason]; ok {
		counter.Inc()
	}
	now := time.Now()
	d.keep(Refused{Time: now, Remote: remote, Reason: reason, Error: err.Error(), Body: bytes.Clone(body[:min(len(body), keptOfRefused)])})
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.last) < time.Second {
		d.leftOut++
		return
	}
	args := []any{"remote", remote, "reason", reason, "error", err}
	if d.leftOut > 0 {
		args = append(args, "left_out", d.leftOut)
	}
	d.last, d.leftOut = now, 0
	d.log.Warn("no alert, passed over", args...)
}

const (
	// together bounds how many alerts are put in at once, and togetherBytes their size, about.
	together      = 512
	togetherBytes = 1 << 20
)

// Pump puts in what comes over a channel, as much at once as is there, until the channel is closed or ctx ends. It
// tells done how many are in the journal then, each time.
func (d *Door) Pump(ctx context.Context, put Put, from <-chan *alert.Alert, done func(n int)) error {
	batch := make([]*alert.Alert, 0, together)
	for {
		select {
		case a, ok := <-from:
			if !ok {
				return nil
			}
			batch = append(batch, a)
		case <-ctx.Done():
			return ctx.Err()
		}
		size := batch[0].RecordSize()
		more := true
		for more && len(batch) < together && size < togetherBytes {
			select {
			case a, ok := <-from:
				if more = ok; ok {
					batch = append(batch, a)
					size += a.RecordSize()
				}
			default:
				more = false
			}
		}
		if err := d.Put(ctx, put, batch); err != nil {
			return err
		}
		done(len(batch))
		clear(batch)
		batch = batch[:0]
	}
}

// Linger gives a context that ends by d later than ctx: what was taken over before ctx ended has that long to get into
// the journal.
func Linger(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(d, cancel)
		context.AfterFunc(late, func() { timer.Stop() })
	})
	return late, func() {
		stop()
		cancel()
	}
}
