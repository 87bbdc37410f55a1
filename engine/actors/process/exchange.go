package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/lukhasai/lukhas-run/engine"
)

// maxPending bounds the requests that wait for an answer where in_flight does not.
const maxPending = 1 << 16

// exchange sends requests to a process as lines and finds the request that a line answers. It is safe for concurrent use.
type exchange struct {
	path  string
	slots chan struct{} // one for each request written and not answered; nil: without bound
	queue chan *request // to the writer
	gone  chan struct{} // closed when no answer can come any more

	mu      sync.Mutex
	next    uint64
	pending map[uint64]*request
	dead    bool
}

// request is one line on its way. Its state belongs to exchange.mu.
type request struct {
	id     uint64
	line   []byte
	state  requestState
	answer chan answer // has room for one
}

type requestState uint8

const (
	queued    requestState = iota
	written                // the writer has taken it: the process may have seen it
	abandoned              // nobody waits; what is queued is not written
)

type answer struct {
	reply any
	err   *engine.Error
}

func newExchange(path string, inFlight int) *exchange {
	x := &exchange{path: path, pending: map[uint64]*request{}, queue: make(chan *request), gone: make(chan struct{})}
	if inFlight > 0 {
		x.slots = make(chan struct{}, inFlight)
	}
	return x
}

func (x *exchange) fail(kind string, delivered bool, format string, args ...any) *engine.Error {
	return &engine.Error{Kind: kind, Message: fmt.Sprintf(format, args...), By: x.path, Delivered: delivered}
}

// ask sends m and waits for its answer, for a free place before that. The error is an *engine.Error.
func (x *exchange) ask(ctx context.Context, m engine.Msg) (any, error) {
	r, failed := x.admit(ctx, m)
	if failed != nil {
		return nil, failed
	}
	select {
	case x.queue <- r:
	case <-r.answer: // died while waiting for the writer
		return nil, x.unreachable()
	case <-ctx.Done():
		return nil, x.abandon(ctx, r)
	}
	select {
	case a := <-r.answer:
		if a.err != nil {
			return nil, a.err
		}
		return a.reply, nil
	case <-ctx.Done():
		return nil, x.abandon(ctx, r)
	}
}

func (x *exchange) unreachable() *engine.Error {
	return x.fail(engine.KindUnreachable, false, "the process is not running")
}

// admit makes a request of m once in_flight allows it.
func (x *exchange) admit(ctx context.Context, m engine.Msg) (*request, *engine.Error) {
	if x.slots != nil {
		select {
		case x.slots <- struct{}{}:
		case <-x.gone:
			return nil, x.unreachable()
		case <-ctx.Done():
			return nil, x.ended(ctx, false, "all of its requests in flight are still unanswered")
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	r, failed := x.register(m)
	if failed != nil {
		x.release()
	}
	return r, failed
}

// register is called with mu held.
func (x *exchange) register(m engine.Msg) (*request, *engine.Error) {
	if x.dead {
		return nil, x.unreachable()
	}
	if len(x.pending) >= maxPending {
		return nil, x.fail(engine.KindRefused, false, "%d requests wait for an answer; bound them by a bulkhead or in_flight", maxPending)
	}
	x.next++
	line, err := json.Marshal(struct {
		ID      uint64 `json:"id"`
		Type    string `json:"type"`
		Payload any    `json:"payload"`
	}{x.next, m.Type, m.Payload})
	if err != nil {
		return nil, x.fail(engine.KindInvalid, false, "message %q: %v", m.Type, err)
	}
	if len(line) > maxLine {
		return nil, x.fail(engine.KindInvalid, false, "message %q takes %d bytes as a line; at most %d", m.Type, len(line), maxLine)
	}
	r := &request{id: x.next, line: append(line, '\n'), answer: make(chan answer, 1)}
	x.pending[r.id] = r
	return r, nil
}

// release gives a place in flight back.
func (x *exchange) release() {
	if x.slots != nil {
		<-x.slots
	}
}

// abandon ends the wait for r. A request that was written keeps its place until the process answers: it is still at work.
func (x *exchange) abandon(ctx context.Context, r *request) *engine.Error {
	x.mu.Lock()
	defer x.mu.Unlock()
	delivered := r.state == written
	r.state = abandoned
	if _, waiting := x.pending[r.id]; waiting && (!delivered || x.slots == nil) {
		delete(x.pending, r.id)
		x.release()
	}
	return x.ended(ctx, delivered, "no answer in time")
}

func (x *exchange) ended(ctx context.Context, delivered bool, why string) *engine.Error {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return x.fail(engine.KindTimeout, delivered, "%s", why)
	}
	return x.fail(engine.KindCanceled, delivered, "the asker went away")
}

// write sends what is queued to w until the exchange dies or w does. A process that does not read blocks only this
// goroutine, until w is closed.
func (x *exchange) write(w io.Writer) {
	for {
		select {
		case <-x.gone:
			return
		case r := <-x.queue:
			if !x.take(r) {
				continue
			}
			if _, err := w.Write(r.line); err != nil {
				x.die("its standard input is closed")
				return
			}
		}
	}
}

func (x *exchange) take(r *request) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if r.state != queued {
		return false
	}
	r.state = written
	return true
}

// reply is the shape of an answering line.
type reply struct {
	ID    json.RawMessage `json:"id"`
	Reply any             `json:"reply"`
	Error *struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
	} `json:"error"`
}

// read takes a line of output. It is false when the line is no answer, so that it should be logged.
func (x *exchange) read(line []byte) bool {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '{' {
		return false
	}
	var got reply
	if json.Unmarshal(line, &got) != nil {
		return false
	}
	id, err := strconv.ParseUint(string(bytes.Trim(got.ID, `"`)), 10, 64)
	if err != nil {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.pending[id]
	if r == nil {
		return id != 0 && id <= x.next // a late answer is dropped, an invented one logged
	}
	delete(x.pending, id)
	x.release()
	if r.state != abandoned {
		r.answer <- x.outcome(got)
	}
	return true
}

func (x *exchange) outcome(got reply) answer {
	if got.Error == nil {
		return answer{reply: got.Reply}
	}
	kind := got.Error.Kind
	if kind == "" {
		kind = engine.KindCrash
	}
	return answer{err: x.fail(kind, true, "%s", got.Error.Message)}
}

// die fails everything that waits: as a crash what the process may have seen, as unreachable the rest.
func (x *exchange) die(why string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dead {
		return
	}
	x.dead = true
	close(x.gone)
	for id, r := range x.pending {
		delete(x.pending, id)
		x.release()
		switch r.state {
		case queued:
			r.state = abandoned // the writer may still hold it
			r.answer <- answer{err: x.unreachable()}
		case written:
			r.answer <- answer{err: x.fail(engine.KindCrash, true, "the process ended before it answered: %s", why)}
		}
	}
}
