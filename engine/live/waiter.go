package live

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// waiter is where one goroutine waits for one thing at a time: an answer, room in a mailbox, the end of a sleep. It is
// used again for the next wait under a new generation; answer, deadline and kill compete for the generation by one
// compare-and-swap, so whoever comes late finds another generation and is dropped.
//
// begin and wait belong to the waiting goroutine, settle to everyone.
type waiter struct {
	clock clock.Clock
	state atomic.Uint64 // generation<<1, plus 1 while it waits
	wake  chan struct{} // takes one token from the winner
	value any           // written by the winner before the token, read by the waiter after it
	err   error

	// What is waited for. asker and target serve to find circles of asks: they are written before the wait's generation
	// is, so who reads them between two equal readings of state has a consistent pair.
	asker, target atomic.Pointer[actor]
	until         atomic.Int64 // the engine time by which an answer is useful; 0 is none

	// Of a handler: whose wait it is about to end with an answer. Written before the handler runs.
	serves     atomic.Pointer[waiter]
	servesWait atomic.Uint32
	// needs is how many of those who work beside it must be done before it goes on. It waits for them from the moment they
	// begin, even if it does not wait yet: nobody looks for a circle when it does.
	needs atomic.Int32

	// One timer serves many waits: it is left running when a wait ends early, and when it fires it looks what is due.
	mu       sync.Mutex
	timer    clock.Timer
	armed    time.Duration // when the timer fires; 0 is not armed
	deadline time.Duration // of the present wait; 0 is none
	purpose  purpose
}

// purpose is what a wait is for; it decides what the deadline means.
type purpose uint8

const (
	forTime   purpose = iota // the deadline is what is waited for
	forAnswer                // of target
	forRoom                  // in target's mailbox
	forTurn                  // in a bulkhead's queue: the deadline says that it took too long
)

func (p purpose) late(target *actor) error {
	switch {
	case p == forAnswer && target != nil:
		return kernel.Late(target.Path())
	case p == forRoom && target != nil:
		return target.refuse(kernel.Full)
	case p == forTurn:
		return guard.ErrTooLate
	}
	return nil
}

// ticket names one wait of one waiter. The zero ticket is nobody's.
type ticket struct {
	w   *waiter
	gen uint64
}

func newWaiter(c clock.Clock) *waiter {
	return &waiter{clock: c, wake: make(chan struct{}, 1)}
}

// begin starts a wait that ends at the engine time deadline, 0 for none.
func (w *waiter) begin(p purpose, asker, target *actor, deadline time.Duration) ticket {
	gen := w.state.Load()>>1 + 1
	if p != forTime {
		if w.asker.Load() != asker { // mostly both are what they were, and a store costs more than a look
			w.asker.Store(asker)
		}
		if w.target.Load() != target {
			w.target.Store(target)
		}
		w.until.Store(int64(deadline))
	} else if w.target.Load() != nil {
		w.target.Store(nil)
	}
	w.state.Store(gen<<1 | 1)
	t := ticket{w, gen}
	if deadline > 0 {
		w.arm(deadline, p)
	}
	return t
}

// wait blocks until the wait is settled.
func (w *waiter) wait() (any, error) {
	<-w.wake
	value, err := w.value, w.err
	w.value, w.err = nil, nil
	w.disarm()
	return value, err
}

// settle ends the wait and reports whether it did; false means that it was over already.
func (t ticket) settle(value any, err error) bool {
	if t.w == nil || !t.w.state.CompareAndSwap(t.gen<<1|1, t.gen<<1) {
		return false
	}
	t.w.value, t.w.err = value, err
	t.w.wake <- struct{}{}
	return true
}

// Wake ends a wait for a place in a queue.
func (t ticket) Wake() { t.settle(nil, nil) }

// waits reports whether the wait is still on.
func (t ticket) waits() bool { return t.w != nil && t.w.state.Load() == t.gen<<1|1 }

// ticketOf is the ticket of the present wait if the lower half of its generation is gen, else a dead one.
func (w *waiter) ticketOf(gen uint32) ticket {
	if now := w.state.Load() >> 1; uint32(now) == gen {
		return ticket{w, now}
	}
	return ticket{w, 0}
}

// current is the ticket of the present wait, or a dead one.
func (w *waiter) current() ticket { return ticket{w, w.state.Load() >> 1} }

func (w *waiter) arm(deadline time.Duration, p purpose) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline, w.purpose = deadline, p
	if w.armed != 0 && w.armed <= deadline {
		return
	}
	if w.timer != nil {
		w.timer.Stop()
	}
	w.schedule()
}

// schedule needs the lock.
func (w *waiter) schedule() {
	at := w.deadline
	w.armed = at
	w.timer = w.clock.AfterFunc(at-time.Duration(w.clock.Now()), func() { w.due(at) })
}

func (w *waiter) disarm() {
	w.mu.Lock()
	w.deadline = 0
	w.mu.Unlock()
}

func (w *waiter) due(at time.Duration) {
	w.mu.Lock()
	if w.armed != at {
		w.mu.Unlock()
		return // replaced by an earlier one; this callback could not be stopped any more
	}
	w.armed = 0
	if w.deadline == 0 {
		w.mu.Unlock()
		return
	}
	if w.deadline > time.Duration(w.clock.Now()) {
		w.schedule()
		w.mu.Unlock()
		return
	}
	t := w.current()
	late := w.purpose.late(w.target.Load())
	w.mu.Unlock()
	t.settle(nil, late)
}

// rest stops the timer for good, before the waiter is dropped.
func (w *waiter) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.armed = 0
}
