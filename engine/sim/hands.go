package sim

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// hands carry the Machine's word out.
type hands struct{ *Engine }

var _ kernel.Hands = hands{}

// Stepped folds what was decided into the digest.
func (e hands) Stepped(now time.Duration, in engine.Input, effects []engine.Effect) {
	e.control.decided++
	e.digest.decided(now, in, effects)
}

// Heard lets status follow what the Machine announces and no other effect says.
func (e hands) Heard(x *engine.Emit) {
	if x.Actor == "" {
		e.reloads.Heard(x.Body)
		return
	}
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

// follow keeps the phase of a supervisor.
func (e *Engine) follow(a *actor, body journal.Body) {
	up, decided := a.phase.Follow(body)
	if decided {
		a.mark(kernel.UnfitDown, !up)
	}
	e.up = e.up || up && a.id == e.roster.root
}

// SetTimer implements kernel.Hands.
func (e hands) SetTimer(x *engine.SetTimer, cause engine.Cause) {
	id, t := x.Timer, new(clock.Alarm)
	e.control.timers[id] = t
	e.loop.alarms.Set(t, int64(x.At), func() {
		delete(e.control.timers, id)
		e.happen(kernel.Happening{In: engine.Due{Timer: id}, Cause: cause})
	})
}

// CancelTimer implements kernel.Hands.
func (e hands) CancelTimer(id engine.TimerID) {
	if t := e.control.timers[id]; t != nil {
		e.loop.alarms.Cancel(t)
		delete(e.control.timers, id)
	}
}

// Pause closes or opens an actor's mailbox for its handlers.
func (e hands) Pause(id engine.ID, on bool) {
	a := e.actor(id)
	if a == nil {
		return
	}
	a.mark(kernel.UnfitPaused, on)
	a.paused = on
	if a.inc == nil {
		return
	}
	if on {
		a.inc.gate |= gatePaused
		return
	}
	a.inc.gate &^= gatePaused
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
		_ = a.offer(&envelope{msg: m, meta: kernel.InjectedMeta(e.control.helm.CauseFor(a.path))}, nil)
	}
}

// SetState implements kernel.Lives.
func (e hands) SetState(id engine.ID, state any) {
	if a := e.actor(id); a != nil {
		a.set(&kernel.Setting{State: state, Cause: e.control.helm.CauseFor(a.path)})
	}
}

// Force implements kernel.Levers.
func (e hands) Force(breaker, mode string) { e.guards.Force(e.Now(), breaker, mode) }

// Emergency implements kernel.Levers.
func (e hands) Emergency(on bool) { e.emergency = on }

// Webhook implements kernel.Levers.
func (e hands) Webhook(x *engine.Webhook) {
	if e.options.Webhook != nil {
		e.options.Webhook(x.URL, x.Body)
	}
}

// Swap makes a generation the running one.
func (e hands) Swap(v *kernel.View) {
	if e.options.Swapped != nil {
		e.options.Swapped(v.Plan)
	}
	e.view = v
	v.Commit()
	e.detailed = v.Plan.Observe.Level != "basic"
	for i := range v.Plan.Actors {
		spec := &v.Plan.Actors[i]
		a := e.roster.byPath[spec.Path]
		if a == nil {
			continue
		}
		a.spec, a.box = spec, kernel.NewBox(spec.Mailbox)
		if len(a.parked) > 0 {
			a.admit()
		}
	}
}
