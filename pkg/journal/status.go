package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/tiercel/tiercel/pkg/size"
)

// Status is what there is to know about the journal.
type Status struct {
	Bytes       size.Bytes    `json:"bytes"`       // of undelivered alerts
	Limit       size.Bytes    `json:"limit"`       // Config.MaxSize
	Packs       uint64        `json:"packs"`       // whose alerts are not all delivered
	Oldest      time.Duration `json:"oldest"`      // age of the oldest pack, 0 when there is none
	Free        size.Bytes    `json:"free"`        // of the disk, 0 when it is not ours to know
	DeadLetters uint64        `json:"deadletters"` // kept
	DeadBytes   size.Bytes    `json:"deadbytes"`
	Err         string        `json:"error,omitempty"` // why it takes no alerts now
}

// Status asks the streams how they are.
func (j *Journal) Status(ctx context.Context) (Status, error) {
	s := Status{Limit: j.cfg.MaxSize}
	l, err := j.current(ctx)
	if err != nil {
		s.Err = err.Error()
		return s, err
	}
	alerts, err := l.alerts.Info(ctx)
	if err != nil {
		return s, fmt.Errorf("asking the stream %s: %w", j.names.alertsStream(), err)
	}
	dead, err := l.buried.Info(ctx)
	if err != nil {
		return s, fmt.Errorf("asking the stream %s: %w", j.names.deadStream(), err)
	}
	s.Bytes = size.Bytes(min(alerts.State.Bytes, 1<<62))
	s.Packs = alerts.State.Msgs
	if s.Packs > 0 {
		s.Oldest = max(time.Since(alerts.State.FirstTime), 0)
	}
	s.DeadLetters = dead.State.Msgs
	s.DeadBytes = size.Bytes(min(dead.State.Bytes, 1<<62))
	if err := j.diskGuard(); err != nil {
		s.Err = err.Error()
	}
	if j.cfg.URL == "" && j.cfg.Storage == StorageFile {
		if s.Free, err = freeSpace(j.cfg.Dir); err != nil {
			j.log.Debug("the free space is not known", "error", err)
		}
	}
	return s, nil
}
