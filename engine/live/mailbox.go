package live

import (
	"slices"
	"sync"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// chunkSize is how many messages share one piece of a queue: large enough that taking pieces from the pool does not
// show, small enough that an actor with one waiting message holds little.
const chunkSize = 8

// chunk begins with its slots, so that each takes one line of the caches.
type chunk struct {
	slots      [chunkSize]envelope
	next       *chunk
	head, tail uint32
}

// chunks are shared by all mailboxes of the process: an empty mailbox holds none.
var chunks = sync.Pool{New: func() any { return new(chunk) }}

// queue is a first-in first-out chain of chunks. Its owner guards it.
type queue struct{ first, last *chunk }

func (q *queue) empty() bool { return q.first == nil }

func (q *queue) push(e *envelope) {
	if q.last == nil || q.last.tail == chunkSize {
		c := chunks.Get().(*chunk)
		if q.last == nil {
			q.first = c
		} else {
			q.last.next = c
		}
		q.last = c
	}
	q.last.slots[q.last.tail] = *e
	q.last.tail++
}

// pop moves the oldest message to e, or reports that there is none.
func (q *queue) pop(e *envelope) bool {
	c := q.first
	if c == nil {
		return false
	}
	*e = c.slots[c.head]
	c.slots[c.head] = envelope{}
	c.head++
	if c.head == c.tail {
		q.first = c.next
		if q.first == nil {
			q.last = nil
		}
		c.next, c.head, c.tail = nil, 0, 0
		chunks.Put(c)
	}
	return true
}

// prepend puts the whole chain of from before what is there.
func (q *queue) prepend(from *queue) {
	if from.empty() {
		return
	}
	if !q.empty() {
		from.last.next = q.first
		from.last = q.last
	}
	*q, *from = *from, queue{}
}

// steal takes the whole chain of from; q must be empty.
func (q *queue) steal(from *queue) {
	*q = *from
	*from = queue{}
}

// parked is a message that waits for room, in the order of arrival. Its sender waits with room, or with the
// message's own reply when it is an ask.
type parked struct {
	env  envelope
	room ticket // zero for an ask
}

// offer puts a message into the mailbox, or answers why not. When the policy is to block and there is no room, the
// sender's waiter is used and the offer returns when there is room or the wait is over. from is nil for senders that
// cannot wait (timers, injections): for them block means reject.
func (a *actor) offer(env *envelope, from *caller) error {
	a.mu.Lock()
	if refused := a.phase.Closed(a.Path()); refused != nil {
		a.mu.Unlock()
		a.deadLetter(refused.Message, env, nil)
		return refused
	}
	if a.full() {
		return a.overflow(env, from)
	}
	a.accept(env)
	run := a.enlist()
	a.mu.Unlock()
	if run != nil {
		a.eng.pool.run(run)
	}
	return nil
}

// accept needs the lock and room.
func (a *actor) accept(env *envelope) {
	a.back.push(env)
	a.sent++
}

// full needs the lock. What the consumer has taken is read only when the mailbox seems full: reading it each time would
// move its cache line to and fro for nothing.
func (a *actor) full() bool {
	if a.rare.crowd() > 0 {
		return true
	}
	if a.sent-a.seen < a.box.Capacity {
		return false
	}
	a.seen = a.done.Load()
	return a.sent-a.seen >= a.box.Capacity
}

// waiting is how many messages wait, parked ones not counted. It needs the lock.
func (a *actor) waiting() int { return int(a.sent - a.done.Load()) }

// overflow carries out the mailbox's policy. It is called with the lock and returns without it.
func (a *actor) overflow(env *envelope, from *caller) error {
	switch {
	case a.box.Overflow == kernel.OverflowBlock && from != nil:
		return a.park(env, from)
	case a.box.Overflow == kernel.OverflowDropOldest:
		oldest, found := a.oldest()
		if !found { // all that waits is in the consumer's hands
			break
		}
		a.back.push(env) // in its place: done is the consumer's, who may be at it without the lock
		a.mu.Unlock()
		a.deadLetter(kernel.Dropped, &oldest, a.refuse(kernel.Dropped))
		return nil
	}
	newest := a.box.Overflow == kernel.OverflowDropNewest
	a.mu.Unlock()
	refused := a.refuse(kernel.Full)
	a.deadLetter(kernel.Full, env, nil)
	if newest && env.asker == nil {
		return nil
	}
	return refused
}

// oldest takes the oldest message that may be dropped: a notice may not, and goes to the end. It needs the lock.
func (a *actor) oldest() (env envelope, found bool) {
	for n := a.waiting(); n > 0 && a.back.pop(&env); n-- {
		if kernel.NoticeOf(&env.msg) == nil {
			return env, true
		}
		a.back.push(&env)
	}
	return env, false
}

func (a *actor) park(env *envelope, from *caller) error {
	p := parked{env: *env}
	if env.asker == nil {
		p.room = from.begin(kernel.ForRoom, a, 0)
	}
	r := a.unusual()
	r.parked = append(r.parked, p)
	a.mark(markHungry, true)
	a.mu.Unlock()
	if p.room.w == nil {
		return nil // the asker waits for the answer, and with it for room
	}
	if h, at := from.principal(); h != nil {
		if circle := h.circle(at, a); circle != "" && p.room.settle(nil, nil) {
			_, _ = from.wait()
			a.unpark(p.room)
			return a.circular(at, "tell", circle, env)
		}
	}
	_, err := from.wait()
	return from.tell(err)
}

// unpark takes a message back whose sender does not wait for room any more.
func (a *actor) unpark(room ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rare == nil {
		return
	}
	a.rare.parked = slices.DeleteFunc(a.rare.parked, func(p parked) bool { return p.room == room })
	a.mark(markHungry, len(a.rare.parked) > 0)
}

// admit lets parked messages in, of which there must be some, once a quarter of the mailbox is free: a sender that is woken for
// each single place costs a switch of goroutines for each message. It needs the lock.
func (a *actor) admit() {
	if capacity := int(a.box.Capacity); a.waiting() <= capacity-max(1, capacity/4) {
		a.letIn()
	}
}

// letIn lets parked messages in, of which there must be some, while there is room. It needs the lock.
func (a *actor) letIn() {
	r, capacity := a.rare, int(a.box.Capacity)
	n := 0
	for n < len(r.parked) && a.waiting() < capacity {
		p := &r.parked[n]
		n++
		if p.room.w != nil && !p.room.settle(nil, nil) || p.room.w == nil && !p.env.reply().waits() {
			continue // its sender has given up
		}
		a.accept(&p.env)
		if run := a.enlist(); run != nil { // a handler to spare takes it
			a.eng.pool.run(run)
		}
	}
	if n == len(r.parked) {
		r.parked = nil
		a.mark(markHungry, false)
		return
	}
	r.parked = append(r.parked[:0], r.parked[n:]...)
}

// refuse is the error for a message that was not delivered.
func (a *actor) refuse(why string) *engine.Error {
	return kernel.Refuse(a.Path(), why)
}
