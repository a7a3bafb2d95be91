package journal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/size"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// DeadLetter is an alert that an output could not be given.
type DeadLetter struct {
	ID       uint64         // its number in the stream of dead letters
	Lane     string         // the output
	Buried   time.Time      // when it was given up
	Reason   verdict.Reason // why
	Attempts int            // tries before that
	Answer   string         // the last error, with what the other side answered
	Alert    *alert.Alert

	// Sequence and Number are those of the [Entry] that is buried. They tell one that is buried twice from one that
	// was retried and failed again. They are not kept.
	Sequence uint64
	Number   uint32
}

// Headers of a dead letter's message.
const (
	headerLane     = "Tiercel-Lane"
	headerReason   = "Tiercel-Reason"
	headerAttempts = "Tiercel-Attempts"
	headerAnswer   = "Tiercel-Answer"
)

// ErrNoDeadLetter says that there is no dead letter of that number.
var ErrNoDeadLetter = errors.New("there is no such dead letter")

// errNeverFits says that a dead letter is larger than there could ever be room for.
var errNeverFits = errors.New("the dead letter is larger than the journal can take")

// Bury writes dead letters. When it returns nil they are safe, and the lane may go on. One that is larger than all dead
// letters may be together is cut to its beginning, for it would be tried for ever.
func (j *Journal) Bury(ctx context.Context, letters ...DeadLetter) error {
	for _, letter := range letters {
		err := j.bury(ctx, letter, letter.Alert)
		if errors.Is(err, errNeverFits) {
			j.metrics.deadCut.Inc()
			j.log.Error("a dead letter is larger than there is room for: only its beginning is kept",
				"output", letter.Lane, "rule", letter.Alert.Rule, "uuid", letter.Alert.ID.String(), "error", err)
			err = j.bury(ctx, letter, beginning(letter.Alert))
		}
		if err != nil {
			return fmt.Errorf("burying an alert of output %s: %w", letter.Lane, err)
		}
	}
	return nil
}

// bury writes the dead letter of an alert, which may be a shorter form of the letter's.
func (j *Journal) bury(ctx context.Context, letter DeadLetter, a *alert.Alert) error {
	frame := appendFrame(nil, a)
	if len(frame) > packFrames {
		return fmt.Errorf("%w: it has %d bytes", errNeverFits, len(frame))
	}
	msg := &nats.Msg{
		Subject: j.names.deadLetters(letter.Lane),
		Header: nats.Header{
			headerLane:     {letter.Lane},
			headerReason:   {string(letter.Reason)},
			headerAttempts: {strconv.Itoa(letter.Attempts)},
			headerAnswer:   {headerText(letter.Answer)},
		},
		Data: appendPack(nil, frame, 1, odometer{}),
	}
	// Buried twice, because the first answer did not come, it is one dead letter. Retried and buried again it is a
	// new one: the first is removed by the retry. So is another alert to which its sender gave the same UUID.
	id := fmt.Sprintf("%s %s %d %d %d", letter.Lane, letter.Alert.ID, letter.Alert.Received.UnixNano(), letter.Sequence, letter.Number)
	for {
		l, err := j.current(ctx)
		if err != nil {
			return err
		}
		if err := j.diskGuard(); err != nil {
			return err
		}
		err = l.write(ctx, msg, id)
		if errors.Is(err, nats.ErrMaxPayload) {
			return fmt.Errorf("%w: it has %d bytes: %w", errNeverFits, len(msg.Data), err)
		}
		if err == nil || !isFull(err) {
			return err
		}
		if size.Bytes(len(msg.Data)) >= j.cfg.DeadLetters.MaxSize {
			return fmt.Errorf("%w: it has %d bytes, journal.deadletters.maxsize is %s", errNeverFits, len(msg.Data), j.cfg.DeadLetters.MaxSize)
		}
		if err := j.evict(ctx, l); err != nil {
			return err
		}
	}
}

