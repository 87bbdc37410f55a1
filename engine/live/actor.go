package live

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// actor is one actor through all its incarnations: its mailbox, and what senders need to know of it. There may be a
// million: what few of them need is in rare, and fields stand in an order that leaves no gaps.
type actor struct {
	eng  *Engine
	path string

	group  *group // of a replica; nil otherwise
	active atomic.Pointer[active]
	id     engine.ID
	at     atomic.Int32 // index of its definition in the plan that was last asked; see spec
	// unfit has a bit for each reason why nothing is routed here, and the marks; senders read it without the lock.
	unfit atomic.Uint32
	alone atomic.Bool   // one message at a time
	done  atomic.Uint32 // messages taken or dropped; written by whoever owns the consuming end

	kind   plan.Kind    // a Supervisor is the Machine's own: it takes no messages; never changes
	phase  kernel.Phase // this, what follows here and what stands below mu belong to mu
	paused bool

	// front is the chain the consumer has stolen. With one handler at a time it belongs to the running activation and,
	// between activations, to the lock; with several it stays empty.
	front queue

	mu    sync.Mutex
	back  queue  // what senders put in
	sent  uint32 // as done it goes round; the mailbox holds less than half of that
	seen  uint32 // done, when a sender last looked
	box   kernel.Box
	inc   *incarnation // the latest; nil before the first
	rare  *rare        // nil until needed
	cause engine.Cause // of what is being done to it: what it reports is caused by that
}

// active is what an actor has once it has handled a message or has a guard of its own.
type active struct {
	guard atomic.Pointer[guard.Guard] // nil for replicas, whose group has it
	// asking is the waiter of the one handler at work, for finding circles; see caller.circle.
	asking atomic.Pointer[waiter]
	stats
}

// activity gives the actor's active part, made if need be.
func (a *actor) activity() *active {
	if x := a.active.Load(); x != nil {
		return x
	}
	a.active.CompareAndSwap(nil, new(active))
	return a.active.Load()
}

// counts are what the actor has counted.
func (a *actor) counts() *stats { return &a.activity().stats }

// Guard is the actor's own guard, nil when it has none.
func (a *actor) Guard() *guard.Guard {
	if a.unfit.Load()&markGuarded == 0 {
		return nil
	}
	return a.activity().guard.Load()
}

// protectBy gives the actor its own guard, or takes it away.
func (a *actor) protectBy(g *guard.Guard) {
	if g != nil || a.active.Load() != nil {
		a.activity().guard.Store(g)
	}
	a.mark(markGuarded, g != nil)
}

// rare is what an actor has only when something unusual waits for it. It belongs to the actor's lock.
type rare struct {
	parked []parked
	again  queue // put back at the head of the mailbox: messages that killed an incarnation, and what was stashed
	ahead  int   // how many those are
	stash  queue
	aside  int // how many are stashed
	// setting is the state to be set between messages, before all that wait, paused or not; nil is none.
	setting *kernel.Setting
	looks   []ticket // of those who wait to be shown the state, between messages like a setting

	watchers kernel.Watchers
	watching *kernel.Watching // by the latest incarnation
}

// putBack puts one message at the head of the mailbox.
func (r *rare) putBack(e *envelope) {
	var one queue
	one.push(e)
	r.again.prepend(&one)
	r.ahead++
}

// unstash puts what is stashed at the head of the mailbox and tells how many.
func (r *rare) unstash() int {
	if r == nil || r.aside == 0 {
		return 0
	}
	n := r.aside
	r.again.prepend(&r.stash)
	r.ahead, r.aside = r.ahead+n, 0
	return n
}

// held is how many messages are put aside or back.
func (r *rare) held() int {
	if r == nil {
		return 0
	}
	return r.ahead + r.aside
}

// unusual gives the actor's rare part, made if need be. It needs the lock.
func (a *actor) unusual() *rare {
	if a.rare == nil {
		a.rare = new(rare)
	}
	return a.rare
}

// crowd is how many messages wait for room.
func (r *rare) crowd() int {
	if r == nil {
		return 0
	}
	return len(r.parked)
}

// errands is how much is to be done between messages: a state to be set, one or none, and those who want to be shown it.
func (r *rare) errands() int {
	switch {
	case r == nil:
		return 0
	case r.setting != nil:
		return 1 + len(r.looks)
	}
	return len(r.looks)
}

// errand takes one of the errands, of which there must be some: who looks sees what was set before.
func (r *rare) errand() (*kernel.Setting, ticket) {
	if s := r.setting; s != nil {
		r.setting = nil
		return s, ticket{}
	}
	t := r.looks[0]
	if r.looks = r.looks[1:]; len(r.looks) == 0 {
		r.looks = nil
	}
	return nil, t
}

// retry takes the next message that was put back.
func (r *rare) retry(e *envelope) bool {
	if r == nil || !r.again.pop(e) {
		return false
	}
	r.ahead--
	return true
}

// retries counts the messages that were put back.
func (r *rare) retries() int {
	if r == nil {
		return 0
	}
	return r.ahead
}

// The marks, beside the reasons why an actor is unfit for messages.
const (
	markHungry  = (kernel.UnfitAny + 1) << iota // messages are parked
	markGuarded                                 // it has a guard of its own
	markMoved                                   // it has another path than the one it came with; see roster.moved
)

