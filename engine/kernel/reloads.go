package kernel

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Running is an engine of either runtime, as those see it who bring another plan into force.
type Running interface {
	Measured
	Now() time.Duration
	Plan() *plan.Plan
	Generation() uint64
}

// Reloads brings other plans into force and measures those that are on probation. Since and Heard are safe for concurrent use
// once the fields are set; Reload and RollBack must not overlap with one another.
type Reloads struct {
	Of     Running
	Guards *Guards
	Tell   func(Happening) // tells the Machine

	mu        sync.Mutex // held while guards and actors are looked at, which may lead into the control plane; that only sets probation
	trial     Trial
	probation atomic.Bool // the generation in force is on it
}

// Reload makes a plan the running generation. Everything that can fail is prepared first; an error means that nothing has
// changed. The cause is what it goes back to, the zero Cause when it is the beginning. A Machine that cannot be told at once, as
// it is being told something else, gives its verdict to nobody.
func (r *Reloads) Reload(in engine.Reloaded, cause engine.Cause) error {
	v, err := r.Guards.View(in.Plan, in.Generation, r.Of.Now())
	if err != nil {
		return err
	}
	in.Before = r.before()
	r.Tell(Happening{In: in, Cause: cause, Next: v})
	if err := v.Verdict(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trial.Begin(r.Of.Now(), in.Generation, r.probation.Load(), r.Of.Plan(), r.Of)
	return nil
}

func (r *Reloads) before() engine.Figures {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trial.Before(r.Of.Now(), r.Of.Plan(), r.Of)
}

// RollBack reloads an earlier plan as the Machine wants it, unless another reload was faster.
func (r *Reloads) RollBack(x engine.RollBack, cause engine.Cause) {
	if r.Of.Generation() != x.Generation {
		return
	}
	in := engine.Reloaded{Plan: x.Plan, Generation: x.Generation + 1, By: engine.ByVerification, Why: x.Why}
	if err := r.Reload(in, cause); err != nil {
		r.Tell(Happening{In: engine.RollBackFailed{Generation: x.Generation, Why: err.Error()}})
	}
}

// Since gives what was measured since the commit of the generation on probation, for the Sampled at hand. It wants to be
// asked for each: it also remembers what a later generation is compared with.
func (r *Reloads) Since() engine.Figures {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.probation.Load() {
		r.trial.End()
	}
	return r.trial.Sample(r.Of.Now(), r.Of.Plan(), r.Of)
}

// Heard follows the generation in force by what the Machine tells of the system.
func (r *Reloads) Heard(body journal.Body) {
	switch b := body.(type) {
	case *journal.ReloadCommitted:
		r.probation.Store(b.Probation > 0)
	case *journal.ReloadVerified, *journal.ReloadRolledBack:
		r.probation.Store(false)
	}
}
