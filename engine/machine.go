package engine

import (
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// Machine makes every control decision: who starts, stops and restarts when, which rules fire, who is quarantined, what
// the system's health is. It is pure: the same inputs at the same times give the same effects, on every machine. It is not
// safe for concurrent use; whoever drives it holds a lock, and the order in which that lock is taken is the order of
// the journal.
type Machine struct {
	plan       *plan.Plan
	params     map[string]any // the plan's, by name
	generation uint64
	seed       uint64
	roster     roster
	clockwork  clockwork
	pools      pools
	steering
	probation probation
	variant   variant       // what the running Step's actions want to change about the plan
	agenda    []*supervisor // supervisors whose sequence may have come a step further; drained before Step returns

	now  time.Duration // never goes back
	out  []Effect      // what the running Step has decided so far
	mode mode
	code int    // the exit code that Ended will carry
	why  string // and its reason

	wholeSeconds bool
	portions     func([]Effect) // takes what a long Step has decided so far; nil: nobody does
}

// steering is what the rules, health and emergency are decided on, and what they remember.
type steering struct {
	circuits  circuits
	rulebook  rulebook
	history   history
	contagion contagion
	patterns  patterns
	undos     undos
	health    health
	emergency emergency
	system    rules.System // of the last sample
	node      rules.Node
	groups    map[string]*rules.Actor // measurements of groups, by path
	scratch   rules.Env               // filled for each evaluation
}

// mode is how far the Machine is in its one life.
type mode uint8

const (
	unborn  mode = iota // waits for Boot
	alive               // supervises
	closing             // stops everything, by Shutdown or because the root gave up
	ended               // has said Ended; nothing is decided any more
)

// NewMachine returns a Machine that waits for Boot.
func NewMachine() *Machine { return &Machine{} }

// CountWholeSeconds makes intensity count as OTP 25 does: times are cut to whole seconds and a restart exactly `within`
// seconds ago still counts. It is for comparisons with Erlang and must be called before Boot.
func (m *Machine) CountWholeSeconds() { m.wholeSeconds = true }

// InPortions has a long Step's effects carried out while it decides on more: take gets all but the last of them, in order, some
// thousand at a time. They are good until it returns, and Step gives the rest. Very many that start or stop at once need no memory
// for all of their effects then. It must be called before Boot, and take must not call the Machine.
func (m *Machine) InPortions(take func(effects []Effect)) { m.portions = take }

// portion is how many effects make a portion: as many as the pools keep memory for.
const portion = chunk * keep

// spill hands out a portion when there is one. It is for loops over very many; nobody may hold on to an effect over it.
func (m *Machine) spill() {
	if m.portions == nil || len(m.out) < portion {
		return
	}
	m.portions(m.out)
	clear(m.out)
	m.out = m.out[:0]
	m.pools.reset()
}

// Step takes one input at an engine time (nanoseconds since the engine's start; a time before the last one counts as the
// last one) and appends the effects it decides on to out. The effects are good until the next Step. Inputs about
// unknown actors, older incarnations or timers that were cancelled change nothing.
func (m *Machine) Step(now time.Duration, in Input, out []Effect) []Effect {
	m.now = max(m.now, now)
	m.out = out
	m.pools.reset()
	m.take(in)
	m.settle()
	m.lodge()
	out, m.out = m.out, nil
	return out
}

func (m *Machine) take(in Input) {
	if m.mode == ended || (m.mode == unborn) != isBirth(in) {
		return
	}
	switch in := in.(type) {
	case Boot:
		m.boot(in)
	case Started:
		m.started(in)
	case *Started:
		m.started(*in)
	case Failed:
		m.failed(&in)
	case Exited:
		m.exited(in)
	case Stopped:
		m.stopped(in)
	case Due:
		m.due(in)
	case Shutdown:
		m.shutdown(in)
	case BreakerChanged:
		m.breakerChanged(in)
	case Probed:
		m.probed(in)
	case Sampled:
		m.sampled(in)
	case Commanded:
		m.commanded(in)
	case Reloaded:
		m.reloaded(in)
	case RollBackFailed:
		m.rollBackFailed(in)
	}
	m.settleVariant()
}

// isBirth tells the inputs that an unborn Machine takes; Boot is the only one, and it is taken only then.
func isBirth(in Input) bool {
	_, is := in.(Boot)
	return is
}

// boot makes every actor known, then starts the root, which starts its children in order.
func (m *Machine) boot(in Boot) {
	m.plan, m.seed, m.generation, m.mode = in.Plan, in.Seed, 1, alive
	m.params = in.Plan.ParamValues()
	m.groups = map[string]*rules.Actor{}
	m.health = health{score: 1, level: LevelUnknown}
	m.circuits.adopt(in.Plan)
	m.rulebook.adopt(in.Plan)
	m.history.adopt(in.Plan)
	m.roster.enrol(in.Plan)
	if m.portions == nil {
		m.out = slices.Grow(m.out, 3*len(m.roster.byIndex)) // each is made known, announced and mostly started at once
	}
	for _, a := range m.roster.byIndex {
		m.create(a)
		m.spill()
	}
	m.equip()
	m.contagion.adopt(in.Plan, &m.roster)
	m.patterns.adopt(in.Plan, &m.roster)
	m.start(m.roster.byIndex[0], byBoot)
}

// create makes an actor known. From then on messages wait for its first incarnation.
func (m *Machine) create(a *actor) {
	m.keep(a)
	e := m.pools.create.next()
	e.ID, e.Path = a.id, a.def.Path
	m.out = append(m.out, e)
}

// shutdown stops everything in reverse start order. A root that has already given up keeps its exit code.
func (m *Machine) shutdown(in Shutdown) {
	if m.mode != alive {
		return
	}
	m.mode, m.code, m.why = closing, 0, in.Why
	m.close(m.roster.byIndex[0].sup, exitAsked, in.Why)
}

// end says that everything has stopped. After it nothing is decided any more.
func (m *Machine) end(code int, why string) {
	m.mode = ended
	for _, u := range m.undos.list() {
		m.dropUndo(u.matter)
	}
	m.disarm(m.probation.timer)
	e := m.pools.ended.next()
	e.Code, e.Why = code, why
	m.out = append(m.out, e)
}

// settle moves each supervisor's sequence as far as it goes. Sequences wake one another through the agenda instead of
// calling one another, so no sequence ever changes under its own feet.
func (m *Machine) settle() {
	for i := 0; i < len(m.agenda); i++ {
		s := m.agenda[i]
		s.queued = false
		m.advance(s)
	}
	m.agenda = m.agenda[:0]
}

// wake puts a supervisor on the agenda.
func (m *Machine) wake(s *supervisor) {
	if !s.queued {
		s.queued = true
		m.agenda = append(m.agenda, s)
	}
}

// tell adds a decision to the event stream.
func (m *Machine) tell(actor string, body journal.Body) {
	e := m.pools.emit.next()
	e.Actor, e.Body = actor, body
	m.out = append(m.out, e)
}
