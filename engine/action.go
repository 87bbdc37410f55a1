package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// onActors does the actions that are about actors. One that fails for some is done for the others.
func (m *Machine) onActors(s Steer, where *rules.Program, o origin) error {
	found, err := m.targets(s.Target, where, o)
	if err != nil {
		return err
	}
	if s.For > 0 && inverse(s.Verb) == "" {
		return fmt.Errorf("%q cannot be undone, so it takes no for", s.Verb)
	}
	switch s.Verb {
	case "restart", "stop":
		found = topmost(found)
	case "quarantine":
		found = m.worstFirst(m.leaves(found))
	default:
		found = m.leaves(found)
	}
	if s.Verb == "resume" {
		found = append(found, m.heldAbove(s.Target, o)...)
	}
	var failed []error
	for _, a := range found {
		if err := m.onActor(a, s, o); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 && len(failed) < len(found) {
		return fmt.Errorf("%d of %d refused, the first: %w", len(failed), len(found), failed[0])
	}
	if len(failed) > 0 {
		return failed[0]
	}
	return nil
}

// heldAbove are the named supervisors that were stopped by hand, which resume starts again.
func (m *Machine) heldAbove(target string, o origin) []*actor {
	found, _ := m.named(target, o)
	return slices.DeleteFunc(found, func(a *actor) bool { return a.sup == nil || !a.held })
}

func (m *Machine) onActor(a *actor, s Steer, o origin) error {
	switch s.Verb {
	case "pause":
		m.pause(a, s, o)
	case "resume":
		return m.unpause(a, s, o)
	case "restart":
		return m.restart(a, s, o)
	case "stop":
		return m.halt(a, s, o)
	case "inject":
		return m.inject(a, s, o)
	case "set_state":
		return m.setState(a, s, o)
	case "quarantine":
		return m.quarantine(a, s, o)
	case "release":
		m.unfence(a, or(s.Reason, "by "+o.by))
	}
	return nil
}

func (m *Machine) pause(a *actor, s Steer, o origin) {
	fresh := !a.paused
	if fresh {
		a.paused = true
		m.out = append(m.out, &Pause{ID: a.id, On: true})
		m.tell(a.def.Path, &journal.Paused{By: o.by, Reason: s.Reason})
	}
	m.undoLater(undo{matter: matter{verb: "resume", id: a.id}}, s, o, fresh)
}

// unpause lets a paused actor take messages again and starts one again that was stopped by hand.
func (m *Machine) unpause(a *actor, s Steer, o origin) error {
	if a.paused {
		a.paused = false
		m.dropUndo(matter{verb: "resume", id: a.id})
		m.out = append(m.out, &Pause{ID: a.id, On: false})
		m.tell(a.def.Path, &journal.Resumed{By: o.by, Reason: s.Reason})
	}
	if a.held {
		return m.restart(a, s, o)
	}
	return nil
}

// restart replaces an incarnation, or starts a new one where there is none, without spending intensity or waiting for
// a backoff.
func (m *Machine) restart(a *actor, s Steer, o origin) error {
	if err := m.mayStart(a); err != nil {
		return err
	}
	a.held, a.over, a.failed, a.tries, a.cause = false, false, false, 0, o.cause
	m.dropUndo(matter{verb: "restart", id: a.id})
	m.forgetTimer(a)
	if a.parent != nil && a.parent.sup.phase == raising && int(a.pos) >= a.parent.sup.hi {
		if a.life == waiting {
			a.life = idle // its timer is gone: the walk starts it
			m.release(a)
		}
		return nil // its turn in the order comes
	}
	if a.life != stopping || a.after == rest {
		m.announce(a, journal.ActorRestarting{Directive: o.cause.String()})
	}
	switch {
	case a.life == stopping && (a.after == regroup || a.after == vanish):
	case a.life == stopping:
		m.awaitIfRaising(a)
		a.after = revive
	case a.life == starting || a.life == running:
		m.awaitIfRaising(a)
		m.stop(a, revive, "restart by "+o.by)
	default:
		m.awaitIfRaising(a)
		a.life = waiting
		m.reviveNow(a)
	}
	return nil
}

// awaitIfRaising makes the later siblings wait for an actor that was up already.
func (m *Machine) awaitIfRaising(a *actor) {
	if a.parent != nil && a.parent.sup.phase == raising {
		a.parent.sup.await(a)
	}
}

// mayStart refuses to start an actor whose supervisor is not there.
func (m *Machine) mayStart(a *actor) error {
	switch {
	case m.mode != alive:
		return errors.New("the engine is stopping")
	case a.parent == nil:
		return nil
	case a.parent.sup.phase == shutting:
		return fmt.Errorf("%q cannot start: its supervisor %q is stopping", a.def.Path, a.parent.def.Path)
	case a.parent.life != running && a.parent.life != starting:
		return fmt.Errorf("%q cannot start: its supervisor %q is not running", a.def.Path, a.parent.def.Path)
	}
	return nil
}

// halt stops an actor until it is restarted or resumed.
func (m *Machine) halt(a *actor, s Steer, o origin) error {
	if a.parent == nil {
		return errors.New("the root cannot be stopped alone: stop the engine instead")
	}
	fresh := !a.held
	a.held = true
	switch a.life {
	case starting, running:
		m.stop(a, rest, or(s.Reason, "stopped by "+o.by))
	case waiting:
		m.forgetTimer(a)
		a.life = idle
		m.forsake(a, deadEnd)
		m.release(a)
	case stopping:
		if a.after == revive {
			m.forgetTimer(a)
			a.after = rest
		}
	}
	m.undoLater(undo{matter: matter{verb: "restart", id: a.id}}, s, o, fresh)
	return nil
}

func (m *Machine) inject(a *actor, s Steer, o origin) error {
	if s.Message == "" {
		return errors.New("inject has no message")
	}
	m.out = append(m.out, &Inject{ID: a.id, Message: Msg{Type: s.Message, Payload: s.Payload}})
	m.tell(a.def.Path, &journal.Injected{Message: s.Message, By: o.by, Reason: s.Reason})
	return nil
}

// setState sets an actor's state between messages, or that of its next incarnation.
func (m *Machine) setState(a *actor, s Steer, o origin) error {
	switch kind := a.def.Kind; {
	case kind == plan.Process || kind == plan.Upstream || kind == plan.Consensus:
		return fmt.Errorf("%q has no state to set: it is of kind %s", a.def.Path, kind)
	case s.Payload == nil:
		return errors.New("set_state has no state")
	case !m.lasts(a):
		return fmt.Errorf("%q has stopped: there is no state to set until it is restarted", a.def.Path)
	}
	m.out = append(m.out, &SetState{ID: a.id, State: s.Payload})
	m.tell(a.def.Path, &journal.StateSet{Keys: keysOf(s.Payload), By: o.by, Reason: s.Reason})
	return nil
}

// lasts tells whether an actor is up, or may come up without being asked for.
func (m *Machine) lasts(a *actor) bool {
	switch {
	case a.life == stopping:
		return m.fate(a, a.after) != forGood
	case a.life == idle && a.epoch == 0: // its turn may not have come yet
		return !a.held
	}
	return a.life == running || a.kept || m.comes(a)
}

// keysOf is an object's keys in order; anything else has none.
func keysOf(value any) []string {
	object, _ := value.(map[string]any)
	return slices.Sorted(maps.Keys(object))
}
