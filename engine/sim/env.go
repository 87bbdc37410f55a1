package sim

import (
	"time"

	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/rules"
)

// Env is what an expression about the system may read at this moment.
func (e *Engine) Env() rules.Env { return e.machine.Env() }

// Look visits every subject of a kind as rules see it now. The environment is good until visit returns.
func (e *Engine) Look(kind rules.Subject, visit func(*rules.Env)) {
	e.machine.Look(kind, visit)
}

// Clock is the engine's time for behaviours that were made to take a clock. It belongs to whoever the engine lets run.
func (e *Engine) Clock() clock.Clock { return virtual{e} }

type virtual struct{ eng *Engine }

// Now implements clock.Clock.
func (v virtual) Now() int64 { return int64(v.eng.Now()) }

// Wall implements clock.Clock.
func (v virtual) Wall() time.Time { return v.eng.Wall() }

// Moment implements clock.Clock.
func (v virtual) Moment() (now int64, wall time.Time) { return v.Now(), v.Wall() }

// AfterFunc implements clock.Clock: f is called by the engine.
func (v virtual) AfterFunc(d time.Duration, f func()) clock.Timer {
	return alarm(v.eng.At(v.eng.Now()+max(d, 0), f))
}

// alarm is what cancels a pending call.
type alarm func() bool

// Stop implements clock.Timer.
func (a alarm) Stop() bool { return a() }
