package probe

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrUnsupported is wrapped by the error of Open where this machine cannot run the probe at all.
var ErrUnsupported = errors.New("the probe cannot run on this machine")

// Stats counts what happened since Open.
type Stats struct {
	// Sent are the events that the kernel wrote, Received those that Run handed over, by kind. What was sent and neither
	// received nor lost still waits.
	Sent, Received [kindCount]uint64
	// Lost are those that did not get through, by kind and cause. Where the kind is not known it is KindNone.
	Lost [kindCount][causeCount]uint64
	// Filtered are the system calls that Options.Filter left out.
	Filtered uint64
	// Waiting is how many bytes are in the rings: of processes and terminals, and of everything else.
	Waiting [2]uint64
}

// LostTotal is the number of all events that did not get through.
func (s *Stats) LostTotal() uint64 {
	var n uint64
	for _, causes := range s.Lost {
		for _, count := range causes {
			n += count
		}
	}
	return n
}

// collector gives Stats as metrics.
type collector struct {
	stats                           func() Stats
	events, lost, filtered, waiting *prometheus.Desc
}

// NewCollector gives the Stats of a probe as metrics, for those that register them without having a probe yet.
func NewCollector(stats func() Stats) prometheus.Collector {
	return &collector{
		stats: stats,
		events: prometheus.NewDesc("tiercel_probe_events_total",
			"Events of the kernel that were taken from the probe's rings, by kind.", []string{"kind"}, nil),
		lost: prometheus.NewDesc("tiercel_probe_lost_total",
			"Events of the kernel that were lost, by kind and cause.", []string{"kind", "cause"}, nil),
		filtered: prometheus.NewDesc("tiercel_probe_filtered_total",
			"System calls that the probe's filters left out in the kernel.", nil, nil),
		waiting: prometheus.NewDesc("tiercel_probe_waiting_bytes",
			"Bytes in the probe's rings that were not taken yet.", []string{"ring"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	to <- c.events
	to <- c.lost
	to <- c.filtered
	to <- c.waiting
}

// Collect implements prometheus.Collector. Every series is there from the start.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := c.stats()
	for kind := KindExec; kind < kindCount; kind++ {
		to <- prometheus.MustNewConstMetric(c.events, prometheus.CounterValue, float64(s.Received[kind]), kind.String())
	}
	for kind := range kindCount {
		if kind == KindReady || kind == KindLost || kind == KindSnapshot {
			continue
		}
		for cause := range causeCount {
			to <- prometheus.MustNewConstMetric(c.lost, prometheus.CounterValue, float64(s.Lost[kind][cause]), kind.String(), cause.String())
		}
	}
	to <- prometheus.MustNewConstMetric(c.filtered, prometheus.CounterValue, float64(s.Filtered))
	for i, name := range [...]string{"process", "bulk"} {
		to <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(s.Waiting[i]), name)
	}
}
