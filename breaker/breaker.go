package breaker

import "sync"

// Breaker is a circuit breaker. All methods are safe for concurrent use.
type Breaker struct {
	mu     sync.Mutex
	policy Policy
	clock  Clock
}

// New returns a closed breaker that follows the policy, or an error that wraps ErrPolicy. The seed draws the jitter
// of its open times; now is the caller's monotonic time in nanoseconds.
func New(p Policy, seed uint64, now int64, options ...Option) (*Breaker, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	b := &Breaker{policy: p}
	for _, option := range options {
		option(b)
	}
	return b, nil
}

// Allow asks whether a call may pass now. An admitted call must hand its permit to Done exactly once.
func (b *Breaker) Allow(now int64) (Permit, Verdict) {
	return Permit{start: now, gen: 1}, Verdict{Admitted: true}
}

// Done says how an admitted call ended. It took now minus the permit's start.
func (b *Breaker) Done(now int64, p Permit, o Outcome) {}

// SetPolicy makes the breaker follow another policy from now on. State, window and permits in flight are kept; a
// resized window keeps the newest calls; an open deadline is computed anew from the moment of opening. The new
// thresholds apply to the kept counts at once, so a breaker may trip here. An invalid policy changes nothing.
func (b *Breaker) SetPolicy(now int64, p Policy) error { return p.Validate() }

// Force overrides the state machine. ForcedOpen left for Normal probes first (half-open); the other modes return to closed.
func (b *Breaker) Force(now int64, m Mode) {}

// Reset closes the breaker, empties its window and forgets its openings. The mode stays.
func (b *Breaker) Reset(now int64) {}

// Tick lets deadlines pass when there is no traffic. It never changes a verdict, only how early transitions are told.
func (b *Breaker) Tick(now int64) {}

// Deadline is the next time at which Tick may find something to do, or Never.
func (b *Breaker) Deadline() int64 { return Never }

// Snapshot returns what the breaker looks like at now.
func (b *Breaker) Snapshot(now int64) Snapshot { return Snapshot{} }

// Listen sets who is told of transitions: after the lock is released, in order, on the goroutine that caused the
// change or on one that is already telling. At most 64 wait; more are dropped and counted. The listener may call
// the breaker. A nil listener ends it.
func (b *Breaker) Listen(listener func(Transition)) {}
