package probesource

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the source counts. What the kernel's side counts, the probe has itself.
type metrics struct {
	evaluated prometheus.Counter
	matched   prometheus.Counter
	deferred  prometheus.Counter
	lost      *prometheus.CounterVec
	rules     prometheus.Gauge
	unmet     prometheus.Gauge
	reloadOK  prometheus.Gauge
	reloads   *prometheus.CounterVec
}

// Why alerts of the probe are lost.
const (
	lostQueue = "queue_full"
	lostLarge = "too_large"
	lostStop  = "stopping"
	// lostInvalid is for an alert that our own decoder refuses. That is a mistake of ours.
	lostInvalid = "invalid"
)

func newMetrics(r prometheus.Registerer, queued func() float64) *metrics {
	m := &metrics{
		evaluated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_rules_events_total", Help: "Events that rules were tested with.",
		}),
		matched: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_rules_matches_total", Help: "Rules that matched an event, an alert each.",
		}),
		deferred: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_rules_deferred_total", Help: "Events that waited for what the container's runtime says before rules were tested.",
		}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tiercel_probe_alerts_lost_total", Help: "Alerts of the probe that did not get into the journal, by reason.",
		}, []string{"reason"}),
		rules: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tiercel_rules", Help: "Rules in use.",
		}),
		unmet: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tiercel_rules_unmet", Help: "Rules in use that ask for something that no event has.",
		}),
		reloadOK: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tiercel_rules_reload_ok", Help: "1 when the rules in use are those of the files, 0 when the files could not be loaded the last time.",
		}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tiercel_rules_reloads_total", Help: "Times that rule files were loaded again, by result.",
		}, []string{"result"}),
	}
	queue := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tiercel_probe_queue_alerts", Help: "Alerts of the probe that wait for the journal.",
	}, queued)
	r.MustRegister(m.evaluated, m.matched, m.deferred, m.lost, m.rules, m.unmet, m.reloadOK, m.reloads, queue)
	for _, reason := range []string{lostQueue, lostLarge, lostStop, lostInvalid} {
		m.lost.WithLabelValues(reason)
	}
	for _, result := range []string{"ok", "failed"} {
		m.reloads.WithLabelValues(result)
	}
	m.reloadOK.Set(1)
	return m
}
