package proctree

import (
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	processes, cgroups, argBytes prometheus.Gauge
	evicted, holes, missedExits  prometheus.Counter
	cut                          prometheus.Counter

	seen [3]int // what the gauges show, so that they are written only when that changes
}

func newMetrics() metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "tiercel_processes" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "tiercel_processes_" + name + "_total", Help: help})
	}
	return metrics{
		processes:   gauge("", "Processes in the table, those that have ended a moment ago included."),
		cgroups:     gauge("_cgroups", "Cgroups that processes in the table are in."),
		argBytes:    gauge("_argument_bytes", "Bytes of arguments in the table of processes."),
		evicted:     counter("evicted", "Processes that were forgotten because the table was full; their children have fewer ancestors."),
		holes:       counter("unannounced", "Processes that were seen without their start: events were lost, or the process is above a container's own."),
		missedExits: counter("missed_exits", "Processes whose end was not seen: their pid was given to another, or they were gone when looked for."),
		cut:         counter("cut_arguments", "Command lines that were cut because all of them together took too much memory."),
	}
}

func (m *metrics) register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.processes, m.cgroups, m.argBytes, m.evicted, m.holes, m.missedExits, m.cut} {
		if err := r.Register(c); err != nil {
			return err //nolint:wrapcheck // wrapped above
		}
	}
	return nil
}

func (m *metrics) set(t *Tree) {
	now := [3]int{t.count, len(t.cgroups), t.argBytes}
	if now == m.seen {
		return
	}
	if now[0] != m.seen[0] {
		m.processes.Set(float64(now[0]))
	}
	if now[1] != m.seen[1] {
		m.cgroups.Set(float64(now[1]))
	}
	if now[2] != m.seen[2] {
		m.argBytes.Set(float64(now[2]))
	}
	m.seen = now
}
