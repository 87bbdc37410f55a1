package breaker

import (
	"strconv"
	"time"
)

// cause is why a transition happened: the trigger's name and what it read.
type cause struct {
	trigger, values string
}

// tripped asks the triggers in their documented order; the first that trips is the cause.
func (m *machine) tripped(at int64, boundary bool) (cause, bool) {
	t := &m.rules.Trip
	if t.ConsecutiveFailures > 0 && int(m.streak) >= t.ConsecutiveFailures {
		return cause{"consecutive_failures", m.limit("consecutive_failures", int(m.streak), t.ConsecutiveFailures)}, true
	}
	if m.window == nil {
		return cause{}, false
	}
	c := m.window.sum()
	if t.Failures > 0 && int(c.failures) >= t.Failures {
		return cause{"failures", m.limit("failures", int(c.failures), t.Failures)}, true
	}
	if int(c.calls) < m.rules.MinCalls {
		return cause{}, false
	}
	if why, trips := m.rates(c); trips {
		return why, true
	}
	for _, trigger := range *m.triggers {
		if trips, values := trigger.Trip(m.stats(at, boundary)); trips {
			return cause{triggerName(trigger), values}, true
		}
	}
	return cause{}, false
}

// rates compares the shares of bad calls with the thresholds. The quotient is compared, not the product: 7 of 100 is
// exactly 0.07, while 0.07 * 100 is more than 7.
func (m *machine) rates(c counts) (cause, bool) {
	t := &m.rules.Trip
	if rate := rateOf(c.failures, c.calls); t.ErrorRate > 0 && rate >= t.ErrorRate {
		return cause{"error_rate", m.share("error_rate", rate, t.ErrorRate, c.failures, c.calls)}, true
	}
	if rate := rateOf(c.slow, c.calls); t.Slow.Rate > 0 && rate >= t.Slow.Rate {
		return cause{"slow_calls", m.share("slow_rate", rate, t.Slow.Rate, c.slow, c.calls)}, true
	}
	return cause{}, false
}

func rateOf(part, all uint32) float64 { return share(int(part), int(all)) }

func triggerName(t Trigger) string {
	if named, ok := t.(Named); ok {
		return named.Name()
	}
	return "trigger"
}

func (m *machine) stats(at int64, boundary bool) Stats {
	c := m.window.sum()
	return Stats{
		Now: at, Calls: int(c.calls), Failures: int(c.failures), Slow: int(c.slow), Ignored: m.window.ignored(),
		Consecutive: int(m.streak), InFlight: int(m.inFlight), Rejected: int(m.refused.Load()),
		SinceClose: time.Duration(at - m.closedAt), Boundary: boundary, detail: m.window.details(),
	}
}

// The texts below are made only if somebody listens.

func (m *machine) value(name string, n int) string {
	if m.tell == nil {
		return ""
	}
	return name + " " + strconv.Itoa(n)
}

func (m *machine) limit(name string, n, limit int) string {
	if m.tell == nil {
		return ""
	}
	return name + " " + strconv.Itoa(n) + " >= " + strconv.Itoa(limit)
}

func (m *machine) share(name string, rate, limit float64, part, all uint32) string {
	if m.tell == nil {
		return ""
	}
	text := append([]byte(name), ' ')
	text = strconv.AppendFloat(text, rate, 'g', 4, 64)
	text = append(text, " >= "...)
	text = strconv.AppendFloat(text, limit, 'g', 4, 64)
	text = append(text, " ("...)
	text = strconv.AppendUint(text, uint64(part), 10)
	text = append(text, " of "...)
	text = strconv.AppendUint(text, uint64(all), 10)
	return string(append(text, " calls)"...))
}
