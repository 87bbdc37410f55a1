package sim

import (
	"context"
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// actor is one actor through all its incarnations: its mailbox, and what senders need to know of it.
type actor struct {
	eng  *Engine
	id   engine.ID
	path string
	name string
	seat uint64
	kind plan.Kind

	group *group       // of a replica; nil otherwise
	guard *guard.Guard // nil for replicas, whose group has it
	spec  *plan.Actor  // in the running generation
	unfit uint8        // a bit for each reason why nothing is routed here
	alone bool         // one message at a time
	box   kernel.Box
	trial // what faults do to it
	counts
	traffic
	numbers numbers // of its guarded calls

	phase  kernel.Phase
	inc    *incarnation // the latest; nil before the first
	paused bool
	cause  engine.Cause // of what is being done to it: what it reports is caused by that
}

// traffic is what waits for an actor.
type traffic struct {
	parked  []parked
	back    queue
	again   queue // put back at the head of the mailbox: messages that killed an incarnation, and what was stashed
	stash   queue
	setting *kernel.Setting // to be set between messages, before all that wait, paused or not; nil is none

	watchers kernel.Watchers
	watching *kernel.Watching // by the latest incarnation
}

// unstash puts what is stashed at the head of the mailbox and tells how many.
func (t *traffic) unstash() int {
	n := t.stash.n
	if n > 0 {
		t.again.prepend(&t.stash)
	}
	return n
}

// counts are an actor's counts since the engine started.
type counts struct {
	calls, failures, refused, restarts uint64
	hist                               *engine.Histogram
}

func (a *actor) mark(bit uint8, on bool) {
	if on {
		a.unfit |= bit
		return
	}
	a.unfit &^= bit
}

// Load implements guard.Member.
func (a *actor) Load() int {
	n := a.back.n + len(a.parked)
	if a.inc != nil {
		n += a.inc.active
	}
	return n
}

// Seat implements guard.Member.
func (a *actor) Seat() uint64 { return a.seat }

// The reasons why an incarnation takes no messages, as bits of its gate.
const (
	gateDown   uint8 = 1 << iota // not up yet, failed, or on its way out
	gatePaused                   // messages wait; states are set
	gateHung                     // by a fault: it takes nothing, and nobody is told
)

// incarnation is one life of an actor.
type incarnation struct {
	a      *actor
	epoch  engine.Epoch
	limit  int             // handlers at once; 0 is without bound
	soft   bool            // a failed call fails that call only: processes and upstreams
	brief  bool            // its handlers never wait
	own    bool            // its handlers are our own code: scripts and consensus
	labels context.Context // of the goroutines that its code starts; nil until it runs
	gate   uint8
	cut    bool // handlers are told to stop
	rng    uint64
	began  time.Duration

	behavior engine.Behavior
	runner   engine.Runner // nil unless it has been started
	server   *server       // in a behaviour's place: the world's model

	active int      // activations handed out, the starting one included
	frames []*frame // of activations at work
	ending kernel.Ending
	end    kernel.End
	poison *envelope // the message it failed on, until the verdict
}

// enlist hands out one activation when there is work and leave to do it.
func (a *actor) enlist() {
	inc := a.inc
	if inc == nil || inc.gate != 0 || inc.limit > 0 && inc.active >= inc.limit {
		return
	}
	inc.active++
	a.eng.push(task{kind: taskActivate, inc: inc})
}

// rouse hands out as many activations as there is work for, after a gate has opened.
func (a *actor) rouse() {
	inc := a.inc
	if inc == nil || inc.gate&(gateDown|gateHung) != 0 {
		return
	}
	work := 0
	if a.setting != nil {
		work = 1
	}
	if inc.gate&gatePaused == 0 {
		work += a.back.n + a.again.n
	}
	for ; work > 0 && (inc.limit == 0 || inc.active < inc.limit); work-- {
		inc.active++
		a.eng.push(task{kind: taskActivate, inc: inc})
	}
}

// unlist takes a frame off the list.
func (inc *incarnation) unlist(f *frame) {
	if i := slices.Index(inc.frames, f); i >= 0 {
		inc.frames = slices.Delete(inc.frames, i, i+1)
	}
}

// set has a state set between messages, or when the next incarnation comes up. A bare one is for the one at hand.
func (a *actor) set(s *kernel.Setting) {
	if a.phase.Closed(a.path) != nil {
		s.Void(a.path, &a.eng.scribe)
		return
	}
	inc := a.inc
	s.Held = inc == nil || inc.gate&gateDown != 0
	if s.Held && s.Bare {
		return
	}
	s.Queue(a.setting, a.path, &a.eng.scribe)
	a.setting = s
	if !s.Held && (inc.limit == 0 || inc.active < inc.limit) {
		inc.active++
		a.eng.push(task{kind: taskActivate, inc: inc})
	}
}

// group is a set of replicas under one name.
type group = kernel.Replicas[*actor]

// Unfit implements kernel.Replica.
func (a *actor) Unfit() uint32 { return uint32(a.unfit) }
