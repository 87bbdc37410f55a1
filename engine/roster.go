package engine

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// life is where an actor's incarnation is.
type life uint8

const (
	idle     life = iota // no incarnation, and none planned by a timer
	starting             // Start was given, Started not yet seen
	running              // up and ready; a supervisor: all its children came up once
	stopping             // Stop was given; a supervisor: closes its children
	waiting              // no incarnation; a timer or the restart breaker stands before the next one
)

// String is the life's name as status and expressions show it.
func (l life) String() string {
	return [...]string{"stopped", "starting", "running", "stopping", "restarting"}[l]
}

// sequel is what follows when an incarnation that is being stopped is gone.
type sequel uint8

const (
	rest    sequel = iota // nothing: it stays idle
	revive                // an incarnation of its own follows
	regroup               // the supervisor's sequence decides
	vanish                // the actor is forgotten
)

// cause is why an actor is started: the text that its Start effect gives.
type cause uint8

const (
	byBoot cause = iota
	byRestart
	byReload
	byScale
	byOperator
	byRule
)

func (c cause) String() string {
	return [...]string{"boot", "restart", "reload", "scale", "operator", "rule"}[c]
}

// actor is what the Machine knows of one actor. Small, since there may be a million.
type actor struct {
	def    *plan.Actor // in the running generation
	parent *actor      // nil for the root
	terms  *terms      // of def
	sup    *supervisor // nil unless it has children
	timer  TimerID     // of the pending restart; 0 is none
	since  time.Duration
	id     ID
	index  int32 // of def in the plan
	pos    int32 // among the supervisor's children
	epoch  Epoch
	tries  uint32 // failures in the current run of failures
	gate   uint32 // the supervisor's sequence waits for this actor while the two gates are equal
	life   life
	after  sequel
	cause  cause // of the next start
	over   bool  // it ended and its policy does not start it again; a group restart revives it unless its policy is never
	held   bool  // an operator or rule stopped it: nothing but another restart or resume starts it again
	paused bool
	fenced bool // quarantined
	failed bool // it ended by a failure and is not started again
	kept   bool // it may come up yet: its mailbox stays open without an incarnation; see fate
	due    bool // a restart has been announced that has not come yet

	sample *rules.Actor // the last measurements; nil before the first
}

// roster is all actors of the running plan.
type roster struct {
	byID    []*actor // index is ID-1; nil when removed: an ID is never used twice
	byIndex []*actor // in the plan's order
	// leaving has those that a reload has removed and that are still stopping, by path, without those below them. Whoever
	// comes in one's place waits until it is gone; see barred.
	leaving map[string]*actor
	accords accords // of the plan that is being taken over; empty in between
}

// find is nil for an ID that the roster never gave out or has taken back.
func (r *roster) find(id ID) *actor {
	if id == 0 || int(id) > len(r.byID) {
		return nil
	}
	return r.byID[id-1]
}

// planned is find without those that a reload has removed and that are still stopping.
func (r *roster) planned(id ID) *actor {
	a := r.find(id)
	if a == nil || int(a.index) >= len(r.byIndex) || r.byIndex[a.index] != a {
		return nil
	}
	return a
}

// incarnation is nil when the actor is unknown or the epoch is not its newest: what such an input tells is void.
func (r *roster) incarnation(id ID, epoch Epoch) *actor {
	if a := r.find(id); a != nil && a.epoch == epoch {
		return a
	}
	return nil
}

// barred tells whether an actor cannot start yet, because the one that had its path before is still stopping.
func (r *roster) barred(a *actor) bool {
	if len(r.leaving) == 0 {
		return false
	}
	before := r.leaving[a.def.Path]
	return before != nil && before != a
}

// enrol gives every actor of the first plan its ID, in plan order, out of one block of memory.
func (r *roster) enrol(p *plan.Plan) {
	r.leaving = map[string]*actor{}
	block := make([]actor, len(p.Actors))
	r.byID = make([]*actor, len(block))
	r.byIndex = r.byID // until a reload makes its own
	for i := range block {
		a := &block[i]
		r.byID[i] = a
		a.id = ID(i + 1)
		r.define(a, p, i)
	}
	r.accords = accords{}
	r.gather(p)
}

// define points an actor at its definition.
func (r *roster) define(a *actor, p *plan.Plan, index int) {
	a.def, a.index = &p.Actors[index], int32(index)
	a.terms = r.accords.of(a.def.Definition)
	if a.def.Parent >= 0 {
		a.parent = r.byIndex[a.def.Parent]
	}
	if a.sample != nil {
		a.introduce()
	}
	if a.def.Supervisor != nil && a.sup == nil {
		a.sup = &supervisor{self: a}
	}
}

// gather lists each supervisor's children in start order.
func (r *roster) gather(p *plan.Plan) {
	for _, a := range r.byIndex {
		if a.sup == nil {
			continue
		}
		a.sup.children = make([]*actor, 0, len(a.def.Supervisor.Children))
		for pos, index := range a.def.Supervisor.Children {
			child := r.byIndex[index]
			child.pos = int32(pos)
			a.sup.children = append(a.sup.children, child)
		}
	}
}
