package breaker

import (
	"sync"
	"sync/atomic"
)

// Breaker is a circuit breaker. All methods are safe for concurrent use.
//
// A mutex guards the machine. In front of it lies what the common calls need, published as atomics after each change:
// a call through a closed breaker reads two words, a success after it adds one to a cell. The cell's upper bits hold
// the generation, so an addition that comes too late for its generation fails instead of counting for the next.
// Whoever holds the mutex first folds the cells into the window. Bad outcomes, first calls and bucket boundaries
// take the mutex.
type Breaker struct {
	word     atomic.Uint64 // generation<<32 | flags
	boundary atomic.Int64  // from then on the lock-free path is closed until somebody crosses it
	until    atomic.Int64  // while flagRefuse is set
	slowOver atomic.Int64  // a longer call is bad
	cell     atomic.Uint64 // cellBase + successes since the last fold
	shards   atomic.Pointer[shards]
	refused  atomic.Uint64

	mu       sync.Mutex
	base     uint64 // what the cells start from, cellShut if they take nothing
	machine  machine
	totals   Totals    // without Rejected and what the cells hold
	audience *audience // nil if nobody ever listened
	clock    Clock
}

// Flags in Breaker.word.
const (
	flagAdmit  = 1 << iota // a call may pass without the lock
	flagRefuse             // a call before Breaker.until is refused without the lock
	flagQuiet              // a success changes nothing
)

// A cell holds 24 bits of the generation above 40 bits of count.
const (
	cellShift = 40
	cellFull  = 1 << (cellShift - 1) // well before the count could reach the generation
	cellShut  = ^uint64(0)           // no generation plus less than cellFull
)

// New returns a closed breaker that follows the policy, or an error that wraps ErrPolicy. The seed draws the jitter
// of its open times; now is the caller's monotonic time in nanoseconds.
func New(p Policy, seed uint64, now int64, options ...Option) (*Breaker, error) {
	c, err := Compile(p)
	if err != nil {
		return nil, err
	}
	return c.New(seed, now, options...), nil
}

// New returns a closed breaker that shares the compiled policy.
func (c *Compiled) New(seed uint64, now int64, options ...Option) *Breaker {
	b := &Breaker{machine: newMachine(&c.rules, seed, now), base: cellShut}
	b.cell.Store(cellShut)
	for _, option := range options {
		option(b)
	}
	b.publish()
	return b
}

// Allow asks whether a call may pass now. An admitted call must hand its permit to Done exactly once.
func (b *Breaker) Allow(now int64) (Permit, Verdict) {
	word := b.word.Load()
	if word&flagAdmit != 0 && now < b.boundary.Load() {
		return Permit{start: now, gen: uint32(word >> 32)}, Verdict{Admitted: true}
	}
	return b.allowSlowly(now, word)
}

func (b *Breaker) allowSlowly(now int64, word uint64) (Permit, Verdict) {
	if word&flagRefuse != 0 {
		if until := b.until.Load(); now < until {
			b.refused.Add(1)
			return Permit{}, refusal(now, until)
		}
	}
	b.lock()
	now = b.machine.advance(now, true)
	permit, verdict := b.machine.allow(now)
	if !verdict.Admitted {
		b.refused.Add(1)
	}
	b.unlock()
	return permit, verdict
}

// Done says how an admitted call ended. It took now minus the permit's start.
func (b *Breaker) Done(now int64, p Permit, o Outcome) {
	if o == Success && now-p.start <= b.slowOver.Load() {
		if b.word.Load() == uint64(p.gen)<<32|flagAdmit|flagQuiet {
			return
		}
		if now < b.boundary.Load() && b.count(p.gen) {
			return
		}
	}
	b.doneSlowly(now, p, o)
}

// count adds a success to a cell if the cells take successes of that generation.
func (b *Breaker) count(gen uint32) bool {
	cell := &b.cell
	if s := b.shards.Load(); s != nil {
		cell = s.mine()
	}
	base := uint64(gen) << cellShift
	for range 2 {
		old := cell.Load()
		if old-base >= cellFull {
			return false
		}
		if cell.CompareAndSwap(old, old+1) {
			return true
		}
	}
	// Others are busy on this cell; the caller takes the mutex, and notes that it had to.
	b.crowded()
	return false
}

func (b *Breaker) doneSlowly(now int64, p Permit, o Outcome) {
	if !p.Valid() {
		return
	}
	b.lock()
	now = b.machine.advance(now, false)
	switch b.machine.done(now, p, o) {
	case counted:
		b.tally(o, now-p.start)
	case late:
		b.totals.Late++
	}
	b.unlock()
}

