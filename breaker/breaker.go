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
	word     atomic.Uint64 // what an ordinary permit carries
	boundary atomic.Int64  // calls pass without the lock before it; shut if none do
	until    atomic.Int64  // while flagRefuse is set
	slowOver atomic.Int64  // a longer call is bad
	cell     atomic.Uint64 // cellBase + successes since the last fold
	shards   atomic.Pointer[shards]

	mu       sync.Mutex
	base     uint64 // what the cells start from, cellShut if they take nothing
	machine  machine
	ended    ended     // without what the cells hold
	audience *audience // nil if nobody ever listened
	self     *self     // nil without a clock
}

// ended counts how calls ended since the breaker was made.
type ended struct {
	successes, failures, slow, ignored, late uint64
}

// shut is a boundary before every time.
const shut = -1 << 63

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
	b := &Breaker{base: cellShut}
	b.machine.start(&c.rules, seed, now)
	b.cell.Store(cellShut)
	for _, option := range options {
		option(b)
	}
	b.publish()
	return b
}

// Allow asks whether a call may pass now. An admitted call must hand its permit to Done exactly once.
func (b *Breaker) Allow(now int64) (Permit, Verdict) {
	// The order of the two loads matters, see publish.
	if word := b.word.Load(); now < b.boundary.Load() {
		return Permit{now, word}, Verdict{Admitted: true}
	}
	return b.allowSlowly(now)
}

func (b *Breaker) allowSlowly(now int64) (Permit, Verdict) {
	if b.word.Load()&flagRefuse != 0 {
		if until := b.until.Load(); now < until {
			b.machine.refused.Add(1)
			return Permit{}, refusal(now, until)
		}
	}
	b.lock()
	seen := b.machine.advance(now, true)
	permit, verdict := b.machine.allow(seen)
	if !verdict.Admitted {
		b.machine.refused.Add(1)
	}
	b.unlock()
	return inTime(now, seen, permit, verdict)
}

// inTime answers in the caller's own time where that runs behind the latest one seen, so that a call takes what its
// caller's clock says it takes, with the lock and without.
func inTime(now, seen int64, p Permit, v Verdict) (Permit, Verdict) {
	if v.Admitted {
		p.start = now
	}
	if v.RetryAfter > 0 {
		v.RetryAfter += nanos(seen - now)
	}
	return p, v
}

// Done says how an admitted call ended. It took now minus the permit's start.
func (b *Breaker) Done(now int64, p Permit, o Outcome) {
	// Where the breaker is quiet a success changes nothing, whichever generation it comes from. Small enough to be
	// inlined into the caller, which is why nothing more is asked here.
	if p.id&flagQuiet&b.word.Load() == 0 || o != Success {
		b.done(now, p, o)
	}
}

// done counts a success without the lock if it can. What is common stands first, and what is not in functions of its own: so
// the compiler keeps this one short.
func (b *Breaker) done(now int64, p Permit, o Outcome) {
	if o != Success || now-p.start > b.slowOver.Load() || now >= b.boundary.Load() {
		b.doneSlowly(now, p, o)
		return
	}
	if b.shards.Load() == nil {
		if old := b.cell.Load(); inTerm(old, p.id) && b.cell.CompareAndSwap(old, old+1) {
			return
		}
	}
	b.doneAmongOthers(now, p)
}

// inTerm tells whether a cell that holds old takes a success of that permit: its generation has not ended.
func inTerm(old, id uint64) bool { return old-id>>genShift<<cellShift < cellFull }

// doneAmongOthers counts a success in a cell that others are busy on, or in one of several cells, unless its generation has ended.
func (b *Breaker) doneAmongOthers(now int64, p Permit) {
	s := b.shards.Load()
	if s == nil && inTerm(b.cell.Load(), p.id) {
		s = b.crowded()
	}
	if s != nil {
		cell := s.mine()
		for old := cell.Load(); inTerm(old, p.id); old = cell.Load() {
			if cell.CompareAndSwap(old, old+1) {
				return
			}
		}
	}
	b.doneSlowly(now, p, Success)
}

func (b *Breaker) doneSlowly(now int64, p Permit, o Outcome) {
	if !p.Valid() {
		return
	}
	took := max(now-p.start, 0)
	b.lock()
	switch b.machine.done(b.machine.advance(now, false), took, p, o) {
	case counted:
		b.tally(o, took)
	case late:
		b.ended.late++
	}
	b.unlock()
}

func (b *Breaker) tally(o Outcome, took int64) {
	switch {
	case o == Ignored:
		b.ended.ignored++
		return
	case o == Success:
		b.ended.successes++
	default:
		b.ended.failures++
	}
	if took > b.machine.rules.slowOver {
		b.ended.slow++
	}
}

// lock takes the mutex and brings the machine up to date with what happened without it.
func (b *Breaker) lock() {
	b.mu.Lock()
	if n := b.drain(b.base); n > 0 {
		b.ended.successes += n
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
		b.ended.successes += n
		if b.generation() == gen {
			m.good(n)
		}
		b.base = base
	}
	// A store that changes nothing would still cost the other processors their copy of the line.
	store(&b.slowOver, m.slowOver())
	store(&b.until, m.until)
	boundary := m.passing()
	if word := uint64(gen)<<genShift | m.flags(); word != b.word.Load() {
		// Allow loads the word and then the boundary. Shutting the boundary before the word changes and opening it
		// after keeps a caller from taking the new generation of a state that does not admit it.
		b.boundary.Store(shut)
		b.word.Store(word)
	}
	store(&b.boundary, boundary)
}

func store(to *atomic.Int64, value int64) {
	if to.Load() != value {
		to.Store(value)
	}
}

// generation is the one last published.
func (b *Breaker) generation() uint32 { return uint32(b.word.Load() >> genShift) }

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
	s.Totals = Totals{
		Successes: b.ended.successes, Failures: b.ended.failures, Slow: b.ended.slow, Ignored: b.ended.ignored,
		Rejected: b.machine.refused.Load(), Opens: b.machine.opened, Late: b.ended.late,
	}
	if b.audience != nil {
		s.Totals.Dropped = b.audience.dropped
	}
	return s
}
