package live

import (
	"maps"
	"slices"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Move gives an actor another path. Its ID stays, so whoever has a reference reaches it all the time; who has only its old
// path does until another actor takes that. Handlers that are at work keep the generation, and with it the definition, under
// which they began.
func (e hands) Move(id engine.ID, path string) {
	a := e.actor(id)
	if a == nil {
		return
	}
	r := &e.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	old := a.Path()
	if r.byPath.find(old) == a {
		r.byPath.remove(old)
	}
	moved := map[engine.ID][]string{}
	if before := r.moved.Load(); before != nil {
		moved = maps.Clone(*before)
	}
	places := moved[a.id]
	if places == nil {
		places = []string{a.path}
	}
	moved[a.id] = append(places[max(0, len(places)-mostPlaces):len(places):len(places)], path)
	r.moved.Store(&moved)
	a.mark(markMoved, true)
	r.byPath.put(a)
	if r.former == nil {
		r.former = map[string]*actor{}
	}
	r.former[old] = a
	delete(r.former, path)
}

// mostPlaces is how many earlier paths of an actor are remembered: a handler that outlasts more moves has no definition.
const mostPlaces = 7

// mostLeft is how many removed actors' paths are remembered, for handlers and messages of theirs that are on their way out.
const mostLeft = 64

// leave forgets the places of actors that were removed, but for the last ones. It needs the lock.
func (r *roster) leave(a *actor) {
	if a.unfit.Load()&markMoved == 0 {
		return
	}
	r.left = append(r.left, a.id)
	if len(r.left) <= mostLeft {
		return
	}
	moved := maps.Clone(*r.moved.Load())
	delete(moved, r.left[0])
	r.left = slices.Delete(r.left, 0, 1)
	r.moved.Store(&moved)
}

// places are the actor's paths so far, the first being where it came.
func (a *actor) places() []string {
	if a.unfit.Load()&markMoved != 0 {
		if places := (*a.eng.roster.moved.Load())[a.id]; len(places) > 0 {
			return places
		}
	}
	return []string{a.path}
}

// formerly is the actor's definition in a plan of before it moved, nil when p has none.
func (a *actor) formerly(p *plan.Plan) *plan.Actor {
	if a.unfit.Load()&markMoved == 0 {
		return nil
	}
	places := a.places()
	for i := len(places) - 2; i >= 0; i-- {
		if at := p.Index(places[i]); at >= 0 {
			return &p.Actors[at]
		}
	}
	return nil
}
