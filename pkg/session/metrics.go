package session

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tiercel/tiercel/pkg/session/line"
)

type metrics struct {
	open     prometheus.Gauge
	sessions *prometheus.CounterVec
	lines    *prometheus.CounterVec
	secrets  prometheus.Counter
	redacted prometheus.Counter
	lost     prometheus.Counter
	refused  prometheus.Counter
	excepted prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tiercel_sessions_open", Help: "Terminal sessions that are open now.",
		}),
		sessions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tiercel_sessions_total", Help: "Terminal sessions that were opened, by where they came from.",
		}, []string{"origin"}),
		lines: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tiercel_session_lines_total", Help: "Lines that were recorded, by how sure their text is.",
		}, []string{"confidence"}),
		secrets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_session_secrets_withheld_total", Help: "Lines that were typed without echo; nothing of them is recorded.",
		}),
		redacted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_session_redactions_total", Help: "Places in lines that were hidden.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_session_lines_after_loss_total", Help: "Lines in which events of the terminal were missing; their text may be wrong.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_sessions_refused_total", Help: "Terminal sessions that are not followed because there are too many.",
		}),
		excepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tiercel_session_lines_excepted_total", Help: "Lines that the config keeps out of the records.",
		}),
	}
	for _, o := range []string{
		OriginSSH, OriginConsole, OriginKubectl, OriginContainer, OriginNsenter, OriginSu, OriginSudo, OriginTmux, OriginScreen, OriginScript, OriginUnknown,
	} {
		m.sessions.WithLabelValues(o)
	}
	for _, c := range []line.Confidence{line.Exact, line.Screen, line.Keys} {
		m.lines.WithLabelValues(c.String())
	}
	if r != nil {
		r.MustRegister(m.open, m.sessions, m.lines, m.secrets, m.redacted, m.lost, m.refused, m.excepted)
	}
	return m
}
