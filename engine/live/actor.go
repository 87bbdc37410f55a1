package live

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// What an actor is doing, as status shows it.
type phase uint8

const (
	phaseNew phase = iota
	phaseStarting
	phaseRunning
	phaseFailed
	phaseRestarting
	phaseStopping
	phaseStopped
	phaseRemoved
)

func (p phase) String() string {
	return [...]string{"new", "starting", "running", "failed", "restarting", "stopping", "stopped", "removed"}[p]
}

// overflow is a mailbox's policy as a number.
type overflow uint8

const (
	overflowReject overflow = iota
	overflowBlock
	overflowDropOldest
	overflowDropNewest
)

// box is an actor's mailbox policy.
type box struct {
	Capacity int
	Overflow overflow
	Drop     bool // what waits is dropped at a restart
	Attempts int
}

func newBox(m plan.Mailbox) box {
	b := box{Capacity: max(m.Capacity, 1), Drop: m.OnRestart == "drop", Attempts: max(m.Attempts, 1)}
	switch m.Overflow {
	case "block":
		b.Overflow = overflowBlock
	case "drop_oldest":
		b.Overflow = overflowDropOldest
	case "drop_newest":
		b.Overflow = overflowDropNewest
	}
	return b
}

// actor is one actor through all its incarnations: its mailbox, and what senders need to know of it.
type actor struct {
	eng  *Engine
	id   engine.ID
	path string

	group *group                      // of a replica; nil otherwise
	guard atomic.Pointer[guard.Guard] // nil for replicas, whose group has it
	// unfit has a bit for each reason why nothing is routed here; senders read it without the lock.
	unfit atomic.Uint32
	stats atomic.Pointer[stats]
	// asking is the waiter of the one handler at work, for finding circles; see caller.circle.
	asking atomic.Pointer[waiter]
	alone  atomic.Bool // one message at a time

	kind plan.Kind // a Supervisor is the Machine's own: it takes no messages

	mu     sync.Mutex
	phase  phase
	box    box
	inc    *incarnation // the latest; nil before the first
	paused bool
	revive bool         // the Machine has announced another incarnation
	cause  engine.Cause // of what is being done to it: what it reports is caused by that
	parked []parked
	back   queue // what senders put in
	sent   uint64
	seen   uint64        // done, when a sender last looked
	done   atomic.Uint64 // messages taken or dropped; written by whoever owns the consuming end
	hungry atomic.Bool   // messages are parked

	// front is the chain the consumer has stolen. With one handler at a time it belongs to the running activation and,
	// between activations, to the lock; with several it stays empty.
	front queue
	again queue // messages that killed an incarnation and are tried again, before all others
	sys   []sysOp
}

// The reasons why an actor gets no routed message.
const (
	unfitDown uint32 = 1 << iota
	unfitPaused
	unfitQuarantined
	unfitSick
)

func (a *actor) mark(bit uint32, on bool) {
	if on {
		a.unfit.Or(bit)
		return
	}
	a.unfit.And(^bit)
}

// single tells whether the actor handles one message at a time.
func (a *actor) single() bool { return a.alone.Load() }

// closed says why the mailbox takes nothing. It needs the lock.
func (a *actor) closed() *engine.Error {
	switch a.phase {
	case phaseStopped:
		return &engine.Error{Kind: engine.KindUnreachable, Message: deadStopped, By: a.path}
	case phaseRemoved:
		return &engine.Error{Kind: engine.KindUnreachable, Message: deadRemoved, By: a.path}
	}
	return nil
}

// The reasons why an incarnation takes no messages, as bits of its gate.
const (
	gateDown   uint32 = 1 << iota // not up yet, failed, or on its way out
	gatePaused                    // messages wait; system operations run
	gateSystem                    // a system operation waits
)

// ending is how an incarnation goes.
type ending uint8

const (
	notEnding  ending = iota
	endExited         // by itself
	endStopped        // a Stop effect wants it
)

// incarnation is one life of an actor. Fields below mu's line belong to the actor's lock.
type incarnation struct {
	a        *actor
	epoch    engine.Epoch
	limit    int  // handlers at once; 0 is without bound
	soft     bool // a failed call fails that call only: processes and upstreams
	gate     atomic.Uint32
	cut      atomic.Bool // handlers are told to stop
	rng      atomic.Uint64
	behavior engine.Behavior
	runner   engine.Runner // nil unless its Start succeeded
	began    time.Duration

	active  int      // activations handed out, the starting one included
	frames  []*frame // of activations that have begun
	ending  ending
	failure *engine.Failure // of endExited
	poison  *envelope       // the message it failed on, until the verdict
	verdict *engine.Error   // what its asker is told then
	leaked  bool
	stop    stopSpec
	asked   time.Duration // when the stop was asked for
}

// stopSpec is the Stop effect being carried out.
type stopSpec struct {
	drain, kill time.Duration
	why         string
	again       bool // another incarnation follows
	stage       stage
}

// stage is how far the end of an incarnation is.
type stage uint8

const (
	stageNone   stage = iota
	stageDrain        // handlers may finish
	stageCancel       // blocked calls have returned ErrStopped
	stageEnding       // all handlers are out or fenced off; what the behaviour owns is being stopped
	stageGone
)

// enlist hands out one activation when there is work and leave to do it. It needs the lock; the caller then runs what
// it returns.
func (a *actor) enlist() *incarnation {
	inc := a.inc
	if inc == nil || inc.gate.Load() != 0 || inc.limit > 0 && inc.active >= inc.limit {
		return nil
	}
	inc.active++
	return inc
}

// rouse hands out as many activations as there is work for, after a gate has opened. It needs the lock.
func (a *actor) rouse() {
	inc := a.inc
	if inc == nil || inc.gate.Load()&gateDown != 0 {
		return
	}
	for work := a.work(); work > 0 && (inc.limit == 0 || inc.active < inc.limit); work-- {
		inc.active++
		a.eng.pool.run(inc)
	}
}

// work is how much there is to do for the latest incarnation. It needs the lock.
func (a *actor) work() int {
	if a.inc.gate.Load()&gatePaused != 0 {
		return len(a.sys)
	}
	return a.waiting() + a.againCount() + len(a.sys)
}

func (a *actor) againCount() int {
	n := 0
	for c := a.again.first; c != nil; c = c.next {
		n += c.tail - c.head
	}
	return n
}

// unlist takes a frame off the list. It needs the lock.
func (inc *incarnation) unlist(f *frame) {
	if i := slices.Index(inc.frames, f); i >= 0 {
		inc.frames = slices.Delete(inc.frames, i, i+1)
	}
}

// sysOp is done between messages, before all that wait, paused or not.
type sysOp func(b engine.Behavior)

// system queues an operation and reports whether there is an incarnation to run it.
func (a *actor) system(op sysOp) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	inc := a.inc
	if inc == nil || inc.gate.Load()&gateDown != 0 {
		return false
	}
	a.sys = append(a.sys, op)
	inc.gate.Or(gateSystem)
	if inc.limit == 0 || inc.active < inc.limit {
		inc.active++
		a.eng.pool.run(inc)
	}
	return true
}
