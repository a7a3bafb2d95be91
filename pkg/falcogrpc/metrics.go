package falcogrpc

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	subscribers prometheus.Gauge
	sent        prometheus.Counter
	cut         prometheus.Counter
	resumed     prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		subscribers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tiercel_grpc_subscribers",
			Help: "Subscribers that are connected.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_grpc_sent_alerts_total",
			Help: "Alerts sent to subscribers, once for each of them.",
		}),
		cut: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_grpc_cut_total",
			Help: "Subscribers that were cut because they were further behind than grpc.buffer.",
		}),
		resumed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_grpc_resumed_total",
			Help: "Times that a subscriber asked for its place in the journal.",
		}),
	}
	reg.MustRegister(m.subscribers, m.sent, m.cut, m.resumed)
	return m
}
