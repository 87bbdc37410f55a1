package guard

import (
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/rules"
)

// Snapshot is what a guard looks like at one moment. Layers that the policy does not have are nil or zero.
type Snapshot struct {
	Name     string
	Breakers []BreakerSnapshot // by key
	Bulkhead *breaker.BulkheadSnapshot
	Adaptive *breaker.AdaptiveSnapshot
	// RateRefused counts calls over the rate, RetryRefused and HedgeRefused attempts over the budget.
	RateRefused, RetryRefused, HedgeRefused uint64
	Retries                                 uint64 // attempts after the first, since the guard was made
	Calls, Failures                         uint64 // whole calls that ended since, and those of them that failed or were refused; fallbacks mend nothing here
}

// BreakerSnapshot is one breaker of a guard.
type BreakerSnapshot struct {
	Label string // name, or name/key
	Name  string
	Key   string // or replica; "" for the only one
	breaker.Snapshot
}

// Seen is the breaker as rules see it.
func (b *BreakerSnapshot) Seen(now time.Duration) rules.Breaker {
	l := b.Latency
	return rules.Breaker{
		Name: b.Name, Key: b.Key, State: StateName(b.State, b.Mode), Since: max(0, now-time.Duration(b.Since)).Seconds(),
		Calls: float64(b.Calls), ErrorRate: b.ErrorRate, SlowRate: b.SlowRate, Consecutive: float64(b.Consecutive),
		Latency:  rules.Latency{Mean: l.Mean.Seconds(), P50: l.P50.Seconds(), P90: l.P90.Seconds(), P95: l.P95.Seconds(), P99: l.P99.Seconds(), P999: l.P999.Seconds()},
		Rejected: float64(b.Totals.Rejected), Opens: float64(b.Totals.Opens),
	}
}

// Snapshot looks at the guard. Breakers come up to date by it: a deadline that has passed is noticed.
func (g *Guard) Snapshot(now time.Duration) Snapshot {
	l := g.layers.Load()
	s := Snapshot{Name: l.spec.Name, Retries: l.counts.retried.Load(), Calls: l.counts.calls.Load(), Failures: l.counts.failed.Load()}
	if c := l.circuit; c != nil {
		c.each(func(key string, b *breaker.Breaker) {
			s.Breakers = append(s.Breakers, BreakerSnapshot{label(c.name, key), c.name, key, b.Snapshot(int64(now))})
		})
		slices.SortFunc(s.Breakers, func(a, b BreakerSnapshot) int { return strings.Compare(a.Key, b.Key) })
	}
	if l.bulkhead != nil {
		b := l.bulkhead.Snapshot()
		s.Bulkhead = &b
	}
	if l.adaptive != nil {
		a := l.adaptive.Snapshot()
		s.Adaptive = &a
	}
	if l.rates != nil {
		s.RateRefused = l.rates.refused()
	}
	if l.retries != nil {
		s.RetryRefused = l.retries.Refused()
	}
	if l.hedges != nil {
		s.HedgeRefused = l.hedges.Refused()
	}
	return s
}

// StateName is a breaker's state as people, rules and the journal name it: the override's name where one decides.
func StateName(s breaker.State, m breaker.Mode) string {
	switch m {
	case breaker.ForcedOpen, breaker.ForcedClosed, breaker.Disabled:
		return m.String()
	}
	return s.String()
}
