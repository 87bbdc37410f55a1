package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// adopt puts an actor under another supervisor while it runs: the variant of the plan in which it stands there.
func (m *Machine) adopt(s Steer, where *rules.Program, o origin) error {
	found, err := m.targets(s.Target, where, o)
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("%q means %d actors; they are adopted one by one", s.Target, len(found))
	}
	if s.Text == "" {
		return errors.New("adopt needs the supervisor that the actor comes under")
	}
	a := found[0]
	if err := a.def.Adoptable(); err != nil {
		return err
	}
	up, err := m.named(s.Text, o)
	switch {
	case err != nil:
		return err
	case len(up) != 1 || up[0].sup == nil:
		return fmt.Errorf("%q is no supervisor", s.Text)
	case up[0] == a.parent:
		return fmt.Errorf("%q is under %q already", a.def.Path, up[0].def.Path)
	}
	if life := up[0].life; life != starting && life != running {
		return fmt.Errorf("%q is %s and takes nobody in", up[0].def.Path, up[0].state())
	}
	origin := m.wanted().Origin(a.def.Path)
	u := undo{matter: matter{verb: "adopt", varied: origin}}
	for _, own := range m.wanted().Variation().Adopted {
		if own.Actor == origin {
			u.before = own.Under
		}
	}
	why := fmt.Sprintf("move %s under %s", a.def.Path, up[0].def.Path)
	if err := m.vary(o, why, func(v *plan.Variation) { v.Adopt(origin, up[0].def.Path) }); err != nil {
		return err
	}
	m.undoVariant(u, s, o)
	return nil
}

// moving are the places that actors which move had in the old plan, by their new paths.
func (m *Machine) moving(old *plan.Plan) map[string]int {
	var from map[string]int
	for _, move := range plan.Moves(old, m.plan) {
		if from == nil {
			from = map[string]int{}
		}
		from[move.To] = old.Index(move.From)
	}
	return from
}

// abandon takes an actor that moves out of its supervisor. What the supervisor has counted of its restarts stays with it;
// the actor's own run of failures, and with it its backoff, goes along. Its incarnation is not touched: one that the
// supervisor was stopping for its group's sake is started again by the new one.
func (m *Machine) abandon(a *actor) {
	s := a.parent.sup
	s.storm.settle(a.id, m.now, breaker.Ignored)
	if a.gate != 0 {
		m.release(a)
		a.gate = 0
	}
	at := slices.Index(s.children, a)
	s.children = slices.Delete(slices.Clone(s.children), at, at+1)
	for i := at; i < len(s.children); i++ {
		s.children[i].pos = int32(i)
	}
	if at < s.lo { // one that is not in the plan any more goes on where it was
		s.lo--
	}
	if at < s.hi {
		s.hi--
	}
	if s.first == a {
		s.first = nil
		if len(s.children) > 0 {
			s.first = s.children[min(at, len(s.children)-1)]
		}
	}
	if a.life == stopping && a.after == regroup {
		a.after, a.cause = revive, byReload
	}
}

// lodge stops those that the Step has moved under a supervisor that does not run, once all that starts in this Step has: they
// come up with it. Nobody runs below a supervisor that is down.
func (m *Machine) lodge() {
	if len(m.variant.moved) == 0 {
		return
	}
	moved := m.variant.moved
	m.variant.moved = nil
	for _, a := range moved {
		up := a.parent
		if a.life != starting && a.life != running && a.life != waiting || up.life != idle && up.life != waiting {
			continue
		}
		after := regroup
		if up.life == idle && up.epoch > 0 && !up.kept {
			after = rest
		}
		if a.life == waiting {
			m.forgetTimer(a)
			a.life = idle
			m.decideFate(a, after)
			continue
		}
		m.stop(a, after, "its new supervisor is not running")
	}
	m.settle()
}
