package breaker

import (
	"math"
	"slices"
	"sync/atomic"
)

// machine is the state machine of one breaker: pure and unlocked, its owner guards it. Each method takes now after
// it went through advance. Everything that was due by then has happened at its own time, in order, so what a
// machine answers depends on the times it was asked about and never on how often somebody looked.
type machine struct {
	rules  *rules
	window window // nil if the rules keep none
	// triggers are the rules' own, or a copy in which each Stateful one is this breaker's instance.
	triggers *[]Trigger
	seed     uint64
	tell     func(Transition) // nil if nobody listens
	probes   []probe          // in flight, in the order they began
	refused  atomic.Uint64    // calls refused; the owner counts them, also without the lock
	memory
}

// memory is the part of a machine that is plain data.
type memory struct {
	gen   uint64 // grows with each transition; from 1
	last  int64  // the latest time seen
	since int64  // when the state began
	// until is when an open breaker half-opens, when a recovering one closes, and when a shadow one that would have
	// opened judges again; Never otherwise.
	until    int64
	closedAt int64
	opened   uint64 // openings since the machine was made
	streak   uint32 // failures since the last success
	opens    uint32 // openings since the last close
	inFlight uint32 // admitted and not done, if the rules ask
	credit   uint32 // of the ramp, in 1/rampUnit of a call
	half     halfOpen
	// Under ForcedOpen the state is Open and until Never; under the other overrides it is Closed.
	state State
	mode  Mode
}

// halfOpen is what one half-open period has seen.
type halfOpen struct {
	counts         // of finished probes
	issued  uint32 // probes handed out, the number of the newest
	ignored uint32
}

// probe is a probe in flight.
type probe struct {
	number   uint32
	deadline int64 // Never without a lease
}

// start makes a new machine of m.
func (m *machine) start(r *rules, seed uint64, now int64) {
	m.rules, m.seed, m.window = r, seed, newWindow(r, now)
	m.triggers = instances(&r.Trip.Triggers, &[]Trigger{})
	m.memory = memory{gen: 1, last: now, since: now, closedAt: now, until: Never}
	if r.Mode != Normal {
		m.override(now, r.Mode)
	}
}

// instances makes the breaker's own copies of stateful triggers, each taking over from the one it replaces. Without
// any it is the triggers themselves.
func instances(triggers, old *[]Trigger) *[]Trigger {
	if !slices.ContainsFunc(*triggers, func(t Trigger) bool { _, ok := t.(Stateful); return ok }) {
		return triggers
	}
	own := slices.Clone(*triggers)
	for i, trigger := range own {
		stateful, ok := trigger.(Stateful)
		if !ok {
			continue
		}
		var before Trigger
		if i < len(*old) {
			before = (*old)[i]
		}
		own[i] = stateful.Fresh(before)
	}
	return &own
}

// advance lets everything that is due by now happen and returns the time to go on with, which never runs backwards.
// asked tells that a permit is wanted, the only thing that ends an open state under Compat.
func (m *machine) advance(now int64, asked bool) int64 {
	now = max(now, m.last)
	m.last = now
	for m.lapse(now, asked) {
	}
	return now
}

// lapse lets the earliest thing that is due happen, and reports whether there was one. A bucket boundary goes before
// a deadline at the same time.
func (m *machine) lapse(now int64, asked bool) bool {
	boundary := m.boundary()
	deadline := m.stateDeadline(asked)
	switch {
	case boundary <= now && boundary <= deadline:
		m.crossBoundary(boundary, now)
	case deadline <= now:
		m.expire(deadline)
	default:
		return false
	}
	return true
}

// boundary is when the window next drops a bucket.
func (m *machine) boundary() int64 {
	if m.window == nil {
		return Never
	}
	return m.window.next()
}

// stateDeadline is when the state changes by itself.
func (m *machine) stateDeadline(asked bool) int64 {
	switch {
	case m.state == HalfOpen:
		return m.lease()
	case m.state == Open && m.rules.Compat && !asked:
		return Never
	}
	return m.until
}

// lease is when the first probe in flight counts as lost.
func (m *machine) lease() int64 {
	first := Never
	for i := range m.probes {
		first = min(first, m.probes[i].deadline)
	}
	return first
}

func (m *machine) crossBoundary(at, now int64) {
	if m.window.sum().calls == 0 && m.window.ignored() == 0 {
		m.window.rotate(now)
		return
	}
	m.window.rotate(at)
	if !m.rules.Compat && (m.state == Closed || m.state == Recovering) {
		m.judge(at, true)
	}
}

func (m *machine) expire(at int64) {
	switch m.state {
	case Open:
		m.enter(HalfOpen, at, Never, cause{trigger: "open_elapsed"})
	case Recovering:
		m.enter(Closed, at, Never, cause{trigger: "ramp_done"})
	case HalfOpen:
		m.loseProbe(at)
	case Closed:
		// A shadow breaker would half-open now. It has no probes to judge by, so its window does.
		m.until = Never
		m.judge(at, true)
	}
}

// enter begins a new generation in that state.
func (m *machine) enter(s State, at, until int64, why cause) {
	from := m.state
	m.gen++
	m.state, m.since, m.until = s, at, until
	m.probes = m.probes[:0]
	switch s {
	case HalfOpen:
		m.half = halfOpen{}
	case Recovering:
		m.credit = rampUnit
	case Closed:
		m.opens, m.closedAt = 0, at
	}
	m.report(Transition{From: from, To: s, At: at, Until: until}, why)
}

func (m *machine) report(t Transition, why cause) {
	if m.tell == nil {
		return
	}
	t.Mode, t.Generation = m.mode, m.gen
	t.Trigger, t.Values = why.trigger, why.values
	m.tell(t)
}

