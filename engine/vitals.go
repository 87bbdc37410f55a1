package engine

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
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
	Mailbox     int // messages waiting
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
