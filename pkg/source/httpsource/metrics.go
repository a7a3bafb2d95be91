package httpsource

import (
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
)

// Reasons for refusing a request, besides those of [alert.Reason].
const (
	reasonMethod      = "method"
	reasonToken       = "unauthorized"
	reasonTooLarge    = "too_large"
	reasonEncoding    = "unknown_encoding"
	reasonGzip        = "bad_gzip"
	reasonSlow        = "body_timeout"
	reasonCut         = "body_cut"
	reasonBusy        = "busy"
	reasonUnavailable = "unavailable"
	reasonInternal    = "internal"
)

// reasons is the closed list of them all.
var reasons = []string{
	string(alert.NotJSON), string(alert.NotAnAlert), string(alert.Empty), string(alert.MissingMember), string(alert.WrongType),
	string(alert.BadValue), string(alert.TooDeep),
	reasonMethod, reasonToken, reasonTooLarge, reasonEncoding, reasonGzip, reasonSlow, reasonCut, reasonBusy, reasonUnavailable, reasonInternal,
}

type metrics struct {
	alerts   prometheus.Counter // accepted
	requests prometheus.Counter // rejected
	refused  map[string]prometheus.Counter
	bytes    prometheus.Counter
	seconds  prometheus.Histogram
	inFlight atomic.Int64
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	inputs := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "falcosecurity_falcosidekick_inputs_total",
		Help: "Alerts accepted, and requests rejected.",
	}, []string{"source", "status"})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tiercel_receiver_refused_total",
		Help: "Requests refused, by reason; docs/receiver.md lists the reasons.",
	}, []string{"reason"})
	m := &metrics{
		alerts:   inputs.WithLabelValues("requests", "accepted"),
		requests: inputs.WithLabelValues("requests", "rejected"),
		refused:  make(map[string]prometheus.Counter, len(reasons)),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_receiver_body_bytes_total",
			Help: "Bytes of bodies received, after decompression.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tiercel_receiver_request_seconds",
			Help:    "Time from when a body is there until its alerts are safe, which is what a sender waits for.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	for _, reason := range reasons {
		m.refused[reason] = refused.WithLabelValues(reason)
	}
	inFlight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tiercel_receiver_in_flight",
		Help: "Requests with alerts that are not answered yet.",
	}, func() float64 { return float64(m.inFlight.Load()) })
	for _, c := range []prometheus.Collector{inputs, refused, m.bytes, m.seconds, inFlight} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the receiver's metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) rejected(reason string) {
	m.requests.Inc()
	m.refused[reason].Inc()
}
