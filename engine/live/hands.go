package live

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// hands carry the Machine's word out, under the control lock: flags and spawns only, never a behaviour's code.
type hands struct{ *Engine }

var _ kernel.Hands = hands{}

// Stepped has nothing to look at here.
func (hands) Stepped(time.Duration, engine.Input, []engine.Effect) {}

// Heard lets status follow what the Machine announces and no other effect says.
func (e hands) Heard(x *engine.Emit) {
	if x.Actor == "" {
		e.reloads.Heard(x.Body)
		return
	}
	_, again := x.Body.(*journal.ActorRestarting)
	a := e.control.supervisors[x.Actor]
	if again && a == nil {
		a = e.byPath(x.Actor)
	}
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if again {
		a.counts().restarts.Add(1)
	}
	if a.kind == plan.Supervisor {
		e.follow(a, x.Body)
	}
}

// follow keeps the phase of a supervisor. It needs the actor's lock.
func (e *Engine) follow(a *actor, body journal.Body) {
	up, decided := a.phase.Follow(body)
	if decided {
		a.mark(kernel.UnfitDown, !up)
	}
	if up && a.Path() == e.options.Plan.Actors[0].Path {
		e.upOnce.Do(func() { close(e.up) })
	}
}

// SetTimer implements kernel.Hands.
func (e hands) SetTimer(x *engine.SetTimer, cause engine.Cause) {
	id := x.Timer
	t := e.clock.AfterFunc(x.At-e.now(), func() { e.due(id) })
	e.control.timers[id] = alarm{t, cause}
}

// CancelTimer implements kernel.Hands.
func (e hands) CancelTimer(id engine.TimerID) {
	if a, ok := e.control.timers[id]; ok {
		a.timer.Stop()
		delete(e.control.timers, id)
	}
}

// Answered implements kernel.Hands.
func (e hands) Answered(number uint64, failure string) {
	if ch, ok := e.control.answers[number]; ok {
		delete(e.control.answers, number)
		ch <- failure
	}
}

// Pause closes or opens an actor's mailbox for its handlers.
func (e hands) Pause(id engine.ID, on bool) {
	a := e.actor(id)
	if a == nil {
		return
	}
	a.mark(kernel.UnfitPaused, on)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = on
	if a.inc == nil {
		return
	}
	if on {
		a.inc.gate.Or(gatePaused)
		return
	}
	a.inc.gate.And(^gatePaused)
	a.rouse()
}

// Quarantine implements kernel.Lives.
func (e hands) Quarantine(id engine.ID, on bool) {
	if a := e.actor(id); a != nil {
		a.mark(kernel.UnfitQuarantined, on)
	}
}

// Inject implements kernel.Lives.
func (e hands) Inject(id engine.ID, m engine.Msg) {
	if a := e.actor(id); a != nil {
		meta := kernel.InjectedMeta(e.control.helm.CauseFor(a.Path()))
		var env envelope
		new(caller).enclose(&env, &m, &meta)
		_ = a.offer(&env, nil)
	}
}

// SetState implements kernel.Lives.
func (e hands) SetState(id engine.ID, state any) {
	if a := e.actor(id); a != nil {
		a.set(&kernel.Setting{State: state, Cause: e.control.helm.CauseFor(a.Path())})
	}
}

// Force implements kernel.Levers.
func (e hands) Force(breaker, mode string) { e.guards.Force(e.now(), breaker, mode) }

// Emergency implements kernel.Levers.
func (e hands) Emergency(on bool) { e.emergency.Store(on) }

// Swap makes a generation the running one.
func (e hands) Swap(v *kernel.View) {
	if e.options.Swapped != nil {
		e.options.Swapped(v.Plan)
	}
	e.view.Store(v)
	v.Commit()
	e.detail.Store(uint32(detailOf(v.Plan.Observe.Level)))
	for i := range v.Plan.Actors {
		spec := &v.Plan.Actors[i]
		if a := e.byPath(spec.Path); a != nil {
			a.mu.Lock()
			a.box = kernel.NewBox(spec.Mailbox)
			if a.rare.crowd() > 0 {
				a.admit()
			}
			a.mu.Unlock()
		}
	}
}
