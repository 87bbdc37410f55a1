package guard

import (
	"bufio"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

// Handler guards what a server does. What is refused is answered with 503 and Retry-After, what took too long and had not
// begun to answer with 504, both in JSON, or by a fallback's reply. next runs on the request's goroutine; when its time is
// over the request's context ends and it must return soon.
//
// An answer that counts as a failure (500 and above, or what the breaker's outcome says) is given up before anything of it
// is written where a retry or a fallback will answer instead; a retry only where the request is Idempotent and has no body.
// Nothing is tried again after the first byte. Informational answers are not passed on: an attempt that is given up must
// have said nothing. Handlers are never hedged.
func Handler(next http.Handler, p *Pipeline) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := p.begin(r.Context(), About{Message: r.Method, Idempotent: Idempotent(r)})
		c.call.Raw = true
		s := &serving{c: c, next: next, w: w, r: r}
		v, err := p.guard.Call(c, &c.call, s)
		switch {
		case err != nil:
			s.refuse(engine.ErrorOf(err, p.guard.Name()))
		case c.call.Degraded:
			status := c.call.FallbackStatus
			if status == 0 {
				status = http.StatusOK
			}
			s.say(status, v)
		}
	})
}

// serving is the Work of a Handler: one request.
type serving struct {
	c    *calling
	next http.Handler
	w    http.ResponseWriter
	r    *http.Request
}

// Route implements Work: there is one callee.
func (*serving) Route(int, func(string) bool) (string, error) { return "", nil }

// Left implements Exchange.
func (s *serving) Left() bool { return s.r.Context().Err() != nil }

// Repeatable implements Exchange: what a client sent is not there a second time.
func (s *serving) Repeatable() bool { return s.r.Body == nil || s.r.Body == http.NoBody }

// Try implements Work.
func (s *serving) Try(a *Attempt) (any, error) {
	ctx := s.c.limit(a)
	defer ctx.end()
	w := &judged{w: s.w, attempt: a, limit: ctx}
	before, kept := s.w.Header().Clone(), false
	defer func() {
		if !kept { // what was given up leaves no header behind
			clear(s.w.Header())
			maps.Copy(s.w.Header(), before)
		}
	}()
	s.next.ServeHTTP(w, s.r.WithContext(ctx))
	if !w.begun {
		switch {
		case ctx.late():
			return nil, tooLate(a)
		case s.Left():
			return nil, s.c.gone()
		}
		w.WriteHeader(http.StatusOK)
	}
	kept = w.givenUp == nil
	return nil, w.givenUp
}

// refuse answers what the guard refused, or what failed without an answer.
func (s *serving) refuse(e *engine.Error) {
	status := http.StatusInternalServerError
	switch {
	case e.Kind == engine.KindCanceled:
		return // nobody listens
	case e.Kind == engine.KindRefused:
		status = http.StatusServiceUnavailable
		s.w.Header().Set("Retry-After", RetryAfter(e.RetryAfter))
	case e.Kind == engine.KindTimeout:
		status = http.StatusGatewayTimeout
	case e.Status >= 400:
		status = e.Status
	}
	s.say(status, map[string]any{"error": map[string]any{"kind": e.Kind, "message": e.Message}})
}

// RetryAfter is the value of that header: whole seconds, rounded up, and 1 where nobody knows better.
func RetryAfter(wait time.Duration) string {
	return strconv.FormatInt(max(int64((wait+time.Second-1)/time.Second), 1), 10)
}

func (s *serving) say(status int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":{"kind":"expression","message":"the answer cannot be said in JSON"}}`)
	}
	s.w.Header().Set("Content-Type", "application/json")
	s.w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	s.w.WriteHeader(status)
	_, _ = s.w.Write(data)
}

// judged is the answer of one attempt. Until its status is known nothing of it reaches the client.
type judged struct {
	w       http.ResponseWriter
	attempt *Attempt
	limit   *limited
	begun   bool
	givenUp error // another attempt or a fallback answers instead: what is written goes nowhere
}

// Header is the answer's.
func (j *judged) Header() http.Header { return j.w.Header() }

// WriteHeader begins the answer.
func (j *judged) WriteHeader(status int) {
	if j.begun || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	if j.begin(status) {
		j.w.WriteHeader(status)
	}
}

// begin judges the answer and reports whether it goes to the client.
func (j *judged) begin(status int) bool {
	j.begun = true
	if j.givenUp = j.attempt.Judge(status, j.w.Header()); j.givenUp != nil {
		return false
	}
	j.limit.answered() // the timeout bounds the wait for an answer
	return true
}

// Write writes, into the void where the answer was given up.
func (j *judged) Write(p []byte) (int, error) {
	j.WriteHeader(http.StatusOK)
	if j.givenUp != nil {
		return len(p), nil
	}
	return j.w.Write(p)
}

// Flush is FlushError for those who ask for http.Flusher.
func (j *judged) Flush() { _ = j.FlushError() }

// FlushError sends what was written, for http.ResponseController.
func (j *judged) FlushError() error {
	j.WriteHeader(http.StatusOK)
	if j.givenUp != nil {
		return nil
	}
	return http.NewResponseController(j.w).Flush()
}

// errGivenUp is what a handler gets that takes the connection of an answer that was given up.
var errGivenUp = errors.New("another attempt answers")

// Hijack takes the connection; that is an answer.
func (j *judged) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !j.begun && !j.begin(http.StatusSwitchingProtocols) || j.givenUp != nil {
		return nil, nil, errGivenUp
	}
	return http.NewResponseController(j.w).Hijack()
}

// Unwrap lets http.ResponseController reach deadlines and full duplex below.
func (j *judged) Unwrap() http.ResponseWriter { return j.w }
