package loki

import (
	"fmt"
	"time"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/verdict"
)

// timestamp is a line's time. Loki counts nanoseconds in an int64, so it has times from 1677-09-21 to 2262-04-11.
type timestamp struct{ seconds, nanos int64 }

func timestampOf(t time.Time) timestamp { return timestamp{t.Unix(), int64(t.Nanosecond())} }

func (t timestamp) unixNano() int64 { return t.seconds*int64(time.Second) + t.nanos }

// checkTime reports an alert whose time Loki has no number for. It says so itself with an error for the whole request
// or, worse, with another time.
func checkTime(a *alert.Alert) error {
	if at := time.Unix(0, a.Time.UnixNano()); at.Equal(a.Time) {
		return nil
	}
	return verdict.Permanent(verdict.Because(verdict.Encoding,
		fmt.Errorf("the alert's time %s is not between the years 1678 and 2262, as Loki needs it", a.Time.Format(time.RFC3339))))
}
