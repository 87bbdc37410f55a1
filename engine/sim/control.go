package sim

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// happening is one thing to tell the Machine, and the event that records it as a fact (nil: none).
type happening struct {
	in    engine.Input
	cause engine.Cause
	actor string // that the fact is about
	fact  journal.Body
	next  *kernel.View // of a reload: what effects are about
	up    *incarnation // that has come up; it opens when the Machine knows
	gone  *incarnation // whose end it is; settled when the Machine has decided
}

// control is the control plane.
type control struct {
	machine *engine.Machine
	working bool
	queue   []happening
	effects []engine.Effect
	timers  map[engine.TimerID]*timer
	answers map[uint64]func(error)
	encoded []byte // of the last input, used again
	numbers uint64

	// While effects are carried out: what caused them, and the last event they added, which is the nearer cause of what
	// follows for the same actor.
	cause engine.Cause
	said  string
	saidN uint64
}

// timer is one of the Machine's.
type timer struct {
	alarm clock.Alarm
	cause engine.Cause
}

// happen tells the Machine what happened and carries out what it decides; when that is going on already, afterwards.
func (e *Engine) happen(h happening) {
	c := &e.control
	c.queue = append(c.queue, h)
	if c.working {
		return
	}
	c.working = true
	for i := 0; i < len(c.queue); i++ {
		next := c.queue[i]
		c.queue[i] = happening{}
		e.step(next)
	}
	c.queue, c.working = c.queue[:0], false
}

func (e *Engine) step(h happening) {
	c := &e.control
	c.cause, c.said = h.cause, ""
	if h.fact != nil {
		c.cause.Seq = e.record(h.actor, h.fact, &c.cause)
	}
	e.recordInput(h.in)
	if h.next != nil {
		e.incoming = h.next
		e.furnish(h.next)
	}
	c.effects = c.machine.Step(e.Now(), h.in, c.effects[:0])
	e.digest.decided(e.Now(), h.in, c.effects)
	if h.up != nil {
		h.up.open()
	}
	for _, effect := range c.effects {
		e.apply(effect)
	}
	e.incoming = e.view
	if h.gone != nil {
		h.gone.settle()
	}
}

// recordInput keeps an input for replay, where the plan wants that.
func (e *Engine) recordInput(in engine.Input) {
	c := &e.control
	if !e.view.Decisions {
		return
	}
	data, err := engine.AppendInput(c.encoded[:0], in)
	if err != nil {
		cause := c.cause
		e.record("", journal.Logged{Level: "error", Text: "an input could not be recorded, replay stops here: " + err.Error()}, &cause)
		return
	}
	c.encoded = data
	seq := e.record("", journal.Input{Data: append([]byte(nil), data...)}, &c.cause)
	if c.cause.Seq == 0 {
		c.cause.Seq = seq
	}
}

// causeFor is what an effect on an actor is caused by: the event that announced it, else the input.
func (c *control) causeFor(path string) engine.Cause {
	if c.said == path && c.saidN > 0 {
		return engine.Cause{Correlation: c.cause.Correlation, Seq: c.saidN}
	}
	return c.cause
}

// apply carries one effect out. Effects belong to the Machine: what is needed later is copied.
func (e *Engine) apply(effect engine.Effect) {
	switch x := effect.(type) {
	case *engine.Emit:
		e.control.said, e.control.saidN = x.Actor, e.record(x.Actor, x.Body, &e.control.cause)
		e.heard(x)
	case *engine.Create:
		e.create(x.ID, x.Path)
	case *engine.Start:
		e.begin(x)
	case *engine.Continue:
		e.resume(x)
	case *engine.Close:
		if a := e.actor(x.ID); a != nil {
			a.shut(phaseStopped, x.Why)
		}
	case *engine.Stop:
		e.halt(x)
	case *engine.Remove:
		e.remove(x.ID)
	case *engine.SetTimer:
		e.setTimer(x)
	case *engine.CancelTimer:
		if t := e.control.timers[x.Timer]; t != nil {
			e.loop.alarms.Cancel(&t.alarm)
			delete(e.control.timers, x.Timer)
		}
	case *engine.Pause:
		e.pause(x)
	case *engine.Quarantine:
		if a := e.actor(x.ID); a != nil {
			a.mark(unfitQuarantined, x.On)
		}
	case *engine.Inject:
		if a := e.actor(x.ID); a != nil {
			c := e.control.causeFor(a.path)
			_ = a.offer(&envelope{msg: x.Message, meta: engine.Meta{Correlation: c.Correlation, Causation: c.Seq, Priority: 9}}, nil)
		}
	case *engine.SetState:
		if a := e.actor(x.ID); a != nil {
			a.setState(x.State)
		}
	case *engine.Answered:
		e.answer(x.Number, x.Error)
	case *engine.Ended:
		e.ended(x.Code, x.Why)
	default:
		e.applyWide(effect)
	}
}

