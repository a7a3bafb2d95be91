package journal

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/alert"
)

type metrics struct {
	written      prometheus.Counter
	writtenBytes prometheus.Counter
	packAlerts   prometheus.Histogram
	writeSeconds prometheus.Histogram
	writeErrors  prometheus.Counter
	restarts     prometheus.Counter
	damaged      prometheus.Counter
	discarded    [8]prometheus.Counter
	deadEvicted  prometheus.Counter
	deadCut      prometheus.Counter
	bytes        prometheus.Gauge
	limit        prometheus.Gauge
	packs        prometheus.Gauge
	age          prometheus.Gauge
	free         prometheus.Gauge
	dead         prometheus.Gauge
	deadBytes    prometheus.Gauge
	up           prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "tiercel_journal_" + name, Help: help})
		register(reg, c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "tiercel_journal_" + name, Help: help})
		register(reg, g)
		return g
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tiercel_journal_" + name, Help: help, Buckets: buckets})
		register(reg, h)
		return h
	}
	m := &metrics{
		written:      counter("written_alerts_total", "Alerts written to the journal."),
		writtenBytes: counter("written_bytes_total", "Bytes written to the journal."),
		packAlerts:   histogram("pack_alerts", "Alerts that shared one write.", prometheus.ExponentialBuckets(1, 4, 6)),
		writeSeconds: histogram("write_seconds", "Time for one write, with sync: always the fsync included.", prometheus.ExponentialBuckets(0.0001, 2.5, 12)),
		writeErrors:  counter("write_errors_total", "Writes without an answer; each was tried again."),
		restarts:     counter("restarts_total", "Restarts of the journal's connection, and of the embedded server, after it stopped answering."),
		damaged:      counter("damaged_total", "Packs and alerts that could not be read back."),
		deadEvicted:  counter("deadletters_evicted_total", "Dead letters that went because there was no more room for them."),
		deadCut:      counter("deadletters_cut_total", "Dead letters of which only the beginning was kept, because the whole was larger than all of them may be."),
		bytes:        gauge("bytes", "Bytes of undelivered alerts."),
		limit:        gauge("limit_bytes", "Most bytes that undelivered alerts may take."),
		packs:        gauge("packs", "Writes whose alerts are not all delivered."),
		age:          gauge("oldest_seconds", "Age of the oldest write whose alerts are not all delivered."),
		free:         gauge("disk_free_bytes", "Free space of the disk under the embedded journal."),
		dead:         gauge("deadletters", "Dead letters kept."),
		deadBytes:    gauge("deadletters_bytes", "Bytes of dead letters kept."),
		up:           gauge("up", "1 while the journal takes alerts."),
	}
	discarded := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tiercel_journal_discarded_alerts_total",
		Help: "Accepted alerts that were discarded because the journal was full, before every output had them.",
	}, []string{"priority"})
	register(reg, discarded)
	for _, p := range alert.Priorities() {
		m.discarded[p] = discarded.WithLabelValues(p.String())
	}
	return m
}

// register leaves the metrics of a command that looks at the journal unregistered.
func register(reg prometheus.Registerer, c prometheus.Collector) {
	if reg != nil {
		reg.MustRegister(c)
	}
}

func (m *metrics) wrote(alerts, bytes int) {
	m.written.Add(float64(alerts))
	m.writtenBytes.Add(float64(bytes))
	m.packAlerts.Observe(float64(alerts))
}

func (m *metrics) set(s Status) {
	m.bytes.Set(float64(s.Bytes))
	m.limit.Set(float64(s.Limit))
	m.packs.Set(float64(s.Packs))
	m.age.Set(s.Oldest.Seconds())
	m.free.Set(float64(s.Free))
	m.dead.Set(float64(s.DeadLetters))
	m.deadBytes.Set(float64(s.DeadBytes))
	m.up.Set(1)
	if s.Err != "" {
		m.up.Set(0)
	}
}