// beginning is what is kept of an alert of which the whole does not fit.
func beginning(a *alert.Alert) *alert.Alert {
	const most = 1 << 10
	cut := func(text string) string {
		if len(text) <= most {
			return text
		}
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	note := fmt.Sprintf("the alert had about %d bytes, more than journal.deadletters.maxsize has room for", a.RecordSize())
	return &alert.Alert{
		ID: a.ID, Received: a.Received, Time: a.Time, Priority: a.Priority,
		Rule: cut(a.Rule), Source: cut(a.Source), Hostname: cut(a.Hostname), Output: cut(a.Output),
		Fields: alert.FieldsOf(alert.Field{Name: "tiercel.cut", Value: alert.String(note)}),
	}
}

// evict removes the oldest dead letters, a few at a time, and counts them.
func (j *Journal) evict(ctx context.Context, l *link) error {
	info, err := l.buried.Info(ctx)
	if err != nil {
		return fmt.Errorf("looking for the oldest dead letters: %w", err)
	}
	if info.State.Msgs == 0 {
		return fmt.Errorf("%w: nothing else is kept", errNeverFits)
	}
	oldest := max(info.State.Msgs/100, 1)
	if err := l.buried.Purge(ctx, jetstream.WithPurgeKeep(info.State.Msgs-oldest)); err != nil {
		return fmt.Errorf("removing the oldest dead letters: %w", err)
	}
	j.metrics.deadEvicted.Add(float64(oldest))
	j.log.Debug("there is no more room for dead letters: the oldest were removed", "deadletters", oldest)
	return nil
}

// headerText makes a text fit for a header: one line, bounded.
func headerText(text string) string {
	const most = 2048
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// DeadLetters calls yield for each dead letter, the oldest first, of one lane or, with an empty name, of all, until
// yield returns false.
func (j *Journal) DeadLetters(ctx context.Context, lane string, yield func(DeadLetter) bool) error {
	l, err := j.current(ctx)
	if err != nil {
		return err
	}
	subject := j.names.prefix + ".dead.*"
	if lane != "" {
		subject = j.names.deadLetters(lane)
	}
	for next := uint64(1); ; {
		msg, err := l.buried.GetMsg(ctx, next, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading dead letters: %w", err)
		}
		next = msg.Sequence + 1
		letter, err := deadLetter(msg)
		if err != nil {
			j.log.Warn("a dead letter cannot be read", "id", msg.Sequence, "error", err)
			continue
		}
		if !yield(letter) {
			return nil
		}
	}
}

// DeadLetter returns the dead letter with that number, or ErrNoDeadLetter.
func (j *Journal) DeadLetter(ctx context.Context, id uint64) (DeadLetter, error) {
	l, err := j.current(ctx)
	if err != nil {
		return DeadLetter{}, err
	}
	msg, err := l.buried.GetMsg(ctx, id)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return DeadLetter{}, fmt.Errorf("%w: %d", ErrNoDeadLetter, id)
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("reading dead letter %d: %w", id, err)
	}
	return deadLetter(msg)
}

func deadLetter(msg *jetstream.RawStreamMsg) (DeadLetter, error) {
	a, err := buriedAlert(msg.Data)
	if err != nil {
		return DeadLetter{}, err
	}
	attempts, _ := strconv.Atoi(msg.Header.Get(headerAttempts)) // ours; a missing one is 0
	return DeadLetter{
		ID:       msg.Sequence,
		Lane:     msg.Header.Get(headerLane),
		Buried:   msg.Time,
		Reason:   verdict.Reason(msg.Header.Get(headerReason)),
		Attempts: attempts,
		Answer:   msg.Header.Get(headerAnswer),
		Alert:    a,
	}, nil
}

// buriedAlert reads the alert of a dead letter: a pack of one. Versions before packs were compressed wrote its record.
func buriedAlert(data []byte) (*alert.Alert, error) {
	if len(data) > 0 && data[0] == alert.RecordVersion {
		return alert.ParseRecord(data)
	}
	pack, err := parsePack(data)
	if err != nil {
		return nil, err
	}
	if len(pack.frames) != 1 {
		return nil, fmt.Errorf("%w: %d alerts, expected 1", errPack, len(pack.frames))
	}
	return pack.frames[0].open()
}

// Retry gives a dead letter to a lane again, or to another one, and removes it. The lane must have a place in the
// journal: otherwise nobody would take it.
func (j *Journal) Retry(ctx context.Context, id uint64, lane string) error {
	letter, err := j.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	if lane == "" {
		lane = letter.Lane
	}
	l, err := j.current(ctx)
	if err != nil {
		return err
	}
	if _, err := l.alerts.Consumer(ctx, j.names.consumer(lane)); err != nil {
		return fmt.Errorf("output %s has no place in the journal, so nobody would take the alert: %w", lane, err)
	}
	payload := appendPack(nil, appendFrame(nil, letter.Alert), 1, odometer{})
	// Asked for twice within a short time, it is sent once.
	key := fmt.Sprintf("retry-%d-%d", id, letter.Buried.UnixNano())
	if err := l.write(ctx, &nats.Msg{Subject: j.names.retry(lane), Header: nats.Header{}, Data: payload}, key); err != nil {
		return fmt.Errorf("giving dead letter %d to output %s again: %w", id, lane, err)
	}
	return j.Drop(ctx, id)
}

// Drop removes a dead letter for good.
func (j *Journal) Drop(ctx context.Context, id uint64) error {
	if _, err := j.DeadLetter(ctx, id); err != nil {
		return err
	}
	l, err := j.current(ctx)
	if err != nil {
		return err
	}
	if err := l.buried.DeleteMsg(ctx, id); err != nil {
		return fmt.Errorf("removing dead letter %d: %w", id, err)
	}
	return nil
}
