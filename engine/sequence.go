package engine

import (
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/journal"
)

// phase is what a supervisor's sequence is doing.
type phase uint8

const (
	steady   phase = iota // children live on their own
	raising               // starts children in order, stage by stage
	lowering              // stops a group in reverse order, to start it again
	delayed               // the group is down and waits for its backoff
	shutting              // stops all children in reverse order, for good
)

// exit is how a supervisor that shuts down leaves its parent.
type exit uint8

const (
	exitAsked    exit = iota // it was told to stop
	exitShutdown             // it gave up, or its significant children ended: to its parent a normal end, as in OTP
	exitFailed               // a failure was escalated
)

// supervisor is the supervising part of an actor. Its sequence walks through stages: a stage is one child, or the
// replicas of one group, which share their order and are started and stopped together. The walk goes on when the
// children of the stage that it waits for have answered (pending is 0); it never looks at other children.
type supervisor struct {
	self     *actor
	children []*actor // in start order
	spell    spell
	phase    phase
	queued   bool   // on the agenda
	touched  bool   // decided something since the last sample
	keeps    bool   // somebody below may have a mailbox that is kept open without an incarnation
	lo, hi   int    // the stage of the walk is children[lo:hi]
	gate     uint32 // of this phase, see actor.gate
	pending  int    // children whose gate is this one
	leaving  int    // removed children that are still stopping
	timer    TimerID
	at       time.Duration // of timer
	first    *actor        // rest_for_one: the failed child at whose stage lowering ends; nil: everything
	cause    cause         // of the starts of this walk
	leave    leave
	storm    *storm // nil without a restart breaker
	restarts uint64 // of its children, over all its incarnations
	gaveUp   uint64
}

// leave is how a supervisor goes.
type leave struct {
	exit     exit
	why      string
	failure  *Failure // of exitFailed
	starting bool     // it never came up
}

// stageEnd is one past the last child that shares the order of children[lo].
func (s *supervisor) stageEnd(lo int) int {
	order := s.children[lo].def.Order
	for lo < len(s.children) && s.children[lo].def.Order == order {
		lo++
	}
	return lo
}

// stageStart is the first child that shares the order of children[last].
func (s *supervisor) stageStart(last int) int {
	order := s.children[last].def.Order
	for last > 0 && s.children[last-1].def.Order == order {
		last--
	}
	return last
}

// floor is where lowering ends.
func (s *supervisor) floor() int {
	if s.first == nil || len(s.children) == 0 {
		return 0
	}
	return s.stageStart(int(s.first.pos))
}

// enter begins a phase; nobody is waited for yet.
func (s *supervisor) enter(p phase) {
	s.phase, s.pending = p, 0
	s.gate++
}

// await makes the sequence wait for a child.
func (s *supervisor) await(a *actor) {
	if a.gate != s.gate {
		a.gate = s.gate
		s.pending++
	}
}

// release ends the wait for a child, if there is one.
func (m *Machine) release(a *actor) {
	s := a.parent.sup
	if a.gate == s.gate {
		a.gate = 0
		s.pending--
		m.wake(s)
	}
}

// advance walks on until the sequence must wait or is at its end.
func (m *Machine) advance(s *supervisor) {
	for s.pending == 0 {
		switch s.phase {
		case raising:
			m.raise(s)
		case lowering:
			m.lower(s)
		case delayed:
			if s.timer != 0 || !m.groupMayStart(s) {
				return
			}
			s.hi, s.first = 0, nil // those that stayed pass at once; one on its way up is waited for
			s.cause = byRestart
			s.enter(raising)
		case shutting:
			if s.lo == 0 {
				m.depart(s)
				return
			}
			m.lower(s)
		default:
			return
		}
	}
}

