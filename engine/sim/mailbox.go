package sim

import (
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// envelope is a message on its way.
type envelope struct {
	msg   engine.Msg
	meta  engine.Meta
	reply ticket       // of the asker; zero for a tell
	tries int          // deliveries that failed so far
	only  engine.Epoch // of the incarnation that it is for, whose timer sent it; 0: for any
}

// noMessage marks the envelope of what is done between two messages: there is none to try again.
const noMessage = ^engine.Epoch(0)

// queue is first in, first out: a ring that grows.
type queue struct {
	ring []envelope // its length is a power of two
	head int
	n    int
}

func (q *queue) push(e *envelope) {
	if q.n == len(q.ring) {
		bigger := make([]envelope, max(4, 2*len(q.ring)))
		for i := range q.n {
			bigger[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = bigger, 0
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = *e
	q.n++
}

// pop moves the oldest message to e, or reports that there is none.
func (q *queue) pop(e *envelope) bool {
	if q.n == 0 {
		return false
	}
	*e = q.ring[q.head]
	q.ring[q.head] = envelope{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return true
}

// prepend puts all of from before what is there.
func (q *queue) prepend(from *queue) {
	var env envelope
	for q.pop(&env) {
		from.push(&env)
	}
	*q, *from = *from, queue{}
}

// parked is a message that waits for room, in the order of arrival. Its sender waits with room, or with the message's own
// reply when it is an ask.
type parked struct {
	env  envelope
	room ticket // zero for an ask
}

// offer puts a message into the mailbox, or answers why not. When the policy is to block and there is no room, the
// sender waits. from is nil for senders that cannot wait (timers, injections): for them block means reject.
func (a *actor) offer(env *envelope, from *caller) error {
	if refused := a.phase.Closed(a.path); refused != nil {
		a.deadLetter(refused.Message, env, nil)
		return refused
	}
	if len(a.parked) > 0 || a.back.n >= int(a.box.Capacity) {
		return a.overflow(env, from)
	}
	a.back.push(env)
	a.enlist()
	return nil
}

// overflow carries out the mailbox's policy.
func (a *actor) overflow(env *envelope, from *caller) error {
	switch {
	case a.box.Overflow == kernel.OverflowBlock && from != nil:
		return a.park(env, from)
	case a.box.Overflow == kernel.OverflowDropOldest:
		oldest, found := a.oldest()
		if !found {
			break
		}
		a.back.push(env)
		a.deadLetter(kernel.Dropped, &oldest, a.refuse(kernel.Dropped))
		return nil
	}
	refused := a.refuse(kernel.Full)
	a.deadLetter(kernel.Full, env, nil)
	if a.box.Overflow == kernel.OverflowDropNewest && env.reply.w == nil {
		return nil
	}
	return refused
}

// oldest takes the oldest message that may be dropped: a notice may not, and goes to the end.
func (a *actor) oldest() (env envelope, found bool) {
	for n := a.back.n; n > 0 && a.back.pop(&env); n-- {
		if kernel.NoticeOf(&env.msg) == nil {
			return env, true
		}
		a.back.push(&env)
	}
	return env, false
}

func (a *actor) park(env *envelope, from *caller) error {
	p := parked{env: *env}
	if env.reply.w == nil {
		if f := from.principal(); f != nil {
			if circle := f.circle(a); circle != "" {
				return a.circular(f.actor, "tell", circle, env)
			}
		}
		p.room = from.begin(kernel.ForRoom, a, env.meta.Deadline)
	}
	a.parked = append(a.parked, p)
	if p.room.w == nil {
		return nil // the asker waits for the answer, and with it for room
	}
	_, err := from.w.wait()
	return from.tell(err)
}

// admit lets parked messages in while there is room.
func (a *actor) admit() {
	n := 0
	for n < len(a.parked) && a.back.n < int(a.box.Capacity) {
		p := &a.parked[n]
		n++
		if p.room.w != nil && !p.room.settle(nil, nil) || p.room.w == nil && !p.env.reply.waits() {
			continue // its sender has given up
		}
		a.back.push(&p.env)
		a.enlist()
	}
	a.parked = append(a.parked[:0], a.parked[n:]...)
}

// refuse is the error for a message that was not delivered.
func (a *actor) refuse(why string) *engine.Error {
	return kernel.Refuse(a.path, why)
}
