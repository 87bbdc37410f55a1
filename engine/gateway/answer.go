package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
)

// problem is the body of every answer that the gateway itself gives instead of an actor's.
type problem struct {
	Error struct {
		Kind      string `json:"kind"`
		Message   string `json:"message"`
		RequestID string `json:"request_id"`
	} `json:"error"`
}

// write sends JSON. A client that is gone is nobody's trouble.
func (x *exchange) write(status int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		x.fail(&engine.Error{Kind: engine.KindExpression, Message: "the answer cannot be said in JSON"})
		return
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(data)+1))
	h.Set("X-Content-Type-Options", "nosniff")
	x.w.WriteHeader(status)
	_, _ = x.w.Write(append(data, '\n'))
}

func (x *exchange) answer(a Answer) {
	status := a.Status
	if status == 0 {
		status = http.StatusOK
	}
	x.write(status, a.Payload)
}

func (x *exchange) problem(status int, kind, message string) {
	var p problem
	p.Error.Kind, p.Error.Message, p.Error.RequestID = kind, message, x.id
	x.write(status, p)
}

// refuse answers what never reached an actor, by the client's fault.
func (x *exchange) refuse(status int, reason string) {
	if status >= 400 && x.r.ProtoMajor == 1 && (x.r.ContentLength != 0 || x.r.Close) {
		x.w.Header().Set("Connection", "close") // the rest of the body is not worth waiting for
	}
	x.problem(status, engine.KindInvalid, reason)
}

// badBody answers a request whose body or query could not be read.
func (x *exchange) badBody(err error) {
	if !x.bodyFault() {
		x.refuse(http.StatusBadRequest, err.Error())
	}
}

// bodyFault answers when the body broke one of its limits, whatever that looked like to who was reading it.
func (x *exchange) bodyFault() bool {
	switch {
	case x.body == nil:
		return false
	case x.body.tooLarge.Load():
		x.refuse(http.StatusRequestEntityTooLarge, "the body is longer than "+strconv.FormatInt(x.maxBody(), 10)+" bytes")
	case x.body.late.Load():
		x.refuse(http.StatusRequestTimeout, "the body took too long to come")
	default:
		return false
	}
	return true
}

// fail answers a call that failed or was refused.
func (x *exchange) fail(e *engine.Error) {
	if x.bodyFault() {
		return
	}
	if x.r.Context().Err() != nil && e.Kind == engine.KindCanceled {
		panic(http.ErrAbortHandler) // nobody listens; to return would be to answer 200
	}
	status := statusOf(e)
	if e.Kind == engine.KindRefused {
		x.w.Header().Set("Retry-After", guard.RetryAfter(e.RetryAfter))
	}
	x.problem(status, e.Kind, sayable(e))
}

// statusOf maps an error to a status. A status of the 400s that an upstream answered is the client's to know.
func statusOf(e *engine.Error) int {
	if e.Status >= 400 && e.Status < 500 {
		return e.Status
	}
	switch e.Kind {
	case engine.KindRefused:
		return http.StatusServiceUnavailable
	case engine.KindTimeout:
		return http.StatusGatewayTimeout
	case engine.KindUnreachable, engine.KindStatus, engine.KindConsensus:
		return http.StatusBadGateway
	case engine.KindInvalid:
		return http.StatusBadRequest
	case engine.KindCanceled:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// sayable is what a client may read: reasons that speak of the request, not of what is behind the gateway.
func sayable(e *engine.Error) string {
	switch e.Kind {
	case engine.KindUnreachable, engine.KindStart, engine.KindExit:
		return "the service cannot be reached"
	case engine.KindStatus:
		return "the service answered with an error"
	case engine.KindCrash:
		return "the service failed on this request"
	case engine.KindExpression:
		return "an expression does not fit this request"
	}
	return e.Message
}
