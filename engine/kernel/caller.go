package kernel

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// GroupBit marks the IDs of groups; the rest is the group's index. Actors are numbered by the Machine, groups by the runtime.
const GroupBit engine.ID = 1 << 31

// Actor is an actor as those see it who send to it.
type Actor interface {
	Path() string
	Name() string // the end of the path
	Stand() Stand
}

// Stand is what stands between a sender and an actor at this moment.
type Stand struct {
	Kind        plan.Kind
	Guard       *guard.Guard // its group's, for a replica; nil is none
	Group       Group        // nil for an actor that is no replica
	Quarantined bool
}

// Group is a set of replicas as senders see it.
type Group interface {
	Path() string
	Guard() *guard.Guard // nil is none
	// Pick chooses the replica for a message: ready, not paused, healthy, not quarantined and, by open, behind a breaker that
	// is not open; a probe may go to a sick or quarantined one. A nil open is false for all. Nil: none is left.
	Pick(how, key string, probe bool, open func(replica string) bool) Actor
	// Named is the replica with that name, nil when it has left.
	Named(name string) Actor
	// Actors are all replicas, by number.
	Actors() []Actor
}

// Roster finds who messages are for.
type Roster interface {
	Actor(id engine.ID) Actor        // nil when there is none
	Group(id engine.ID) Group        // nil when there is none
	Edge(number uint32) *guard.Guard // nil when there is none any more
	Ref(name string) (engine.Ref, error)
	Emergency() bool // only what it admits gets through
}

// Waiter is how a caller waits. The methods belong to the goroutine that waits; a Waking may be used by all.
type Waiter interface {
	// Sleep, Begin and Await are as guard.Env has them.
	Sleep(d time.Duration) error
	Begin(until time.Duration) guard.Waking
	Await() error
	// Blocks is asked before a wait that Begin does not begin: an error says that the caller must stop.
	Blocks() error
}

// Aside is work beside the caller's own.
type Aside interface {
	// Another is a caller for that work, in the same generation, until it is dismissed. Needed tells that this one goes on with
	// nothing before that work is done, which the search for circles wants to know. Cancel makes it stop waiting, now and
	// from now on, and may be called by anyone.
	Another(needed bool) Caller
	Cancel()
	Dismiss()
	// Go runs a job that may wait.
	Go(job func())
}

// Caller is who makes a call: a handler, a program outside, a try of a hedge. It embeds a Spare.
type Caller interface {
	Roster
	Waiter
	Aside
	View() *View
	Now() time.Duration
	// Seed is where the randomness of the next guarded call to an actor, or if that is nil to a group, begins.
	Seed(a Actor, g Group) uint64
	// Deliver sends what is on a passage to an actor, past all guards, now, as the n-th attempt, and waits for the answer until
	// then (0: for DefaultAsk). The message and its Meta may be read meanwhile, not changed.
	Deliver(to Actor, p *Passage, n int, now, until time.Duration) (any, error)
	// Request is Request with the actor's shortcut: see there.
	Request(q Question) (Reply, error)
	// Record adds an event about an actor or group, by path, that cause made happen.
	Record(path string, body journal.Body, cause *engine.Cause)
	// Unsent is told of a request that came to no guard and no actor, Passed of one that has been through a guard.
	Unsent(to string, q Question, err error)
	Passed(p *Passage, err error)

	Kept() *Spare
}

// Spare keeps a caller's passage for its next call.
type Spare struct{ passage *Passage }

// Kept is where the caller keeps it.
func (s *Spare) Kept() *Spare { return s }

// take gives the spare passage, or a new one when it is in use further up.
func (s *Spare) take() *Passage {
	p := s.passage
	s.passage = nil
	if p == nil {
		p = new(Passage)
	}
	return p
}

// put takes a passage back. What the next call sets anyway is left: clearing all would cost as much as the rest of the passage.
func (s *Spare) put(p *Passage) {
	p.to, p.m, p.exchange = target{}, engine.Msg{}, nil
	p.opened, p.inner, p.tried = false, false, false
	p.hedged, p.degraded = p.hedged[:0], nil
	p.call.Payload, p.call.Witness, p.call.FallbackStatus = nil, nil, 0
	p.call.Degraded = false
	s.passage = p
}
