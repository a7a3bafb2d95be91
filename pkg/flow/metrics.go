package flow

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/verdict"
)

// metrics are those of all lanes. Labels come from closed sets: the configured outputs and verdict.Reasons.
type metrics struct {
	outputs        *prometheus.CounterVec
	sent           *prometheus.CounterVec
	filtered       *prometheus.CounterVec
	retried        *prometheus.CounterVec
	dead           *prometheus.CounterVec
	whenErrors     *prometheus.CounterVec
	batchAlerts    *prometheus.HistogramVec
	requestSeconds *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"output"})
		reg.MustRegister(h)
		return h
	}
	return &metrics{
		outputs: counter("falcosecurity_falcosidekick_outputs_total",
			"Alerts by destination: ok when delivered, error for each alert of a try that failed. As falcosidekick names it.", "destination", "status"),
		sent:           counter("tiercel_output_sent_alerts_total", "Alerts delivered.", "output"),
		filtered:       counter("tiercel_output_filtered_alerts_total", "Alerts that the output's when expression did not let through.", "output"),
		retried:        counter("tiercel_output_failed_alerts_total", "Alerts in tries that failed, by reason. Each is tried again or becomes a dead letter.", "output", "reason"),
		dead:           counter("tiercel_output_dead_alerts_total", "Alerts given up and kept as dead letters, by reason.", "output", "reason"),
		whenErrors:     counter("tiercel_output_when_errors_total", "Alerts on which the output's when expression failed; they were sent.", "output"),
		batchAlerts:    histogram("tiercel_output_batch_alerts", "Alerts in one batch.", prometheus.ExponentialBuckets(1, 4, 7)),
		requestSeconds: histogram("tiercel_output_request_seconds", "Time that the output took for one batch.", prometheus.ExponentialBuckets(0.001, 3, 10)),
	}
}

// laneMetrics are one lane's, looked up once and all there from the start, at zero.
type laneMetrics struct {
	ok, failed, sent, filtered, whenErrors prometheus.Counter
	batchAlerts, requestSeconds            prometheus.Observer
	retriedBy, deadBy                      map[verdict.Reason]prometheus.Counter
}

func (m *metrics) lane(name string) *laneMetrics {
	l := &laneMetrics{
		ok:             m.outputs.WithLabelValues(name, "ok"),
		failed:         m.outputs.WithLabelValues(name, "error"),
		sent:           m.sent.WithLabelValues(name),
		filtered:       m.filtered.WithLabelValues(name),
		whenErrors:     m.whenErrors.WithLabelValues(name),
		batchAlerts:    m.batchAlerts.WithLabelValues(name),
		requestSeconds: m.requestSeconds.WithLabelValues(name),
		retriedBy:      map[verdict.Reason]prometheus.Counter{},
		deadBy:         map[verdict.Reason]prometheus.Counter{},
	}
	for _, reason := range verdict.Reasons() {
		l.retriedBy[reason] = m.retried.WithLabelValues(name, string(reason))
		l.deadBy[reason] = m.dead.WithLabelValues(name, string(reason))
	}
	return l
}

func (l *laneMetrics) retried(reason verdict.Reason) { l.retriedBy[reason].Inc() }
func (l *laneMetrics) dead(reason verdict.Reason)    { l.deadBy[reason].Inc() }

// lagCollector asks the lanes for their lag when it is scraped.
type lagCollector struct{ flow *Flow }

func lagDescs() (alerts, seconds *prometheus.Desc) {
	return prometheus.NewDesc("tiercel_output_lag_alerts", "Alerts accepted that the output wants and does not have yet.", []string{"output"}, nil),
		prometheus.NewDesc("tiercel_output_lag_seconds", "Age of the oldest of them, since it was accepted.", []string{"output"}, nil)
}

// Describe sends the two descriptions.
func (c *lagCollector) Describe(ch chan<- *prometheus.Desc) {
	alerts, seconds := lagDescs()
	ch <- alerts
	ch <- seconds
}

// Collect sends both gauges of each lane.
func (c *lagCollector) Collect(ch chan<- prometheus.Metric) {
	alerts, seconds := lagDescs()
	for _, l := range c.flow.all() {
		if l.hasEnded() {
			continue
		}
		s := l.state()
		ch <- prometheus.MustNewConstMetric(alerts, prometheus.GaugeValue, float64(s.Lag), l.name)
		ch <- prometheus.MustNewConstMetric(seconds, prometheus.GaugeValue, s.LagSeconds, l.name)
	}
}
