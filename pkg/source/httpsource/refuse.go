package httpsource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/tiercel/tiercel/pkg/alert"
	"github.com/tiercel/tiercel/pkg/source"
)

// keptOfRefused is how much of a refused body is handed on, in bytes.
const keptOfRefused = 64 << 10

// refusal is the body of an answer that is no 200.
type refusal struct {
	Error    string `json:"error"`
	Index    *int   `json:"index,omitempty"` // which value of the body, from 0
	Member   string `json:"member,omitempty"`
	Expected string `json:"expected,omitempty"`
	Got      string `json:"got,omitempty"`
	Reason   string `json:"reason"`
}

func (s *Source) answer(c *gin.Context, status int, r refusal) {
	text, err := json.Marshal(r)
	if err != nil { // cannot happen: texts and a number
		text = []byte(`{"error":"internal error","reason":"internal"}`)
	}
	c.Writer.Header()["Content-Type"] = []string{"application/json"}
	c.Writer.WriteHeader(status)
	_, _ = c.Writer.Write(append(text, '\n')) // an error is the sender's, who is gone
}

// refuseMethod answers as falcosidekick does, word for word.
func (s *Source) refuseMethod(c *gin.Context) {
	s.metrics.rejected(reasonMethod)
	http.Error(c.Writer, "Please send with post http method", http.StatusBadRequest)
}

func (s *Source) refuseToken(c *gin.Context) {
	s.metrics.rejected(reasonToken)
	s.noise.warn("a sender without the right token", "remote", c.Request.RemoteAddr)
	c.Writer.Header()["Www-Authenticate"] = []string{`Bearer realm="tiercel"`, `Basic realm="tiercel"`}
	s.answer(c, http.StatusUnauthorized, refusal{
		Error:  "expected the token of receiver.token, as Authorization: Bearer TOKEN, or as the password of Basic",
		Reason: reasonToken,
	})
}

// refuseBody answers for a body that could not be read; read is what came of it.
func (s *Source) refuseBody(c *gin.Context, read []byte, err error) {
	var badGzip gzipError
	status, reason, text := http.StatusBadRequest, reasonCut, fmt.Sprintf("the body broke off: %v", err)
	switch {
	case errors.Is(err, errTooLarge):
		status, reason = http.StatusRequestEntityTooLarge, reasonTooLarge
		text = fmt.Sprintf("expected a body of at most %s after decompression (receiver.maxbody)", s.cfg.Receiver.MaxBody)
	case errors.Is(err, errEncoding):
		status, reason, text = http.StatusUnsupportedMediaType, reasonEncoding, err.Error()
		c.Writer.Header()["Accept-Encoding"] = []string{"gzip"} // as RFC 9110 has it for a 415
	case errors.As(err, &badGzip):
		reason, text = reasonGzip, err.Error()
	case errors.Is(err, errBusy):
		s.refuseBusy(c, reasonBusy, err.Error())
		return
	case isTimeout(err):
		status, reason = http.StatusRequestTimeout, reasonSlow
		text = fmt.Sprintf("the body did not come in within %s (receiver.bodytimeout)", s.cfg.Receiver.BodyTimeout)
		c.Writer.Header()["Connection"] = []string{"close"}
	}
	s.refused(c, read, reason, text)
	s.answer(c, status, refusal{Error: text, Reason: reason})
}

// refuseAlert answers for a body that holds something else than alerts.
func (s *Source) refuseAlert(c *gin.Context, read []byte, err error) {
	var why *alert.Refusal
	if !errors.As(err, &why) {
		s.fail(c, err)
		return
	}
	s.refused(c, read, string(why.Reason), why.Error())
	s.answer(c, http.StatusBadRequest, refusal{
		Error: why.Error(), Index: &why.Index, Member: why.Member, Expected: why.Expected, Got: why.Got, Reason: string(why.Reason),
	})
}

// refusePut answers for alerts that did not get into the journal.
func (s *Source) refusePut(c *gin.Context, read []byte, err error) {
	if errors.Is(err, source.ErrTooLarge) {
		s.refused(c, read, reasonTooLarge, err.Error())
		s.answer(c, http.StatusRequestEntityTooLarge, refusal{Error: err.Error(), Reason: reasonTooLarge})
		return
	}
	s.refuseBusy(c, reasonUnavailable, "the alerts could not be stored, try again: "+err.Error())
}

// refuseBusy asks the sender to try again.
func (s *Source) refuseBusy(c *gin.Context, reason, text string) {
	s.metrics.rejected(reason)
	s.noise.warn("alerts turned away", "remote", c.Request.RemoteAddr, "reason", reason, "error", text)
	c.Writer.Header()["Retry-After"] = []string{"1"}
	s.answer(c, http.StatusServiceUnavailable, refusal{Error: text, Reason: reason})
}

// fail answers for an error of our own.
func (s *Source) fail(c *gin.Context, err error) {
	s.metrics.rejected(reasonInternal)
	s.deps.Log.Error("a request failed", "path", c.Request.URL.Path, "error", err)
	s.answer(c, http.StatusInternalServerError, refusal{Error: "internal error, see the log", Reason: reasonInternal})
}

// refused counts, logs and hands on a body that was at fault itself.
func (s *Source) refused(c *gin.Context, read []byte, reason, text string) {
	s.metrics.rejected(reason)
	s.noise.warn("a body refused", "remote", c.Request.RemoteAddr, "reason", reason, "error", text)
	if s.deps.Refused != nil {
		s.deps.Refused(Refused{
			Time: s.deps.Now(), Remote: c.Request.RemoteAddr, Reason: reason, Error: text,
			Body: bytes.Clone(read[:min(len(read), keptOfRefused)]),
		})
	}
}
