package live

import "github.com/lukhasai/lukhas-run/engine"

// nursery gives memory to the actors of the first plan and their first incarnations, in broods: a plan may start a million
// at once, and one piece of memory for several is made and kept in less time. A brood's memory is held until the last of it is
// gone, so who comes later has its own. It needs the control lock.
type nursery struct {
	actors       []actor
	incarnations []incarnation
}

// brood is how many share a piece of memory. With what the allocator adds they fill one of its sizes: 3,072 bytes of actors
// and half of that of incarnations.
const brood = 19

// native tells whether an actor is one of the first plan.
func (e *Engine) native(id engine.ID) bool { return int(id) <= len(e.options.Plan.Actors) }

// newborn gives memory for an actor.
func (e *Engine) newborn(id engine.ID) *actor {
	n := &e.control.nursery
	if !e.native(id) {
		return new(actor)
	}
	if len(n.actors) == 0 {
		n.actors = make([]actor, min(brood, len(e.options.Plan.Actors)-int(id)+1))
	}
	a := &n.actors[0]
	n.actors = n.actors[1:]
	return a
}

// incarnation gives memory for what a Start begins.
func (e *Engine) incarnation(x *engine.Start) *incarnation {
	n := &e.control.nursery
	if x.Epoch != 1 || !e.native(x.ID) {
		return new(incarnation)
	}
	if len(n.incarnations) == 0 {
		n.incarnations = make([]incarnation, min(brood, len(e.options.Plan.Actors)-int(x.ID)+1))
	}
	inc := &n.incarnations[0]
	n.incarnations = n.incarnations[1:]
	return inc
}
