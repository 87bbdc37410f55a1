package live

import (
	"sync"
	"sync/atomic"
	"time"

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

	// What is waited for, until when (engine time; 0 is for ever) and what that means. asker and target also serve to find
	// circles of asks. All are written before the wait's generation is, so who reads them between two equal readings of
	// state, or before a settle that succeeds, has a consistent set.
	asker, target atomic.Pointer[actor]
	until         atomic.Int64
	purpose       atomic.Uint32

	// asked is about when the last ask was made: up to dated before it was. It spares the callee a reading of the clock.
	asked atomic.Int64

	// Of a handler: whose wait it is about to end with an answer. Written before the handler runs.
	serves     atomic.Pointer[waiter]
	servesWait atomic.Uint32
	// needs is how many of those who work beside it must be done before it goes on. It waits for them from the moment they
	// begin, even if it does not wait yet: nobody looks for a circle when it does.
	needs atomic.Int32

	// One timer serves many waits: it is left running when a wait ends early, and when it fires it looks what is due. So most
	// waits leave it alone: they see, without the lock, that it fires before they end.
	mu    sync.Mutex
	timer clock.Timer
	armed atomic.Int64 // when the timer fires; 0 is not armed. Written with the lock
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
func (w *waiter) begin(p kernel.Purpose, asker, target *actor, deadline time.Duration) ticket {
	gen := w.state.Load()>>1 + 1
	if w.asker.Load() != asker { // mostly these are what they were, and a store costs more than a look
		w.asker.Store(asker)
	}
	if w.target.Load() != target {
		w.target.Store(target)
	}
	if w.purpose.Load() != uint32(p) {
		w.purpose.Store(uint32(p))
	}
	w.until.Store(int64(deadline))
	w.state.Store(gen<<1 | 1)
	if deadline > 0 {
		w.arm(deadline)
	}
	return ticket{w, gen}
}

// dated is how much later the present ask may have been made than asked says.
const dated = 5 * time.Microsecond

// date notes that an ask is made now. Often what is there is good enough, and a store costs more than a look.
func (w *waiter) date(now time.Duration) {
	if now-time.Duration(w.asked.Load()) > dated {
		w.asked.Store(int64(now))
	}
}

// wait blocks until the wait is settled.
func (w *waiter) wait() (any, error) {
	<-w.wake
	value, err := w.value, w.err
	w.value, w.err = nil, nil
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

// arm makes sure that the timer fires by the deadline of a wait that has begun. A timer that fires meanwhile takes armed back
// before it looks whether somebody waits; so either it sees the wait or this sees that nothing is armed.
func (w *waiter) arm(deadline time.Duration) {
	if w.fires(deadline) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fires(deadline) {
		return
	}
	if w.timer != nil {
		w.timer.Stop()
	}
	w.schedule(deadline)
}

// fires tells whether the timer fires by then.
func (w *waiter) fires(by time.Duration) bool {
	at := w.armed.Load()
	return at != 0 && at <= int64(by)
}

// schedule needs the lock.
func (w *waiter) schedule(at time.Duration) {
	w.armed.Store(int64(at))
	w.timer = w.clock.AfterFunc(at-time.Duration(w.clock.Now()), func() { w.due(at) })
}

func (w *waiter) due(at time.Duration) {
	w.mu.Lock()
	if w.armed.Load() != int64(at) {
		w.mu.Unlock()
		return // replaced by an earlier one; this callback could not be stopped any more
	}
	w.armed.Store(0)
	state := w.state.Load()
	deadline := time.Duration(w.until.Load())
	if state&1 == 0 || deadline == 0 {
		w.mu.Unlock()
		return
	}
	if deadline > time.Duration(w.clock.Now()) {
		w.schedule(deadline)
		w.mu.Unlock()
		return
	}
	late := kernel.Purpose(w.purpose.Load()).Late(w.on())
	w.mu.Unlock()
	ticket{w, state >> 1}.settle(nil, late)
}

// on is the path of the actor whose answer, or whose room, is waited for.
func (w *waiter) on() string {
	if target := w.target.Load(); target != nil {
		return target.Path()
	}
	return ""
}

// rest stops the timer for good, before the waiter is dropped.
func (w *waiter) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.armed.Store(0)
}
