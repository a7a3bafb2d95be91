// Package source is the contract of a way in: Falco's HTTP output, its gRPC API, files, the probe.
package source

import (
	"context"
	"errors"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Put takes alerts in: all of them or none. It returns nil once they are safe in the journal. Any error means that
// the sender must not be told that they are: [ErrTooLarge] that they will never fit, any other that the journal
// cannot take them now.
type Put func(ctx context.Context, alerts []*alert.Alert) error

// ErrTooLarge says that an alert is larger than the journal can ever hold.
var ErrTooLarge = errors.New("the alert is larger than the journal takes")

// A Source brings alerts in until ctx ends.
type Source interface {
	Run(ctx context.Context, put Put) error
}
