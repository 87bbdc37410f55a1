package sim

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// control is the control plane.
type control struct {
	helm    kernel.Helm
	working bool
	queue   []kernel.Happening
	timers  map[engine.TimerID]*clock.Alarm
	answers map[uint64]func(error)
	numbers uint64
	decided uint64 // steps of the Machine
}

// happen tells the Machine what happened and carries out what it decides; when that is going on already, afterwards.
func (e *Engine) happen(h kernel.Happening) {
	c := &e.control
	c.queue = append(c.queue, h)
	if c.working {
		return
	}
	c.working = true
	for i := 0; i < len(c.queue); i++ {
		next := c.queue[i]
		c.queue[i] = kernel.Happening{}
		c.helm.Step(e.Now(), &next)
	}
	c.queue, c.working = c.queue[:0], false
}

// healthy tells the Machine of a health check's change.
func (e *Engine) healthy(inc *incarnation, ok bool, why string) {
	inc.a.mark(kernel.UnfitSick, !ok)
	e.happen(inc.life().Healthy(ok, why))
}

// after calls fn once, d from now; it is for the runtime's own clockwork.
func (e *Engine) after(d time.Duration, fn func()) *clock.Alarm {
	a := new(clock.Alarm)
	e.loop.alarms.Set(a, int64(e.Now()+max(d, 0)), fn)
	return a
}