func (b *Breaker) tally(o Outcome, took int64) {
	switch {
	case o == Ignored:
		b.totals.Ignored++
		return
	case o == Success:
		b.totals.Successes++
	default:
		b.totals.Failures++
	}
	if took > b.machine.rules.slowOver {
		b.totals.Slow++
	}
}

// lock takes the mutex and brings the machine up to date with what happened without it.
func (b *Breaker) lock() {
	b.mu.Lock()
	b.machine.refused = b.refused.Load()
	if n := b.drain(b.base); n > 0 {
		b.totals.Successes += n
		b.machine.good(n)
	}
}

// unlock publishes what changed, frees the mutex and tells the listener.
func (b *Breaker) unlock() {
	b.publish()
	if b.audience == nil || !b.audience.waiting() {
		b.mu.Unlock()
		return
	}
	b.perform()
}

// drain sets each cell to base and returns how many successes they held.
func (b *Breaker) drain(base uint64) uint64 {
	if b.base == cellShut {
		if base != cellShut {
			b.cell.Store(base)
			b.shards.Load().store(base)
		}
		return 0
	}
	n := b.cell.Swap(base) - b.base
	if s := b.shards.Load(); s != nil {
		n += s.swap(base, b.base)
	}
	return n
}

// publish makes the lock-free path agree with the machine. Successes that came in since the fold belong to the
// generation that ends here: they are counted, but no longer in a window that may be a new one.
func (b *Breaker) publish() {
	m := &b.machine
	gen := m.stamp()
	if base := m.cellBase(); base != b.base {
		n := b.drain(base)
		b.totals.Successes += n
		if b.generation() == gen {
			m.good(n)
		}
		b.base = base
	}
	word := uint64(gen)<<32 | m.flags()
	if b.word.Load() == word && b.boundary.Load() == m.boundary() && b.until.Load() == m.until && b.slowOver.Load() == m.slowOver() {
		return
	}
	b.until.Store(m.until)
	b.boundary.Store(m.boundary())
	b.slowOver.Store(m.slowOver())
	b.word.Store(word)
}

// generation is the one last published.
func (b *Breaker) generation() uint32 { return uint32(b.word.Load() >> 32) }

// SetPolicy makes the breaker follow another policy from now on. State, window and permits in flight are kept; a
// resized window keeps the newest calls; an open deadline is computed anew from the moment of opening, but never into
// the past. The new thresholds apply to the kept counts at once, so a breaker may trip here. A call that was counted
// as slow stays so. A mode that differs from the old policy's replaces what Force has set. An invalid policy changes
// nothing.
func (b *Breaker) SetPolicy(now int64, p Policy) error {
	c, err := Compile(p)
	if err != nil {
		return err
	}
	b.Adopt(now, c)
	return nil
}

// Adopt is SetPolicy with a policy that many breakers share.
func (b *Breaker) Adopt(now int64, c *Compiled) {
	b.lock()
	b.machine.adopt(b.machine.advance(now, false), &c.rules)
	b.unlock()
}

// Force overrides the state machine. ForcedOpen left for Normal probes first (half-open); the other modes return to
// closed, with what they counted.
func (b *Breaker) Force(now int64, m Mode) {
	b.lock()
	b.machine.override(b.machine.advance(now, false), m)
	b.unlock()
}

// Reset closes the breaker, empties its window and forgets its openings. The mode stays.
func (b *Breaker) Reset(now int64) {
	b.lock()
	b.machine.reset(b.machine.advance(now, false))
	b.unlock()
}

// Tick lets deadlines pass when there is no traffic. It never changes a verdict, only how early transitions are told.
func (b *Breaker) Tick(now int64) {
	b.lock()
	b.machine.advance(now, false)
	b.unlock()
}

// Deadline is the next time at which Tick may find something to do, or Never.
func (b *Breaker) Deadline() int64 {
	b.lock()
	defer b.unlock()
	return b.machine.deadline()
}

// Snapshot returns what the breaker looks like at now.
func (b *Breaker) Snapshot(now int64) Snapshot {
	b.lock()
	defer b.unlock()
	b.machine.advance(now, false)
	s := b.machine.snapshot()
	s.Totals = b.totals
	s.Totals.Rejected = b.refused.Load()
	s.Totals.Opens = b.machine.opened
	if b.audience != nil {
		s.Totals.Dropped = b.audience.dropped
	}
	return s
}
