package engine

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// Vitals are what a runtime knows of an actor at one moment. Counts cover the engine's run.
type Vitals struct {
	Path, Group string
	Kind        plan.Kind
	// State is new, starting, running, failed, restarting, stopping, stopped or removed.
	State       string
	Ready       bool
	Paused      bool
	Quarantined bool
	Healthy     bool
	Incarnation Epoch
	Up          time.Duration // since the incarnation began; 0 when it is not up
	Restarts    uint64
	Mailbox     int // messages waiting in the mailbox, those that are put aside or back too
	Blocked     int // messages whose senders wait for room in it
	Capacity    int
	InFlight    int // handlers at work
	Calls       uint64
	Failures    uint64
	DeadLetters uint64
	Latency     *Histogram // nil before the first timed call, and at level basic
	PID         int
	Address     string
	Usage       Usage // zero when it cannot be measured
}

// Seen is the actor as rules see it, by its definition in p; its rates are for whoever measures it again and again.
func (v *Vitals) Seen(p *plan.Plan) rules.Actor {
	a := rules.Actor{
		Path: v.Path, Group: v.Group, State: v.State, Ready: v.Ready && v.Healthy, Quarantined: v.Quarantined,
		Mailbox: float64(v.Mailbox + v.Blocked), Capacity: float64(v.Capacity), InFlight: float64(v.InFlight),
		Restarts: float64(v.Restarts), Uptime: v.Up.Seconds(), Memory: float64(v.Usage.Memory),
	}
	if def := p.Actor(v.Path); def != nil {
		a.Name, a.Replica, a.Labels = def.Name, def.Replica, labelsOf(def)
	}
	return a
}