// applyWide carries out the effects that reach beyond one actor.
func (e *Engine) applyWide(effect engine.Effect) {
	switch x := effect.(type) {
	case *engine.Force:
		for _, g := range e.guards.sorted {
			g.Force(e.Now(), x.Breaker, x.Mode)
		}
	case *engine.EmergencyMode:
		e.emergency = x.On
	case *engine.Webhook:
		if e.options.Webhook != nil {
			e.options.Webhook(x.URL, x.Body)
		}
	case *engine.Swap:
		e.swap(x)
	case *engine.RollBack:
		e.takeBack(x)
	}
}

// heard lets status follow what the Machine announces and no other effect says.
func (e *Engine) heard(x *engine.Emit) {
	e.incoming.Refuse(x.Body)
	a := e.roster.byPath[x.Actor]
	if a == nil {
		return
	}
	if _, again := x.Body.(*journal.ActorRestarting); again {
		a.restarts++
	}
	if a.kind == plan.Supervisor {
		e.follow(a, x.Body)
	}
}

// follow keeps the state of a supervisor, of which nothing else is heard.
func (e *Engine) follow(a *actor, body journal.Body) {
	switch body.(type) {
	case *journal.ActorStarting:
		a.phase = phaseStarting
	case *journal.ActorReady:
		a.phase = phaseRunning
		a.mark(unfitDown, false)
		e.up = e.up || a.id == e.roster.root
	case *journal.ActorRestarting:
		a.phase = phaseRestarting
	case *journal.ActorStopping:
		a.phase = phaseStopping
		a.mark(unfitDown, true)
	case *journal.ActorStopped, *journal.SupervisorGaveUp:
		a.phase = phaseStopped
		a.mark(unfitDown, true)
	}
}

func (e *Engine) setTimer(x *engine.SetTimer) {
	id, t := x.Timer, &timer{cause: e.control.cause}
	if e.control.saidN > 0 && e.control.said != "" {
		t.cause.Seq = e.control.saidN
	}
	e.control.timers[id] = t
	e.loop.alarms.Set(&t.alarm, int64(x.At), func() {
		delete(e.control.timers, id)
		e.happen(happening{in: engine.Due{Timer: id}, cause: t.cause})
	})
}

// pause closes or opens an actor's mailbox for its handlers.
func (e *Engine) pause(x *engine.Pause) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	a.mark(unfitPaused, x.On)
	a.paused = x.On
	if a.inc == nil {
		return
	}
	if x.On {
		a.inc.gate |= gatePaused
		return
	}
	a.inc.gate &^= gatePaused
	a.rouse()
}

func (a *actor) setState(state any) {
	a.system(func(b engine.Behavior) { a.replaceState(b, state) })
}

func (a *actor) replaceState(b engine.Behavior, state any) {
	s, ok := b.(engine.Stateful)
	if !ok {
		return
	}
	if err := s.SetState(state); err != nil {
		a.eng.record(a.path, journal.Logged{Level: "error", Text: "set_state: " + err.Error()}, &engine.Cause{})
	}
}

// swap makes a generation the running one: the prepared one, or a variant of it or of the one in force.
func (e *Engine) swap(x *engine.Swap) {
	v := e.incoming
	v.Taken = true
	if v.Plan != x.Plan {
		v = e.variant(x.Plan)
	}
	v.Generation = x.Generation
	if e.options.Swapped != nil {
		e.options.Swapped(v.Plan)
	}
	e.view, e.incoming = v, v
	v.Commit()
	e.detailed = v.Plan.Observe.Level != "basic"
	for i := range v.Plan.Actors {
		spec := &v.Plan.Actors[i]
		a := e.roster.byPath[spec.Path]
		if a == nil {
			continue
		}
		a.spec, a.box = spec, newBox(spec.Mailbox)
		if len(a.parked) > 0 {
			a.admit()
			a.rouse()
		}
	}
}

// variant prepares a plan that differs from a prepared one in what cannot fail. Should it fail all the same, the guards
// stay as they are, and that is told.
func (e *Engine) variant(p *plan.Plan) *kernel.View {
	v := kernel.NewView(p, 0)
	commit, err := e.prepareGuards(p)
	if err != nil {
		cause := e.control.cause
		e.record("", journal.Logged{Level: "error", Text: "guards stay as they are: " + err.Error()}, &cause)
		return v
	}
	v.Commit = commit
	return v
}

// command tells the Machine of a wish; number 0 waits for no verdict.
func (e *Engine) command(number uint64, a engine.Steer, by string) {
	e.happen(happening{
		in:   engine.Commanded{Number: number, Action: a, By: by},
		fact: a.Report(by),
	})
}

// healthy tells the Machine of a health check's change.
func (e *Engine) healthy(inc *incarnation, ok bool, why string) {
	a := inc.a
	a.mark(unfitSick, !ok)
	e.happen(happening{
		in: engine.Probed{ID: a.id, Epoch: inc.epoch, Healthy: ok, Why: why}, actor: a.path,
		fact: journal.Probe{Healthy: ok, Why: why},
	})
}

// after calls fn once, d from now; it is for the runtime's own clockwork.
func (e *Engine) after(d time.Duration, fn func()) *clock.Alarm {
	a := new(clock.Alarm)
	e.loop.alarms.Set(a, int64(e.Now()+max(d, 0)), fn)
	return a
}
