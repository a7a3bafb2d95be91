// Package outputs is the contract between Tiercel and the places that alerts go to. Each place has a folder below
// this one. A lane (pkg/flow) drives an [Output]; it owns batching, retry, time-outs, metrics and dead letters.
package outputs

import (
	"context"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/httpx"
)

// An Output delivers alerts to one place.
//
// Send is never called twice at once by one lane. ctx has a deadline. The batch holds 1 to Spec.Batch.Max alerts in
// the order in which they came in, all at or above the minimum priority; alerts are shared, so they are read, not
// written, and the slice is not kept.
//
// Send returns nil when the other side has all the alerts. Any other return says what to do next, see
// package verdict: an error as it is asks for another try of the whole batch, verdict.After for one not before some
// time, verdict.Permanent buries the batch, and verdict.Partial speaks of single alerts. Send retries nothing, counts
// nothing and logs nothing that it also returns. It may keep a connection, dials lazily and drops it on error.
//
// An output may also implement [Checker] and io.Closer.
type Output interface {
	Send(ctx context.Context, batch []*alert.Alert) error
}

// A Checker can tell whether its place would take alerts, without sending one. `tiercel check --connect` asks.
type Checker interface {
	Check(ctx context.Context) error
}

// Env is what an output is given besides its own config.
type Env struct {
	Name    string                // the instance: "slack", or "slack/oncall"
	Version string                // Tiercel's version, for a User-Agent
	Log     *slog.Logger          // carries the instance's name
	Metrics prometheus.Registerer // for metrics that only this output has; already labelled with the instance
	HTTP    httpx.Common          // what all HTTP clients share
	Stdout  io.Writer             // the process's standard output
}
