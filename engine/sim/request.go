package sim

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// stage is how far a request is.
type stage uint8

const (
	asked  stage = iota // nothing has been done
	failed              // no actor got it
	sent                // an actor has it, or has answered
	rest                // it is tried again, or a fallback answers: it may wait
)

// request is one ask from outside. It is taken in steps on the stack of the loop, as far as nothing on its way makes it wait: what
// waits for an answer keeps no stack.
type request struct {
	caller
	q     kernel.Question
	began time.Duration
	done  func(Answer)

	stage   stage
	prompt  bool            // it may be taken in steps
	passage *kernel.Passage // nil on the direct way, and where it may wait from the start
	to      *actor          // who has it
	since   time.Duration   // when it was sent
	value   any             // for the rest
	err     error
}

// AskRef is Ask to a resolved name.
func (e *Engine) AskRef(to engine.Ref, m engine.Msg, o engine.CallOptions, done func(Answer)) {
	r := e.blank()
	r.q.To, r.q.Msg, r.q.Meta, r.q.Timeout, r.done, r.began = to, m, o.Meta(), o.Timeout, done, e.Now()
	r.view = e.view
	a := e.direct(to)
	switch {
	case m.Type == "" || a == nil && (e.loop.shuffle != 0 || !r.brief()): // what is shuffled is not done at once
		e.push(task{kind: taskAsk, ask: r})
		return
	case a == nil:
		if r.err = r.start(); r.err != nil { // heard of in a turn of its own, as any answer
			r.stage = failed
			e.push(task{kind: taskAsk, ask: r})
		}
		return
	}
	t := r.prepare(a, e.until(&r.q.Meta, o.Timeout))
	if err := a.receive(&envelope{msg: m, meta: r.q.Meta, reply: t}, &r.caller); err != nil {
		t.settle(nil, err)
	}
}

// blank gives a blank request.
func (e *Engine) blank() *request {
	if n := len(e.requests); n > 0 {
		r := e.requests[n-1]
		e.requests = e.requests[:n-1]
		return r
	}
	r := new(request)
	r.caller.init(e)
	return r
}

// prepare begins the wait for an actor's answer, which comes to the request in a turn of its own.
func (r *request) prepare(a *actor, until time.Duration) ticket {
	if until == 0 {
		until = r.eng.Now() + kernel.DefaultAsk
	}
	r.stage, r.to, r.since, r.q.Meta.Deadline = sent, a, r.eng.Now(), until
	t := r.begin(kernel.ForAnswer, a, until)
	r.w.ask = r
	return t
}

// brief tells whether the next step certainly does not wait, unless run says otherwise.
func (r *request) brief() bool {
	if r.stage == asked {
		r.prompt = r.eng.prompt(r.q.To)
		return r.prompt
	}
	return r.stage != rest
}

// prompt tells whether nothing on the way to a question's first delivery makes its caller wait, so that kernel.Start may be used.
func (e *Engine) prompt(to engine.Ref) bool {
	var g *guard.Guard
	switch a := e.actor(to.ID); {
	case to.Edge != 0:
		return false
	case to.ID&kernel.GroupBit != 0:
		if group := e.roster.groups.Numbered(to.ID); group != nil {
			g = group.Guard()
		}
	case a != nil && a.group != nil:
		g = a.group.Guard()
	case a != nil:
		g = a.guard
	}
	return g == nil || g.Prompt()
}

// run takes the next step. more tells that it went up to where the request may wait, which it may not here.
func (r *request) run() (more bool) {
	switch r.stage {
	case asked:
		return r.ask()
	case failed:
		return r.end(nil, r.err)
	case sent:
		v, err := r.w.value, r.w.err
		r.w.value, r.w.err = nil, nil
		r.called(err)
		return r.end(v, err)
	}
	r.answer(r.passage.Rest(r.value, r.err))
	return false
}

func (r *request) ask() (more bool) {
	switch {
	case r.q.Msg.Type == "":
		r.answer(kernel.Reply{}, kernel.Untyped())
		return false
	case !r.prompt:
		r.answer(r.eng.request(&r.caller, &r.q))
		return false
	}
	if err := r.start(); err != nil {
		return r.end(nil, err)
	}
	return false
}

// start takes the request up to its first delivery.
func (r *request) start() error {
	p, to, until, err := kernel.Start(&r.caller, &r.q)
	r.passage = p
	if err != nil {
		return err
	}
	return r.send(to.(*actor), until)
}

// send delivers the message on the passage.
func (r *request) send(a *actor, until time.Duration) error {
	env := envelope{msg: *r.passage.Msg(), meta: *r.passage.Meta(), reply: r.prepare(a, until)}
	env.meta.Deadline = r.q.Meta.Deadline
	err := a.receive(&env, &r.caller)
	if err != nil {
		r.w.ask = nil
		r.abandon(env.reply)
		r.called(err)
	}
	return err
}

// called tells the observer how the attempt ended.
func (r *request) called(err error) {
	if r.eng.watcher == nil {
		return
	}
	env := envelope{msg: r.q.Msg, meta: r.q.Meta}
	if r.passage != nil {
		env.meta = *r.passage.Meta()
	}
	r.eng.called(r.to, &env, r.since, err)
}

// end is told how the delivery ended.
func (r *request) end(v any, err error) (more bool) {
	if r.passage == nil || r.passage.Finish(v, err) {
		r.answer(kernel.Reply{Payload: v}, err)
		return false
	}
	r.stage, r.value, r.err = rest, v, err
	if r.eng.loop.inside == nil {
		return true
	}
	return r.run()
}

// answer ends the request.
func (r *request) answer(reply kernel.Reply, err error) {
	e, done := r.eng, r.done
	a := Answer{Payload: reply.Payload, Status: reply.Status, Degraded: reply.Degraded, Err: err, Took: e.Now() - r.began}
	r.clear()
	r.q, r.done, r.stage, r.passage, r.to, r.value, r.err = kernel.Question{}, nil, asked, nil, nil, nil, nil
	e.requests = append(e.requests, r)
	done(a)
}