// raise starts the next stage. Past the last one the supervisor is up.
func (m *Machine) raise(s *supervisor) {
	if m.mode == closing { // its turn to stop comes: nobody is started any more
		s.enter(steady)
		return
	}
	if s.hi >= len(s.children) {
		s.enter(steady)
		s.storm.settle(s.self.id, m.now, breaker.Success)
		if s.self.life == starting {
			m.up(s.self)
		}
		return
	}
	s.lo, s.hi = s.hi, s.stageEnd(s.hi)
	for _, c := range s.children[s.lo:s.hi] {
		m.spill()
		if c.over || c.held {
			if c.life == idle {
				m.forsake(c, deadEnd)
			}
			continue
		}
		if c.life == idle {
			m.start(c, s.causeOf(c))
		}
		if c.life == stopping && c.after != revive { // a reload cut the lowering short, or a restart took a stop back
			c.after, c.cause = revive, s.cause
		}
		if c.life != running {
			s.await(c)
		}
	}
}

// causeOf is why the walk starts a child: a replica that a reload added is started by scaling.
func (s *supervisor) causeOf(c *actor) cause {
	if s.cause == byReload && c.cause == byScale {
		return byScale
	}
	return s.cause
}

// lower stops the stage before the current one; at the floor a group waits for its backoff.
func (m *Machine) lower(s *supervisor) {
	floor := s.floor()
	if s.lo <= floor {
		s.enter(delayed)
		return
	}
	s.hi = s.lo
	s.lo = s.stageStart(s.hi - 1)
	for i := s.hi - 1; i >= s.lo; i-- {
		m.spill()
		if s.first != nil && s.lo == floor {
			// The stage of rest_for_one's failed child: its other replicas were not started after it, so they stay.
			if c := s.children[i]; c.life == stopping && c.after == regroup {
				s.await(c)
			}
			continue
		}
		m.lowerChild(s, s.children[i])
	}
}

// lowerChild stops a child for its supervisor's sequence. A group restart revives whoever had ended normally and drops
// those whose policy is never, as OTP does with transient and temporary children.
func (m *Machine) lowerChild(s *supervisor, c *actor) {
	if s.phase == lowering {
		c.over = neverAgain(c) && (c.over || c.life != idle)
	}
	switch c.life {
	case waiting:
		m.forgetTimer(c)
		c.life = idle
		m.decideFate(c, regroup)
	case idle:
		if m.fate(c, regroup) == forGood {
			m.forsake(c, c.lastWord())
		}
	case starting, running:
		why := SiblingFailed
		if s.phase == shutting {
			why = s.leave.why
		}
		m.stop(c, regroup, why)
		s.await(c)
	case stopping:
		m.forgetTimer(c)
		c.after = regroup
		if c.sup != nil {
			c.sup.leave.exit = exitAsked // whatever it was leaving for, its parent does not want to know any more
		}
		s.await(c)
	}
}

// start begins an incarnation. A supervisor's is the walk through its children.
func (m *Machine) start(a *actor, why cause) {
	if m.roster.barred(a) {
		a.life, a.cause = waiting, why
		return
	}
	a.epoch++
	a.life, a.since, a.failed, a.kept, a.due = starting, m.now, false, false, false
	body := m.pools.starting.next()
	body.Incarnation = uint64(a.epoch)
	m.tell(a.def.Path, body)
	if a.sup != nil {
		m.begin(a.sup, why)
		return
	}
	e := m.pools.start.next()
	e.ID, e.Epoch, e.Why = a.id, a.epoch, why.String()
	m.out = append(m.out, e)
}

// begin starts the walk of a supervisor's new incarnation, which remembers nothing of the one before.
func (m *Machine) begin(s *supervisor, why cause) {
	for _, c := range s.children {
		c.over, c.tries = false, 0
	}
	s.spell = spell{times: s.spell.times}
	s.leave, s.first, s.cause, s.hi = leave{}, nil, why, 0
	s.enter(raising)
	m.wake(s)
}

// up notes that an incarnation is up and ready.
func (m *Machine) up(a *actor) {
	took := m.now - a.since
	a.life, a.since = running, m.now
	if a.sup != nil {
		m.tell(a.def.Path, &journal.ActorReady{Incarnation: uint64(a.epoch), Took: took})
	}
	if a.parent != nil {
		a.parent.sup.storm.settle(a.id, m.now, breaker.Success)
		m.release(a)
	}
}

