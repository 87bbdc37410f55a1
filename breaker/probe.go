package breaker

import (
	"slices"
	"time"
)

func nanos(n int64) time.Duration { return time.Duration(n) }

// ignoredPerProbe bounds how many ignored outcomes a half-open period forgives for each probe it needs. A callee whose
// every answer is ignored would otherwise be probed for ever.
const ignoredPerProbe = 10

// probed takes in the outcome of a probe, which is late if its lease ended before.
func (m *machine) probed(now int64, p Permit, o Outcome, s sample) fate {
	at := slices.IndexFunc(m.probes, func(x probe) bool { return x.number == p.probe() })
	if at < 0 {
		return late
	}
	m.probes = slices.Delete(m.probes, at, at+1)
	if o == Ignored {
		m.ignoreProbe(now)
		return counted
	}
	m.half.add(s.counts())
	m.settle(now)
	return counted
}

func (m *machine) ignoreProbe(now int64) {
	m.half.ignored++
	needed := max(m.rules.HalfOpen.Probes, m.rules.HalfOpen.Successes)
	if !m.rules.Compat && int(m.half.ignored) > ignoredPerProbe*needed {
		m.open(now, cause{"probes_ignored", m.value("ignored", int(m.half.ignored))})
	}
}

// loseProbe ends the oldest probe whose lease is over as a failed one.
func (m *machine) loseProbe(at int64) {
	lost := slices.IndexFunc(m.probes, func(x probe) bool { return x.deadline <= at })
	number := m.probes[lost].number
	m.probes = slices.Delete(m.probes, lost, lost+1)
	m.half.add(counts{calls: 1, failures: 1})
	if m.rules.HalfOpen.Judge == JudgeRates {
		m.settle(at)
		return
	}
	m.open(at, cause{"probe_lost", m.value("probe", int(number))})
}

// settle ends the half-open state if what the probes have shown decides it.
func (m *machine) settle(at int64) {
	h := &m.half
	if m.rules.HalfOpen.Judge == JudgeRates {
		if int(h.calls) < m.rules.verdict {
			return
		}
		if why, trips := m.rates(h.counts); trips {
			m.open(at, why)
			return
		}
		m.restore(at)
		return
	}
	slow := m.rules.Trip.Slow.Rate > 0 && h.slow > 0
	switch {
	case h.failures > 0:
		m.open(at, cause{"probe_failed", m.value("successes", int(h.calls-h.failures))})
	case slow:
		m.open(at, cause{"probe_slow", m.value("successes", int(h.calls-h.slow))})
	case int(h.calls) >= m.rules.HalfOpen.Successes:
		m.restore(at)
	}
}

// restore leaves half-open for service, through the ramp if there is one.
func (m *machine) restore(at int64) {
	why := cause{"probes_passed", m.value("successes", int(m.half.calls-m.half.failures))}
	m.forget(at)
	if m.rules.Ramp > 0 {
		m.enter(Recovering, at, satAdd(at, int64(m.rules.Ramp)), why)
		return
	}
	m.enter(Closed, at, Never, why)
}