// forget empties the window, as each return to service does.
func (m *machine) forget(at int64) {
	m.streak, m.half = 0, halfOpen{}
	if m.window != nil {
		m.window.clear(at)
	}
}

// allow answers a caller that asks for a permit.
func (m *machine) allow(now int64) (Permit, Verdict) {
	switch m.state {
	case Closed:
		return m.admit(now, 0), Verdict{Admitted: true}
	case Open:
		return Permit{}, refusal(now, m.until)
	case HalfOpen:
		return m.allowProbe(now)
	}
	return m.allowRamp(now)
}

func refusal(now, until int64) Verdict {
	if until == Never || until <= now {
		return Verdict{}
	}
	return Verdict{RetryAfter: nanos(until - now)}
}

func (m *machine) admit(now int64, number uint32) Permit {
	if m.rules.inFlight {
		m.inFlight++
	}
	return Permit{start: now, id: uint64(m.stamp())<<genShift | uint64(number)}
}

// stamp is the generation as a permit carries it, where 0 means no permit.
func (m *machine) stamp() uint32 {
	return max(uint32(m.gen), 1)
}

func (m *machine) allowProbe(now int64) (Permit, Verdict) {
	full := len(m.probes) >= m.rules.HalfOpen.Probes
	if m.rules.HalfOpen.Judge == JudgeRates {
		full = int(m.half.calls)+len(m.probes) >= m.rules.HalfOpen.Probes
	}
	if full {
		return Permit{}, refusal(now, m.lease())
	}
	m.half.issued++
	deadline := Never
	if m.rules.lease > 0 {
		deadline = satAdd(now, m.rules.lease)
	}
	m.probes = append(m.probes, probe{number: m.half.issued, deadline: deadline})
	return m.admit(now, m.half.issued), Verdict{Admitted: true, Probe: true}
}

// satAdd adds a positive duration to a time without wrapping round.
func satAdd(t, d int64) int64 {
	if t > Never-d {
		return Never
	}
	return t + d
}

const (
	// rampUnit is one call of ramp credit.
	rampUnit = 1 << 16
	// rampFloor is the least share of calls a recovering breaker admits: one in ten.
	rampFloor = rampUnit / 10
)

// allowRamp admits the share of calls that the ramp has reached, by a counter and not by chance: each call adds the
// share to a credit, a whole credit buys an admission.
func (m *machine) allowRamp(now int64) (Permit, Verdict) {
	reached := float64(now-m.since) / float64(m.until-m.since)
	m.credit += max(rampFloor, uint32(min(reached, 1)*rampUnit))
	if m.credit < rampUnit {
		return Permit{}, refusal(now, m.until)
	}
	m.credit -= rampUnit
	return m.admit(now, 0), Verdict{Admitted: true}
}

// fate is what became of an outcome.
type fate uint8

const (
	counted fate = iota
	uncounted
	late
)

// done takes in how a call ended.
func (m *machine) done(now, took int64, p Permit, o Outcome) fate {
	if m.rules.inFlight && m.inFlight > 0 {
		m.inFlight--
	}
	if p.gen() != m.stamp() {
		return late
	}
	s := m.rules.sample(o, took)
	switch {
	case p.Probe():
		return m.probed(now, p, o, s)
	case m.mode == Disabled:
		return uncounted
	}
	m.record(now, o, s)
	return counted
}

// record counts the outcome of an ordinary call and judges where the documentation says so: after each bad outcome,
// and after each outcome while the window has yet to reach MinCalls.
func (m *machine) record(now int64, o Outcome, s sample) {
	if o == Ignored {
		if m.window != nil {
			m.window.ignore()
		}
		return
	}
	if s.failed {
		m.streak = satInc(m.streak)
	} else {
		m.streak = 0
	}
	calls := uint32(0)
	if m.window != nil {
		m.window.add(s)
		calls = m.window.sum().calls
	}
	m.feed(now, o, s)
	cold := m.rules.gated() && int(calls) <= m.rules.MinCalls
	if s.bad() || cold || m.rules.detailed() && m.window.turned() {
		m.judge(now, false)
	}
}

func satInc(n uint32) uint32 { return n + 1 - n/math.MaxUint32 }

// feed shows the call to the triggers that watch each one.
func (m *machine) feed(now int64, o Outcome, s sample) {
	if !m.rules.sampled {
		return
	}
	for _, trigger := range *m.triggers {
		if sampler, ok := trigger.(Sampler); ok {
			sampler.Sample(now, nanos(s.took), o)
		}
	}
}

// judge opens the breaker if a trigger says so; a shadow one only tells.
func (m *machine) judge(at int64, boundary bool) {
	if m.mode == ForcedClosed || m.mode == Disabled || m.mode == Shadow && m.until != Never {
		return
	}
	why, trips := m.tripped(at, boundary)
	switch {
	case !trips:
	case m.mode == Shadow:
		m.until = satAdd(at, m.openTime(m.opens))
		m.report(Transition{From: m.state, To: Open, WouldOpen: true, At: at, Until: m.until}, why)
	default:
		m.open(at, why)
	}
}

func (m *machine) open(at int64, why cause) {
	n := m.opens
	m.opens = satInc(n)
	m.opened++
	// The draw of the jitter depends on the generation this opening begins, so that a reload can repeat it.
	m.enter(Open, at, satAdd(at, m.waitAs(n, m.gen+1)), why)
}

// openTime is how long the n-th opening in a row lasts, drawn for the current generation.
func (m *machine) openTime(n uint32) int64 { return m.waitAs(n, m.gen) }

func (m *machine) waitAs(n uint32, gen uint64) int64 {
	return int64(m.rules.open.Wait(int(n), mix(m.seed^gen)))
}
