package httpsource

import (
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
)

// paths are what can be served; every path that is not among them is served as /.
var paths = []string{"/", "/ping", "/healthz", "/readyz", "/test", "/metrics"}

// pageTimeout is how long a page may take to be sent. The receiver's own answers are so short that they need none.
const pageTimeout = time.Minute

// routes makes the handler of the given paths. Where / is not among them, other paths are not found.
func (s *Source) routes(served []string) http.Handler {
	// Gin prints its own notes otherwise. The mode is gin's one global setting.
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.RedirectTrailingSlash = false // an alert must not be answered with a redirect
	engine.HandleMethodNotAllowed = false
	engine.Use(s.recovered)

	handlers := map[string]gin.HandlerFunc{
		"/ping":    func(c *gin.Context) { text(c, "text/plain; charset=utf-8", "pong\n") },
		"/healthz": func(c *gin.Context) { text(c, "application/json", `{"status": "ok"}`) },
		"/readyz":  page(s.ready),
		"/test":    s.test,
		"/metrics": page(func(c *gin.Context) { s.deps.MetricsHandler.ServeHTTP(c.Writer, c.Request) }),
	}
	for path := range handlers {
		if !slices.Contains(served, path) {
			delete(handlers, path)
		}
	}
	every := func(c *gin.Context) { http.Error(c.Writer, "404 page not found", http.StatusNotFound) }
	if slices.Contains(served, "/") {
		every = s.receive
		engine.POST("/", s.receive) // the one that must be quick
	}
	for path, handle := range handlers {
		engine.Any(path, handle)
	}
	engine.NoRoute(func(c *gin.Context) {
		c.Status(http.StatusOK) // gin has set 404
		if handle, ok := handlers[c.Request.URL.Path]; ok {
			handle(c) // a method that gin does not know
			return
		}
		every(c)
	})
	return engine
}

func text(c *gin.Context, contentType, body string) {
	c.Writer.Header()["Content-Type"] = []string{contentType}
	c.Writer.WriteHeader(http.StatusOK)
	_, _ = c.Writer.WriteString(body) // an error is the reader's, who is gone
}

// page bounds how long handle may take to send its answer.
func page(handle gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		// net/http lifts the limit when the request is done. Not every writer can have one.
		_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(pageTimeout))
		handle(c)
	}
}

func (s *Source) ready(c *gin.Context) {
	ok, report := s.deps.Ready()
	body, err := json.Marshal(report)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Writer.Header()["Content-Type"] = []string{"application/json"}
	if ok {
		c.Writer.WriteHeader(http.StatusOK)
	} else {
		c.Writer.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = c.Writer.Write(append(body, '\n'))
}

// recovered turns a panic of a handler into a 500, and the process goes on.
func (s *Source) recovered(c *gin.Context) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if err, ok := value.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(value) // net/http's way to cut a connection
		}
		s.deps.Log.Error("a request failed with a panic", "path", c.Request.URL.Path, "panic", value, "stack", string(debug.Stack()))
		s.metrics.rejected(reasonInternal)
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) // half an answer must not pass for one
		}
		s.answer(c, http.StatusInternalServerError, refusal{Error: "internal error, see the log", Reason: reasonInternal})
	}()
	c.Next()
}
