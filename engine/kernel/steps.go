package kernel

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine/guard"
)

// A request may also be taken in steps, by a runtime that does not want to keep a stack for each that waits: Start, the delivery,
// Finish and, if that says so, Rest where waiting is possible. The steps are those of Request.

// Start takes a question up to its first delivery: to an actor, until a time (0: as Deliver has it). An error says why there is
// none. Finish must follow in either case.
func Start(c Caller, q *Question) (p *Passage, to Actor, until time.Duration, err error) {
	p = c.Kept().take()
	err = p.to.find(c, q)
	p.c, p.m, p.meta = c, q.Msg, q.Meta
	switch {
	case !p.to.guarded():
		to, err = p.unguarded(q, err)
		until = p.until(c.Now(), q.Timeout)
	case err == nil:
		to, until, err = p.open(q.Timeout)
	}
	return p, to, until, err
}

// unguarded picks the actor where there is no guard, unless err has refused that.
func (p *Passage) unguarded(q *Question, err error) (to Actor, _ error) {
	if err == nil {
		to, err = p.to.pick(&p.meta, nil)
	}
	if err != nil {
		p.c.Unsent(p.to.name(), *q, err)
	}
	return to, err
}

// until is when a delivery that begins now and may take so long, 0 for ever, ends; 0 is never.
func (p *Passage) until(now, timeout time.Duration) time.Duration {
	at := now + timeout
	if timeout > 0 && (p.meta.Deadline == 0 || at < p.meta.Deadline) {
		return at
	}
	return p.meta.Deadline
}

// open takes the question up to the guard's first attempt.
func (p *Passage) open(timeout time.Duration) (to Actor, until time.Duration, err error) {
	p.prepare(timeout)
	p.inner, p.opened = true, true
	a, err := p.to.guard.Open(p, &p.call, p)
	if err != nil {
		return nil, 0, err
	}
	p.tried = true
	to, err = p.receiver(a)
	return to, p.until(a.Began, a.Timeout), err
}

// receiver is the actor that an attempt goes to.
func (p *Passage) receiver(a *guard.Attempt) (Actor, error) {
	to := p.to.only
	if to == nil {
		to = p.to.group.Named(a.Replica)
	}
	if to == nil {
		return nil, Refuse(p.to.name(), "replica "+a.Replica+" is gone")
	}
	return to, nil
}

// Finish tells how the delivery ended. When the request is not done by that, Rest answers it. The passage ends when it is.
func (p *Passage) Finish(v any, err error) (done bool) {
	if p.to.guarded() {
		if p.opened && !p.call.Close(v, err) || !p.opened && refusal(err) != nil {
			return false
		}
		p.c.Passed(p, err)
	}
	p.c.Kept().put(p)
	return true
}

// Rest is what follows a Finish that did not end the request, with what that was told. It may wait.
func (p *Passage) Rest(v any, err error) (Reply, error) {
	defer p.c.Kept().put(p)
	if p.opened {
		v, err = p.call.Rest(v, err)
	} else {
		v, err = p.refused(err)
	}
	return p.reply(v, err)
}

// reply is the answer of a request that has been through guards.
func (p *Passage) reply(v any, err error) (Reply, error) {
	p.c.Passed(p, err)
	r := Reply{Payload: v}
	if call := p.fallback(); call != nil {
		r.Status, r.Degraded = call.FallbackStatus, true
	}
	return r, err
}