// spec is the actor's definition in p, nil when p has none. That it mostly stands where it stood saves the search.
func (a *actor) spec(p *plan.Plan) *plan.Actor {
	at, path := int(a.at.Load()), a.Path()
	if at >= len(p.Actors) || p.Actors[at].Path != path {
		if at = p.Index(path); at < 0 {
			return a.formerly(p)
		}
		a.at.Store(int32(at))
	}
	return &p.Actors[at]
}

func (a *actor) mark(bit uint32, on bool) {
	if on {
		a.unfit.Or(bit)
		return
	}
	a.unfit.And(^bit)
}

// The reasons why an incarnation takes no messages, as bits of its gate.
const (
	gateDown   uint32 = 1 << iota // not up yet, failed, or on its way out
	gatePaused                    // messages wait; errands are done
	gateErrand                    // there are errands
	gateFenced                    // given up: no code of the behaviour begins any more
)

// incarnation is one life of an actor. Fields below the gap belong to the actor's lock.
type incarnation struct {
	a        *actor
	behavior engine.Behavior
	rng      atomic.Uint64 // 0 until it is asked for the first time
	began    time.Duration
	epoch    engine.Epoch
	limit    int32 // handlers at once; 0 is without bound
	gate     atomic.Uint32
	cut      atomic.Bool // handlers are told to stop
	soft     bool        // a failed call fails that call only: processes and upstreams

	ending kernel.Ending
	runs   bool   // the behaviour is a Runner whose Start was called: Stop ends what began
	active int32  // activations handed out, the starting one included
	frames *frame // of activations that have begun, linked by their left and right
	last   *last  // nil until it fails or ends
}

// rand draws a number.
func (inc *incarnation) rand() uint64 {
	if inc.rng.Load() == 0 {
		inc.rng.CompareAndSwap(0, inc.a.eng.seedFor(inc.a.Path())+uint64(inc.epoch)*guard.Golden)
	}
	return guard.Mix(inc.rng.Add(guard.Golden))
}

// last is what an incarnation has only when it fails or ends. It belongs to the actor's lock.
type last struct {
	kernel.End
	poison *envelope // the message it failed on, until the verdict
}

// end gives what the incarnation's end needs, made if need be. It needs the lock.
func (inc *incarnation) end() *last {
	if inc.last == nil {
		inc.last = new(last)
	}
	return inc.last
}

// stage is how far the end is.
func (inc *incarnation) stage() kernel.Stage {
	if inc.last == nil {
		return kernel.StageNone
	}
	return inc.last.Stage
}

// poisoned reports whether a message that it failed on waits for the verdict.
func (inc *incarnation) poisoned() bool { return inc.last != nil && inc.last.poison != nil }

// takePoison takes the message that it failed on, nil when there is none, and what its asker is told.
func (inc *incarnation) takePoison() (*envelope, *engine.Error) {
	if inc.last == nil {
		return nil, nil
	}
	poison, verdict := inc.last.poison, inc.last.Verdict
	inc.last.poison = nil
	return poison, verdict
}

// busy reports whether no further activation may be handed out.
func (inc *incarnation) busy() bool { return inc.limit > 0 && inc.active >= inc.limit }

// enlist hands out one activation when there is work and leave to do it. It needs the lock; the caller then runs what
// it returns.
func (a *actor) enlist() *incarnation {
	inc := a.inc
	if inc == nil || inc.gate.Load() != 0 || inc.busy() {
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
	for work := a.work(); work > 0 && !inc.busy(); work-- {
		inc.active++
		a.eng.pool.run(inc)
	}
}

// work is how much there is to do for the latest incarnation. It needs the lock.
func (a *actor) work() int {
	if a.inc.gate.Load()&gatePaused != 0 {
		return a.rare.errands()
	}
	return a.waiting() + a.rare.retries() + a.rare.errands()
}

// list puts a frame on the list. It needs the lock.
func (inc *incarnation) list(f *frame) {
	f.left, f.right = nil, inc.frames
	if f.right != nil {
		f.right.left = f
	}
	inc.frames = f
}

// unlist takes a frame off the list, if it is there. It needs the lock.
func (inc *incarnation) unlist(f *frame) {
	switch {
	case f.left != nil:
		f.left.right = f.right
	case inc.frames == f:
		inc.frames = f.right
	default:
		return
	}
	if f.right != nil {
		f.right.left = f.left
	}
	f.left, f.right = nil, nil
}

// set has a state set between messages, or when the next incarnation comes up.
func (a *actor) set(s *kernel.Setting) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path, scribe := a.Path(), &a.eng.scribe
	if a.phase.Closed(path) != nil {
		s.Void(path, scribe)
		return
	}
	inc, r := a.inc, a.unusual()
	s.Held = inc == nil || inc.gate.Load()&gateDown != 0
	s.Queue(r.setting, path, scribe)
	r.setting = s
	if s.Held {
		return
	}
	a.errand()
}

// errand sees to it that an errand is done which has come for the incarnation that is up. It needs the lock.
func (a *actor) errand() {
	inc := a.inc
	inc.gate.Or(gateErrand)
	if !inc.busy() {
		inc.active++
		a.eng.pool.run(inc)
	}
}

// nextErrand takes an errand for a frame. What came meanwhile found the gate closed, so after the last one the handlers to spare are
// set to it. It needs the lock.
func (a *actor) nextErrand() (set *kernel.Setting, look ticket) {
	set, look = a.rare.errand()
	if a.rare.errands() > 0 {
		return set, look
	}
	a.inc.gate.And(^gateErrand)
	if a.inc.limit != 1 {
		a.rouse()
	}
	return set, look
}
