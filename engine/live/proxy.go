package live

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// Reply is an answer to a request from outside.
type Reply = kernel.Reply

// Proxy takes a raw HTTP exchange through the guards to an actor, or to a replica of a group, that can pass it on. When
// both results are nil the answer has been written. Otherwise nothing has been: reply is a fallback's, err says why
// there is no answer. Nothing is tried again once a byte has been written; an answer that breaks off later panics with
// http.ErrAbortHandler, which must pass. It runs on the caller's goroutine and ends early when the request's context does.
func (e *Engine) Proxy(to engine.Ref, w http.ResponseWriter, r *http.Request, o CallOptions) (*Reply, error) {
	c := e.outside.take()
	defer e.outside.put(c)
	defer c.endsWith(r.Context())()
	c.enter(e)
	reply, err := kernel.Request(c, &kernel.Question{
		To: to, Msg: engine.Msg{Type: r.Method}, Meta: o.Meta(), Timeout: o.Timeout, Exchange: &stream{w, r},
	})
	if err != nil || !reply.Degraded {
		return nil, err
	}
	return &reply, nil
}

// exchange is one proxied exchange with an actor.
type exchange struct {
	f      *frame
	judged atomic.Bool // the answer has begun
	failed bool
}

// proxy passes an exchange to the actor's incarnation, which counts it as a handler at work: a stop waits for it,
// then cancels it.
func (a *actor) proxy(w http.ResponseWriter, r *http.Request, at *guard.Attempt) error {
	x := exchange{f: a.eng.proxies.take()}
	defer func() { a.eng.proxies.put(x.f) }()
	b, err := x.enter(a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	x.f.mu.Lock()
	x.f.cancel = func() { cancel(engine.ErrStopped) }
	x.f.mu.Unlock()
	if x.f.stopped() != nil { // told to stop before it could be told how
		cancel(engine.ErrStopped)
	}
	halt := func() bool { return true }
	if at != nil && at.Timeout > 0 {
		halt = a.eng.clock.AfterFunc(at.Timeout, func() { cancel(context.DeadlineExceeded) }).Stop
		defer halt()
	}
	outer := engine.JudgeOf(ctx)
	judge := func(status int, header http.Header) error {
		x.failed = status >= 500
		if at != nil {
			if err := at.Judge(status, header); err != nil {
				return err
			}
		}
		if outer != nil {
			if err := outer(status, header); err != nil {
				return err
			}
		}
		halt() // the timeout bounds the wait for an answer, not the reading of it
		x.judged.Store(true)
		return nil
	}
	err = x.serve(r.Context(), b, w, r.WithContext(engine.WithJudge(ctx, judge)))
	switch cause := context.Cause(ctx); {
	case err == nil:
		return nil
	case errors.Is(err, engine.ErrStopped) || cause == engine.ErrStopped:
		return &engine.Error{Kind: engine.KindUnreachable, Message: "it was stopped meanwhile", By: a.Path(), Delivered: true}
	case cause == context.DeadlineExceeded:
		return kernel.Late(a.Path())
	case r.Context().Err() != nil:
		return &engine.Error{Kind: engine.KindCanceled, Message: "the client went away", By: a.Path(), Delivered: true}
	}
	return engine.ErrorOf(err, a.Path())
}

// enter registers the exchange with the incarnation at work.
func (x *exchange) enter(a *actor) (engine.Proxy, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	refused := func(why string) error {
		return &engine.Error{Kind: engine.KindUnreachable, Message: why, By: a.Path()}
	}
	inc := a.inc
	switch {
	case inc == nil || inc.gate.Load()&gateDown != 0:
		return nil, refused("not running, " + a.phase.String())
	case inc.gate.Load()&gatePaused != 0:
		return nil, a.refuse("paused") // nobody's failure
	case inc.busy():
		return nil, a.refuse("all its handlers are busy")
	}
	b, ok := engine.As[engine.Proxy](inc.behavior)
	if !ok {
		return nil, &engine.Error{Kind: engine.KindInvalid, By: a.Path(),
			Message: "it cannot pass HTTP requests through; give the route a message"}
	}
	x.f.inc, x.f.actor, x.f.seen = inc, a, true
	inc.active++
	inc.list(x.f)
	return b, nil
}

// serve runs the exchange. A panic before the answer has begun is an error; one after it breaks the client's
// connection, as http.ErrAbortHandler does.
func (x *exchange) serve(client context.Context, b engine.Proxy, w http.ResponseWriter, r *http.Request) (err error) {
	f := x.f
	f.fresh, f.clock, f.skip = false, 0, 0 // its clock begins now: the exchange before it may be long over
	f.start()
	begins := f.begins()
	returned := false
	defer func() {
		var p any
		if !returned {
			p = recover()
			err = &engine.Error{Kind: engine.KindCrash, Message: "panic while it passed a request on", By: f.actor.Path(), Delivered: true}
		}
		left := client.Err() != nil && (returned || p == http.ErrAbortHandler) // a client that left is nobody's failure
		x.leave((x.failed || err != nil) && !left)
		if !returned && (p == nil || x.judged.Load() || p == http.ErrAbortHandler) {
			panic(http.ErrAbortHandler)
		}
	}()
	if err = engine.ErrStopped; begins {
		err = b.ServeProxy(w, r)
	}
	returned = true
	return err
}

// leave ends the exchange's stay with the incarnation, unless it was fenced off.
func (x *exchange) leave(failed bool) {
	f := x.f
	if !f.turn.CompareAndSwap(turnUser, turnLoop) {
		return
	}
	f.end(failed)
	f.actor.mu.Lock()
	f.leave()
}

// frames are used again by one exchange after another.
type frames struct {
	eng  *Engine
	mu   sync.Mutex
	free []*frame
}

func (p *frames) take() *frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		f := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		return f
	}
	return newFrame(p.eng)
}

// put takes a frame back, unless it was fenced off.
func (p *frames) put(f *frame) {
	f.mu.Lock()
	f.cancel = nil
	f.mu.Unlock()
	if f.turn.Load() != turnLoop {
		return
	}
	f.stop.Store(uint32(kernel.Stays))
	f.actor = nil
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < maxCallers {
		p.free = append(p.free, f)
	}
}
