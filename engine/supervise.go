package engine

import (
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// directive is what a supervisor does about a failure.
type directive uint8

const (
	doRestart directive = iota
	doResume
	doStop
	doEscalate
)

func (d directive) String() string {
	return [...]string{"restart", "resume", "stop", "escalate"}[d]
}

func neverAgain(a *actor) bool { return a.terms.restart.Policy == plan.Never }

func (m *Machine) started(in Started) {
	if a := m.roster.incarnation(in.ID, in.Epoch); a != nil && a.life == starting && a.sup == nil {
		m.up(a)
	}
}

func (m *Machine) failed(in *Failed) {
	a := m.roster.incarnation(in.ID, in.Epoch)
	if a != nil && a.sup == nil && (a.life == running || a.life == starting) {
		m.fell(a, false, &in.Failure)
		m.suffer(a, &in.Failure)
	}
}

func (m *Machine) exited(in Exited) {
	a := m.roster.incarnation(in.ID, in.Epoch)
	switch {
	case a == nil || a.sup != nil:
	case a.life == stopping: // it died before it could be stopped: that is what was wanted
		m.down(a)
	case a.life == running || a.life == starting:
		m.fell(a, true, in.Failure)
		m.suffer(a, in.Failure)
	}
}

func (m *Machine) stopped(in Stopped) {
	a := m.roster.incarnation(in.ID, in.Epoch)
	if a == nil || a.sup != nil || a.life != stopping {
		return
	}
	if in.Leaked {
		m.tell(a.def.Path, &journal.ActorLeaked{Incarnation: uint64(a.epoch), What: "a handler that did not return in time"})
	}
	m.down(a)
}

// absorbs tells whether an end of this child is part of what the sequence is doing anyway, so that it neither counts
// nor causes anything. OTP's rule for overlapping failures: while a supervisor shuts down, all are absorbed; while a group
// is being lowered or waits, all of all_for_one's and the later siblings of rest_for_one's failed child. Every other
// failure counts and is merged into the running restart by regroup.
func (s *supervisor) absorbs(a *actor) bool {
	switch s.phase {
	case shutting:
		return true
	case lowering, delayed:
		return s.first == nil || a.def.Order > s.first.def.Order
	default:
		return false
	}
}

// SiblingFailed is why an actor is stopped that is restarted with a failed sibling, as its supervisor's strategy says.
const SiblingFailed = "a sibling failed"

// withGroup is the directive of a restart that counts for nothing: the sequence under way starts the child again.
const withGroup = "group"

// fell decides about a child that ended by itself (gone) or failed and waits. A nil failure is a normal end. This is
// the failure's path: apart from a group's restart it looks at no other child.
func (m *Machine) fell(a *actor, gone bool, f *Failure) {
	wasStarting := a.life == starting
	m.mend(a)
	s := a.parent.sup
	if gone {
		a.life = idle
		m.keep(a)
	}
	if m.mode == closing || s.absorbs(a) {
		if gone {
			a.over = neverAgain(a) && s.phase != shutting // the group's restart must not revive it
			m.decideFate(a, regroup)
			if m.fate(a, regroup) == back {
				m.announce(a, journal.ActorRestarting{Attempt: int(a.tries), Directive: withGroup})
			}
			m.release(a)
		}
		return // one that waits is stopped when its turn comes
	}
	d := doRestart
	if f != nil {
		d = m.judge(s, a, f)
	}
	if d == doEscalate && s.self.parent == nil && m.averts(a, false, "its failure would have ended the engine") {
		d = doRestart
	}
	switch {
	case d == doResume && !gone && !wasStarting:
		m.resume(a)
	case d == doEscalate:
		m.escalate(s, a, f)
	case d == doStop:
		m.retire(s, a, gone, f, "on_failure says stop")
	case !restartable(a, f):
		m.retire(s, a, gone, f, "failed, and is never restarted")
	default:
		m.again(s, a, gone)
	}
}

// restartable is OTP's rule: permanent children always, transient ones after a failure, temporary ones never.
func restartable(a *actor, f *Failure) bool {
	switch a.terms.restart.Policy {
	case plan.Always:
		return true
	case plan.OnFailure:
		return f != nil
	default:
		return false
	}
}

// resume lets an incarnation that failed on a message go on with the next one. It counts for nothing.
func (m *Machine) resume(a *actor) {
	m.tell(a.def.Path, &journal.ActionDone{Verb: "resume", Target: a.def.Path, By: "on_failure", Result: "done"})
	e := m.pools.resume.next()
	e.ID, e.Epoch = a.id, a.epoch
	m.out = append(m.out, e)
}

// escalate makes the failure the supervisor's own: it stops its children and leaves, and its parent decides.
func (m *Machine) escalate(s *supervisor, a *actor, f *Failure) {
	failure := *f
	m.leaveBy(s, exitFailed, "escalated a failure of "+a.def.Path)
	s.leave.failure = &failure
}

// leaveBy closes a supervisor that leaves by its own decision. The root's leaving is the engine's end.
func (m *Machine) leaveBy(s *supervisor, how exit, why string) {
	if s.self.parent == nil && m.mode == alive {
		m.mode, m.code, m.why = closing, 0, why
		if how == exitFailed || s.gaveUp > 0 {
			m.code = exitGaveUp
		}
	}
	m.close(s, how, why)
}

// exitGaveUp is the engine's exit code when the root gave up.
const exitGaveUp = 70

// retire ends a child that is not started again, and with it its supervisor when auto_shutdown says so.
func (m *Machine) retire(s *supervisor, a *actor, gone bool, f *Failure, why string) {
	a.over, a.failed = true, f != nil
	if a.failed {
		m.suspect(a)
	}
	if gone {
		m.forsake(a, a.lastWord())
		m.release(a)
	} else {
		m.stop(a, rest, why)
	}
	if !a.terms.significant {
		return
	}
	because := ""
	switch auto := s.self.def.Supervisor.AutoShutdown; {
	case auto == "any":
		because = "auto_shutdown: " + a.def.Path + " ended"
	case auto == "all" && s.significantOver():
		because = "auto_shutdown: all significant children ended"
	default:
		return
	}
	if a.failed && m.averts(a, false, "auto_shutdown would have ended "+s.self.def.Path) {
		return
	}
	m.leaveBy(s, exitShutdown, because)
}

// significantOver looks at all children, which only the end of a significant one asks for.
func (s *supervisor) significantOver() bool {
	for _, c := range s.children {
		if c.terms.significant && !c.over {
			return false
		}
	}
	return true
}

// again counts a restart and carries it out by the supervisor's strategy.
func (m *Machine) again(s *supervisor, a *actor, gone bool) {
	spec := s.self.def.Supervisor
	s.restarts++
	if s.phase == raising && spec.Strategy != plan.OneForOne && s.storm.settle(s.self.id, m.now, breaker.Failed) {
		s.storm.settle(a.id, m.now, breaker.Ignored)
	} else {
		s.storm.failedIn(a.id, m.now)
	}
	m.rulebook.touchSupervisor(s)
	m.loops(a)
	if s.spell.add(m.now, spec.Intensity, m.wholeSeconds) && !m.averts(a, m.tightened(s), "the restart intensity of "+s.self.def.Path+" is exceeded") {
		m.giveUp(s, a, gone)
		return
	}
	delay := m.backoff(a)
	if s.spell.spinning(m.now) {
		delay = max(delay, breather)
	}
	m.announce(a, journal.ActorRestarting{Attempt: int(a.tries), Delay: delay, Directive: doRestart.String()})
	a.cause = byRestart
	if spec.Strategy != plan.OneForOne {
		m.regroup(s, a, gone, delay)
		return
	}
	if delay > 0 {
		a.timer = m.alarm(timer{purpose: restartActor, subject: a.id, at: m.now + delay})
	}
	m.replace(s, a, gone)
}

// announce tells that another incarnation is coming.
func (m *Machine) announce(a *actor, told journal.ActorRestarting) {
	a.due, a.kept = true, a.kept || a.sup != nil
	a.mind()
	told.Restarts = uint64(a.epoch)
	body := m.pools.restarting.next()
	*body = told
	m.tell(a.def.Path, body)
}

// replace restarts one child on its own: at once when nothing stands before it, else when its incarnation is gone and
// its timer has come. While its supervisor is raising, the stages after it wait.
func (m *Machine) replace(s *supervisor, a *actor, gone bool) {
	if s.phase == raising && int(a.pos) < s.hi {
		s.await(a)
	}
	if !gone {
		m.stop(a, revive, "restart")
		return
	}
	a.life = waiting
	if a.timer == 0 {
		m.reviveNow(a)
	}
}

// mend ends a run of failures: an incarnation that was up for reset_after starts again from the first wait.
func (m *Machine) mend(a *actor) {
	after := a.terms.restart.Backoff.ResetAfter
	if after > 0 && a.life == running && m.now-a.since >= after {
		a.tries = 0
	}
}

// backoff is how long the next incarnation waits.
func (m *Machine) backoff(a *actor) time.Duration {
	b := &a.terms.restart.Backoff
	a.tries++
	wait := breaker.Backoff{Initial: b.Initial, Factor: b.Factor, Max: b.Max, Jitter: b.Jitter}
	return wait.Wait(int(a.tries-1), m.seed^uint64(a.id)<<32^uint64(a.epoch))
}

// regroup begins or widens a group's restart: later children stop in reverse order, then, after the longest backoff of
// the failures merged into it, all start in order.
func (m *Machine) regroup(s *supervisor, a *actor, gone bool, delay time.Duration) {
	merging := s.phase == lowering || s.phase == delayed
	switch {
	case s.self.def.Supervisor.Strategy == plan.AllForOne:
		s.first = nil
	case !merging || a.def.Order < s.first.def.Order:
		s.first = a
	}
	s.lo = len(s.children)
	s.enter(lowering)
	if at := m.now + delay; delay > 0 && (s.timer == 0 || at > s.at) {
		m.disarm(s.timer)
		s.timer, s.at = m.alarm(timer{purpose: restartGroup, subject: s.self.id, at: at}), at
	}
	if !gone {
		m.stop(a, regroup, "restart")
	}
	m.wake(s)
}

// giveUp is what happens when the intensity is exceeded: the failed child is not restarted, the others stop in reverse
// start order and the supervisor exits `shutdown`, which to its parent is a normal end.
func (m *Machine) giveUp(s *supervisor, a *actor, gone bool) {
	limit := s.self.def.Supervisor.Intensity
	s.gaveUp++
	a.over, a.failed = true, true
	reason := "restart intensity exceeded by " + a.def.Path
	m.tell(s.self.def.Path, &journal.SupervisorGaveUp{
		Max: limit.Max, Within: limit.Within, Restarts: s.spell.count + 1, Reason: reason,
	})
	m.leaveBy(s, exitShutdown, reason)
}
