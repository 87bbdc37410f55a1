package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/lukhasai/lukhas-run/engine"
)

// Idempotent tells whether a request may be sent again: by its method (RFC 9110, section 9.2.2) or because it carries an
// Idempotency-Key.
func Idempotent(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return true
	}
	return r.Header.Get("Idempotency-Key") != ""
}

// Transport guards what a client sends; next nil is http.DefaultTransport. A status of 500 and above, or what the breaker's
// outcome says, counts as a failure and is tried again where that is safe: the request is Idempotent or was never delivered,
// and its body can be had again (GetBody). Otherwise the answer is the caller's as it is. Refusals are errors (see Refused);
// a fallback's reply is an answer in JSON. Timeout and deadline bound the wait for an answer's head, not its body.
//
// http.Transport by itself repeats a request when the connection that it reuses breaks; here it can do so only for
// idempotent requests without a body.
func Transport(next http.RoundTripper, p *Pipeline) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return &transport{next, p}
}

type transport struct {
	next     http.RoundTripper
	pipeline *Pipeline
}

// RoundTrip sends one request through the guard.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c := t.pipeline.begin(r.Context(), About{Message: r.Method, Idempotent: Idempotent(r)})
	s := &sending{c: c, next: t.next, r: r}
	c.call.Raw = !s.Repeatable() // then it is not hedged either
	v, err := t.pipeline.guard.Call(c, &c.call, s)
	s.closeUnsent()
	switch v := v.(type) {
	case *response:
		if err == nil {
			return v.Response, nil
		}
	default:
		if err == nil {
			return s.instead(v)
		}
	}
	return nil, err
}

// sending is the Work of a Transport: one request.
type sending struct {
	c    *calling
	next http.RoundTripper
	r    *http.Request

	mu   sync.Mutex
	sent bool // the request's own body was given away
}

// response is an answer of which the body was not looked at.
type response struct{ *http.Response }

func (r *response) drop() { r.Body.Close() }

// Route implements Work: there is one callee.
func (*sending) Route(int, func(string) bool) (string, error) { return "", nil }

// Left implements Exchange: a client waits, or has ended its context.
func (s *sending) Left() bool { return s.c.ctx.Err() != nil }

// Repeatable implements Exchange.
func (s *sending) Repeatable() bool {
	return s.r.Body == nil || s.r.Body == http.NoBody || s.r.GetBody != nil
}

// Try implements Work.
func (s *sending) Try(a *Attempt) (any, error) {
	ctx := s.c.limit(a)
	out, err := s.request(ctx)
	if err != nil {
		ctx.end()
		return nil, err
	}
	resp, err := s.next.RoundTrip(out)
	if err != nil {
		defer ctx.end()
		return nil, s.failure(a, ctx, err)
	}
	ctx.answered()
	if err := a.Judge(resp.StatusCode, resp.Header); err != nil {
		resp.Body.Close()
		ctx.end()
		return nil, err
	}
	if rw, ok := resp.Body.(io.ReadWriteCloser); ok {
		resp.Body = &upgraded{rw, ctx}
	} else {
		resp.Body = &received{resp.Body, ctx}
	}
	return &response{resp}, nil
}

// request is the one to send; the first has the body that came, the others get theirs anew.
func (s *sending) request(ctx context.Context) (*http.Request, error) {
	out := s.r.Clone(ctx)
	out.GetBody = nil // to repeat is the guard's
	s.mu.Lock()
	first := !s.sent
	s.sent = true
	s.mu.Unlock()
	if first || s.r.Body == nil || s.r.Body == http.NoBody {
		return out, nil
	}
	body, err := s.r.GetBody()
	out.Body = body
	return out, err
}

// closeUnsent keeps http.RoundTripper's promise that the body is closed, also when nothing was sent.
func (s *sending) closeUnsent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sent && s.r.Body != nil {
		s.r.Body.Close()
	}
}

// failure says what kind of error ended a request.
func (s *sending) failure(a *Attempt, ctx *limited, err error) error {
	known := &engine.Error{Kind: engine.KindUnreachable, Message: "no answer", By: a.pass.layers.spec.Name, Delivered: true}
	var dialing *net.OpError
	switch {
	case ctx.late() || errors.Is(err, context.DeadlineExceeded):
		known = tooLate(a)
	case ctx.Err() != nil:
		known.Kind, known.Message = engine.KindCanceled, "the caller went away"
	case errors.As(err, &dialing) && dialing.Op == "dial":
		known.Delivered = false
	}
	return &failed{known, err}
}

// instead is a fallback's reply as an answer.
func (s *sending) instead(reply any) (*http.Response, error) {
	data, err := json.Marshal(reply)
	if err != nil {
		return nil, &engine.Error{Kind: engine.KindExpression, Message: "the fallback's reply cannot be said in JSON: " + err.Error(), By: s.c.call.To}
	}
	status := s.c.call.FallbackStatus
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(data)), Body: io.NopCloser(bytes.NewReader(data)), Request: s.r,
	}, nil
}

// received is an answer's body: its context ends with it.
type received struct {
	io.ReadCloser
	ctx *limited
}

// Close closes the body and ends the attempt.
func (r *received) Close() error {
	defer r.ctx.end()
	return r.ReadCloser.Close()
}

// upgraded is the body of an answer that switched protocols.
type upgraded struct {
	io.ReadWriteCloser
	ctx *limited
}

// Close closes the connection and ends the attempt.
func (u *upgraded) Close() error {
	defer u.ctx.end()
	return u.ReadWriteCloser.Close()
}
