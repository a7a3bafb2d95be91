package httpsource

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/tiercel/tiercel/pkg/alert"
)

// receive takes the alerts of a body. It is the hot path: one call for each alert of each Falco.
func (s *Source) receive(c *gin.Context) {
	r := c.Request
	if r.Method != http.MethodPost {
		s.refuseMethod(c)
		return
	}
	if !s.cfg.Receiver.Token.IsZero() && !s.authorized(r) {
		s.refuseToken(c)
		return
	}
	s.metrics.inFlight.Add(1)
	defer s.metrics.inFlight.Add(-1)

	b := bodies.Get().(*body)
	defer s.release(b)
	if err := s.read(b, c.Writer, r); err != nil {
		s.refuseBody(c, b.text, err)
		return
	}
	s.metrics.bytes.Add(float64(len(b.text)))
	received := s.deps.Now()
	alerts, err := alert.Decode(b.text, received, s.cfg.Receiver.MaxDepth)
	if err != nil {
		s.refuseAlert(c, b.text, err)
		return
	}
	if err := s.put(s.base, alerts); err != nil {
		s.refusePut(c, b.text, err)
		return
	}
	s.metrics.alerts.Add(float64(len(alerts)))
	s.metrics.seconds.Observe(s.deps.Now().Sub(received).Seconds())
	c.Status(http.StatusOK)
}

// release ends the use of a body. Its bytes count until its alerts are safe, for they hold a copy of it.
func (s *Source) release(b *body) {
	s.budget.give(b.taken)
	b.taken = 0
	b.free()
}

// test puts the test alert in.
func (s *Source) test(c *gin.Context) {
	if c.Request.Method != http.MethodPost {
		s.refuseMethod(c)
		return
	}
	if !s.cfg.Receiver.Token.IsZero() && !s.authorized(c.Request) {
		s.refuseToken(c)
		return
	}
	if err := s.put(s.base, []*alert.Alert{s.deps.Test()}); err != nil {
		s.refusePut(c, nil, err)
		return
	}
	s.metrics.alerts.Inc()
	c.Status(http.StatusOK)
}

// authorized compares the sender's token in constant time. Falco can send one only as the password in its URL, which
// becomes Basic; the user name says nothing.
func (s *Source) authorized(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given = strings.TrimSpace(given)
	switch strings.ToLower(scheme) {
	case "bearer":
	case "basic":
		pair, err := base64.StdEncoding.DecodeString(given)
		if err != nil {
			return false
		}
		_, given, _ = strings.Cut(string(pair), ":")
	default:
		return false
	}
	return subtle.ConstantTimeCompare([]byte(given), []byte(s.cfg.Receiver.Token.Reveal())) == 1
}
