package loki

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// push brings one tenant's alerts of a batch to Loki.
//
// Loki answers 400 when it refuses anything at all, and has by then taken what was right (older versions: or not).
// Which alerts those are only its text says, in words that change. So what it refused is sent again in parts: each
// stream by itself, then what is left of a stream in halves, until the refusal speaks of one alert. What Loki has
// already taken does no harm when it comes again, since it keeps one of two lines with the same labels, time and text.
type push struct {
	out    *Output
	enc    *encoder
	tenant string
	batch  []*alert.Alert
	which  []int // those of the tenant

	failed   verdict.Partial
	requests int
	stop     error // an error that is about Loki rather than about an alert: what follows waits as well
}

// deliver sends the alerts that which lists, and notes those that failed.
func (p *push) deliver(ctx context.Context, which []int) {
	if p.stop != nil {
		p.fail(which, p.stop)
		return
	}
	answer, err := p.send(ctx, which)
	switch {
	case err == nil:
	case !verdict.IsPermanent(err):
		p.stop = err
		p.fail(which, err)
	case len(which) > 1 && verdict.ReasonOf(err) == verdict.TooLarge:
		half := len(which) / 2
		p.deliver(ctx, which[:half])
		p.deliver(ctx, which[half:])
	case len(which) > 1 && statusOf(err) == http.StatusBadRequest:
		for _, part := range p.split(which, answer, err) {
			p.deliver(ctx, part)
		}
	default:
		p.fail(which, err)
	}
}

func (p *push) fail(which []int, err error) {
	for _, i := range which {
		p.failed[i] = err
	}
}

// split parts what Loki has just answered 400 to.
func (p *push) split(which []int, answer []byte, err error) [][]int {
	if len(p.enc.streams) > 1 {
		return p.enc.alerts()
	}
	oldest, ok := oldestAcceptable(answer)
	if !ok {
		return halves(which)
	}
	var late, rest []int
	for _, i := range which {
		if p.batch[i].Time.Before(oldest) {
			late = append(late, i)
		} else {
			rest = append(rest, i)
		}
	}
	switch {
	case len(late) == 0:
		return halves(which)
	case len(rest) == 0:
		p.fail(late, err)
		return nil
	}
	p.fail(late, err)
	return [][]int{rest}
}

func halves(which []int) [][]int {
	half := len(which) / 2
	return [][]int{which[:half], which[half:]}
}

// Loki names a limit in seconds when it refuses a line as too old, both by its age and by how far it is behind its
// stream: then one look at the alerts replaces some twenty requests.
var acceptable = regexp.MustCompile(`oldest acceptable timestamp is: ([0-9TZ:+-]{20,25})`)

// oldestAcceptable reads the limit out of Loki's answer: the oldest, where there are several.
func oldestAcceptable(answer []byte) (time.Time, bool) {
	var oldest time.Time
	for _, match := range acceptable.FindAllSubmatch(answer, -1) {
		at, err := time.Parse(time.RFC3339, string(match[1]))
		if err == nil && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest, !oldest.IsZero()
}

// Refusals that are about how Loki, or this output, is set up rather than about an alert. Someone will mend that, so
// the alerts wait.
var (
	errBlocked  = errors.New("loki is set to take no logs at present (limits_config.block_ingestion_until or a policy's)")
	errMetadata = errors.New("loki takes no structured metadata: allow it there (limits_config.allow_structured_metadata), or set structuredmetadata: false")
)

// send makes one request.
func (p *push) send(ctx context.Context, which []int) (answer []byte, err error) {
	p.requests++
	answer, err = p.out.post(ctx, p.tenant, p.enc.encode(p.batch, which), p.enc.lent)
	switch {
	case (err == nil || verdict.IsPermanent(err)) && bytes.Contains(answer, []byte("ingestion blocked for user")):
		// Its own choice of status is 260, that clients shall think all is well, but what it was sent is gone.
		return answer, verdict.Because(verdict.Rejected, errBlocked)
	case statusOf(err) == http.StatusBadRequest && bytes.Contains(answer, []byte("structured metadata, but this feature is disallowed")):
		return answer, verdict.Because(verdict.Rejected, errMetadata)
	}
	return answer, err
}

func statusOf(err error) int {
	if status, ok := errors.AsType[*httpx.StatusError](err); ok {
		return status.Status
	}
	return 0
}
