package breaker

// override puts the machine under another mode, which is a transition like any other: permits given before it decide
// nothing any more.
func (m *machine) override(at int64, mode Mode) {
	before := m.mode
	if mode == before {
		return
	}
	m.mode = mode
	why := cause{trigger: "forced"}
	switch {
	case mode == ForcedOpen:
		m.forget(at)
		m.enter(Open, at, Never, why)
	case mode == Normal && before == ForcedOpen:
		m.enter(HalfOpen, at, Never, why)
	default:
		// What a closed breaker has counted stays true; what stood before an opening does not, and a disabled
		// breaker counts nothing.
		if m.state != Closed || mode == Disabled {
			m.forget(at)
		}
		m.enter(Closed, at, Never, why)
		m.judge(at, false)
	}
}

// reset closes the machine and empties its window. A forced-open one stays so.
func (m *machine) reset(at int64) {
	m.forget(at)
	if m.mode == ForcedOpen {
		m.opens = 0
		return
	}
	m.enter(Closed, at, Never, cause{trigger: "reset"})
}

// adopt goes on under other rules. Counts, state and permits in flight stay; the thresholds apply to them at once.
func (m *machine) adopt(now int64, r *rules) {
	old := m.rules
	m.rules = r
	m.triggers = instances(&r.Trip.Triggers, m.triggers)
	if !old.shaped(r) {
		before := m.window
		m.window = newWindow(r, now)
		if before != nil && m.window != nil {
			m.window.adopt(before, now)
		}
	}
	if r.Mode != old.Mode {
		m.override(now, r.Mode)
	}
	switch {
	case m.state == Open && m.mode == Normal:
		m.until = max(now, satAdd(m.since, m.waitAs(m.opens-1, m.gen)))
	case m.state == Recovering:
		m.until = max(now, satAdd(m.since, int64(r.Ramp)))
		m.judge(now, false)
	case m.state == HalfOpen:
		m.settle(now)
	case m.state == Closed:
		m.judge(now, false)
	}
	m.advance(now, false)
}
