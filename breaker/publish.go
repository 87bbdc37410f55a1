package breaker

// What a machine lets its owner do without the lock.

// admitting tells that every call passes.
func (m *machine) admitting() bool {
	return m.state == Closed
}

// passing is until when calls may pass without the lock.
func (m *machine) passing() int64 {
	if !m.admitting() || m.rules.inFlight {
		return shut
	}
	return min(m.boundary(), m.until)
}

func (m *machine) flags() uint64 {
	var flags uint64
	if m.state == Open {
		flags |= flagRefuse
	}
	if m.admitting() && !m.rules.inFlight && (m.mode == Disabled || m.window == nil && m.streak == 0) {
		flags |= flagQuiet
	}
	return flags
}

// cellBase is what the cells start from: the generation while a success neither needs its details seen nor can trip
// anything. Once MinCalls calls are there, one more success only lowers each rate.
func (m *machine) cellBase() uint64 {
	free := m.window != nil && m.admitting() && m.mode != Disabled && !m.rules.inFlight && !m.rules.detailed()
	if !free {
		return cellShut
	}
	cold := m.rules.gated() && m.mode != ForcedClosed && int(m.window.sum().calls) < m.rules.MinCalls
	if cold {
		return cellShut
	}
	return uint64(m.stamp()) << cellShift
}

// good takes in successes counted without the lock.
func (m *machine) good(n uint64) {
	if n == 0 {
		return
	}
	m.streak = 0
	if m.window != nil {
		m.window.good(n)
	}
}

func (m *machine) slowOver() int64 {
	if m.mode == Disabled {
		return Never
	}
	return m.rules.slowOver
}

// deadline is when advance may next find something worth telling: a state that ends, or a boundary at which what the
// window keeps could trip.
func (m *machine) deadline() int64 {
	at := m.stateDeadline(false)
	judged := m.state == Closed && (m.mode == Normal || m.mode == Shadow) || m.state == Recovering
	if !judged || m.window == nil || m.rules.Compat || !m.rules.gated() {
		return at
	}
	c := m.window.sum()
	if c.failures|c.slow == 0 && len(m.rules.Trip.Triggers) == 0 {
		return at
	}
	return min(at, m.boundary())
}

func (m *machine) snapshot() Snapshot {
	s := Snapshot{
		State: m.state, Mode: m.mode, Generation: m.gen, Since: m.since, Until: m.until,
		Consecutive: int(m.streak), InFlight: int(m.inFlight), InARow: int(m.opens),
	}
	if m.state == HalfOpen {
		s.InFlight = len(m.probes)
	}
	c := counts{}
	if m.window != nil {
		c = m.window.sum()
		s.Ignored = m.window.ignored()
		s.Latency = m.window.details().latency()
	}
	probing := m.state == HalfOpen || m.state == Open && m.half.calls > 0
	if probing && m.rules.HalfOpen.Judge == JudgeRates {
		c = m.half.counts
	}
	s.Calls, s.Failures, s.Slow = int(c.calls), int(c.failures), int(c.slow)
	s.ErrorRate, s.SlowRate = rateOf(c.failures, c.calls), rateOf(c.slow, c.calls)
	return s
}