// stop ends an incarnation; after says what follows when it is gone.
func (m *Machine) stop(a *actor, after sequel, why string) {
	a.after = after
	if a.parent != nil {
		a.parent.sup.storm.settle(a.id, m.now, breaker.Ignored)
	}
	if a.sup != nil {
		m.close(a.sup, exitAsked, why)
		return
	}
	a.life, a.since = stopping, m.now
	m.tellStopping(a, why)
	e := m.pools.stop.next()
	*e = Stop{ID: a.id, Epoch: a.epoch, Drain: a.terms.shutdown.Drain, Kill: a.terms.shutdown.Kill, Why: why}
	if e.Again = m.fate(a, after) != forGood; e.Again {
		m.keep(a)
	}
	m.out = append(m.out, e)
}

func (m *Machine) tellStopping(a *actor, why string) {
	body := m.pools.stopping.next()
	body.Incarnation, body.Why = uint64(a.epoch), why
	m.tell(a.def.Path, body)
}

// close lets a supervisor stop all its children and leave. One that is closing already only learns that its parent
// wants it gone, whatever it was leaving for.
func (m *Machine) close(s *supervisor, how exit, why string) {
	if s.phase == shutting {
		s.leave.exit = how
		return
	}
	s.leave = leave{exit: how, why: why, starting: s.self.life == starting}
	m.mend(s.self)
	s.self.life, s.self.since = stopping, m.now
	m.tellStopping(s.self, why)
	m.disarm(s.timer)
	s.timer, s.first, s.lo = 0, nil, len(s.children)
	s.enter(shutting)
	m.wake(s)
}

// depart is a supervisor's end: all children are down.
func (m *Machine) depart(s *supervisor) {
	if s.leaving > 0 {
		return
	}
	a := s.self
	s.enter(steady)
	m.tell(a.def.Path, &journal.ActorStopped{Incarnation: uint64(a.epoch), Reason: s.leave.why, Took: m.now - a.since})
	switch {
	case a.parent == nil && m.mode == closing:
		a.life = idle
		m.forsake(a, a.lastWord())
		m.end(m.code, m.why)
	case s.leave.exit == exitAsked:
		m.down(a)
	case s.leave.exit == exitShutdown && s.leave.starting:
		m.fell(a, true, &Failure{Kind: KindStart, Message: s.leave.why, By: a.def.Path, ExitCode: -1, Starting: true})
	default:
		m.fell(a, true, s.leave.failure)
	}
}

// down notes that an incarnation which was told to stop is gone.
func (m *Machine) down(a *actor) {
	after := a.after
	a.life, a.after = idle, rest
	switch {
	case after == vanish:
		m.bury(a)
	case after == revive:
		a.life = waiting
		if a.timer == 0 {
			m.reviveNow(a)
		}
	default:
		m.decideFate(a, after)
		if a.parent != nil {
			m.release(a)
		}
	}
}

// reviveNow starts the next incarnation of an actor whose wait is over, unless a sequence above has taken over.
func (m *Machine) reviveNow(a *actor) {
	if a.life != waiting {
		return // its last incarnation is still stopping: down comes here again
	}
	if a.parent != nil && (m.mode == closing || a.parent.sup.absorbs(a)) {
		a.life = idle
		m.decideFate(a, regroup)
		m.release(a)
		return
	}
	if a.cause == byRestart {
		if wait, ok := a.parent.sup.storm.admits(a.id, m.now); !ok {
			a.timer = m.alarm(timer{purpose: restartActor, subject: a.id, at: m.now + wait})
			return
		}
	}
	m.start(a, a.cause)
}

// groupMayStart asks the restart breaker before a group starts again.
func (m *Machine) groupMayStart(s *supervisor) bool {
	wait, ok := s.storm.admits(s.self.id, m.now)
	if !ok {
		s.at = m.now + wait
		s.timer = m.alarm(timer{purpose: restartGroup, subject: s.self.id, at: s.at})
	}
	return ok
}

// forgetTimer takes back an actor's pending restart.
func (m *Machine) forgetTimer(a *actor) {
	m.disarm(a.timer)
	a.timer = 0
}
