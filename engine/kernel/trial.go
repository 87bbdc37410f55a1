package kernel

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// Trial measures a generation on probation beside what was before it: the figures of observe.window before its commit, and
// those since. It counts the calls that go through guards and, of actors that no guard stands before, the messages. While
// no plan asks for figures it measures nothing. It is pure: the time is an argument. Not safe for concurrent use.
type Trial struct {
	generation uint64 // on probation and to be measured; 0 is none
	wanted     bool   // the last generation that passed has an abort_if
	eve, began total  // just before and just after the last commit
	past       []total
	placed     *plan.Plan // that guarded is about
	guarded    map[string]bool
}

// Measured is what a Trial looks at: an engine of either runtime.
type Measured interface {
	Guards() []guard.Snapshot
	Actors(visit func(engine.Vitals) bool)
}

// total is what a whole engine has done up to a moment.
type total struct {
	at              time.Duration
	calls, failures uint64
	latency         []uint64 // messages by duration: bucket i ends at engine.BucketLimit(i)
}

// mostTotals bounds what a Trial remembers of a window.
const mostTotals = 128

// Sample takes a look at the engine and gives the figures since the commit of the generation on probation, the zero
// Figures when there is none.
func (t *Trial) Sample(now time.Duration, p *plan.Plan, e Measured) engine.Figures {
	if p.Reload.AbortIf == nil && t.generation == 0 {
		t.past = nil
		return engine.Figures{}
	}
	sum := t.take(now, p, e)
	t.note(sum, p.Observe.Window)
	if t.generation == 0 {
		return engine.Figures{}
	}
	return engine.Figures{Generation: t.generation, Span: now - t.began.at, Rates: t.began.until(sum)}
}

// Before gives the figures of the window until now, for the Reloaded that follows. p is the plan that is in force still.
func (t *Trial) Before(now time.Duration, p *plan.Plan, e Measured) engine.Figures {
	if t.generation == 0 {
		t.wanted = p.Reload.AbortIf != nil
	}
	if !t.wanted {
		return engine.Figures{}
	}
	t.eve = t.take(now, p, e)
	if len(t.past) == 0 {
		return engine.Figures{}
	}
	return engine.Figures{Span: now - t.past[0].at, Rates: t.past[0].until(t.eve)}
}

// Begin is told that a generation has come into force, right after that, and whether it is on probation. Before must have been
// asked right before that.
func (t *Trial) Begin(now time.Duration, generation uint64, probation bool, p *plan.Plan, e Measured) {
	t.generation = 0
	if !t.wanted {
		return
	}
	t.began = t.take(now, p, e)
	t.shift(t.eve, t.began)
	if probation {
		t.generation = generation
	}
}

// End is told that nothing is on probation any more.
func (t *Trial) End() { t.generation = 0 }

// take sums up what the engine has done so far.
func (t *Trial) take(now time.Duration, p *plan.Plan, e Measured) total {
	if t.placed != p {
		t.placed, t.guarded = p, guardedBy(p)
	}
	sum := total{at: now}
	for _, g := range e.Guards() {
		sum.calls += g.Calls
		sum.failures += g.Failures
	}
	var buckets []uint32
	e.Actors(func(v engine.Vitals) bool {
		if !t.guarded[v.Path] {
			sum.calls += v.Calls
			sum.failures += v.Failures
		}
		buckets = v.Latency.Counts(buckets)
		if n := len(buckets) - len(sum.latency); n > 0 {
			sum.latency = append(sum.latency, make([]uint64, n)...)
		}
		for i, n := range buckets {
			sum.latency[i] += uint64(n)
		}
		return true
	})
	return sum
}

// guardedBy are the actors that a guard of their own or of their group stands before.
func guardedBy(p *plan.Plan) map[string]bool {
	out := map[string]bool{}
	for _, at := range guard.Place(p) {
		if at.Edge {
			continue
		}
		out[at.Path] = true
		if g := p.Group(at.Path); g != nil {
			for _, member := range g.Members {
				out[member] = true
			}
		}
	}
	return out
}

// note remembers a sum, as far back as a window.
func (t *Trial) note(sum total, window time.Duration) {
	for len(t.past) > 1 && t.past[1].at <= sum.at-window {
		t.past = t.past[1:]
	}
	if n := len(t.past); n == 0 || sum.at-t.past[n-1].at >= window/mostTotals {
		t.past = append(t.past[:len(t.past):len(t.past)], sum)
	}
}

// shift keeps the distance of what is remembered when the sum falls: what a reload removes takes its counts along.
func (t *Trial) shift(before, after total) {
	for i := range t.past {
		p := &t.past[i]
		p.calls, p.failures = shifted(p.calls, before.calls, after.calls), shifted(p.failures, before.failures, after.failures)
		for j := range p.latency {
			if j < len(before.latency) {
				now := uint64(0)
				if j < len(after.latency) {
					now = after.latency[j]
				}
				p.latency[j] = shifted(p.latency[j], before.latency[j], now)
			}
		}
	}
}

func shifted(old, before, after uint64) uint64 { return less(old, less(before, after)) }

// less is a-b, or 0 where that is negative.
func less(a, b uint64) uint64 { return a - min(a, b) }

// until gives what happened from one moment to a later one.
func (t *total) until(later total) rules.Rates {
	var out rules.Rates
	if calls := less(later.calls, t.calls); calls > 0 {
		out.Calls = float64(calls)
		out.ErrorRate = float64(min(less(later.failures, t.failures), calls)) / float64(calls)
	}
	buckets := make([]uint32, len(later.latency))
	for i, n := range later.latency {
		if i < len(t.latency) {
			n = less(n, t.latency[i])
		}
		buckets[i] = uint32(n)
	}
	out.Latency = rules.LatencyOf(buckets, engine.BucketLimit)
	return out
}
