package compiler

import (
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// checkBreaker reports thresholds that contradict each other and a breaker that can never open.
func (c *compiler) checkBreaker(v *spec.Value, b *plan.Breaker) {
	p, known := b.Policy, len(c.diags)
	half, open, window, trip := v.At("half_open"), v.At("open"), v.At("window"), v.At("trip")
	if successes := half.Entry("successes"); p.HalfOpen.Successes > p.HalfOpen.Probes && p.HalfOpen.Judge == breaker.JudgeSuccesses {
		c.errorf("LR212", place(successes, v), "successes %d is more than probes %d%s; raise probes", p.HalfOpen.Successes, p.HalfOpen.Probes, both(successes, half.Entry("probes")))
	}
	if lease := half.Entry("lease"); p.HalfOpen.Lease > p.Open.For {
		c.errorf("LR213", place(lease, v), "lease %s is longer than open.for %s%s: a lost probe would hold the breaker longer than opening again", p.HalfOpen.Lease, p.Open.For, both(lease, open.Entry("for")))
	}
	if calls := window.Entry("calls"); calls != nil {
		if p.MinCalls > p.Window.Calls && v.Entry("min_calls") != nil {
			c.errorf("LR211", v.Entry("min_calls").Pos, "min_calls %d is more than the window's %d calls%s", p.MinCalls, p.Window.Calls, both(v.Entry("min_calls"), calls))
		}
		if failures := trip.Entry("failures"); failures != nil && p.Trip.Failures > p.Window.Calls {
			c.errorf("LR211", failures.Pos, "failures %d is more than the window's %d calls%s, so it is never reached", p.Trip.Failures, p.Window.Calls, both(failures, calls))
		}
	}
	if p.Open.Max < p.Open.For {
		c.errorf("LR210", place(open.Entry("max"), v), "open.for %s is longer than open.max %s%s", p.Open.For, p.Open.Max, both(open.Entry("for"), open.Entry("max")))
	}
	if p.HalfOpen.Judge == breaker.JudgeRates && p.Trip.ErrorRate == 0 && p.Trip.Slow.Rate == 0 {
		c.errorf("LR222", place(half.Entry("judge"), v), "judge: rates has no rate to judge by; add trip.error_rate or trip.slow_calls")
	}
	if a := trip.Entry("anomaly"); on(a) && window.Entry("calls") != nil && a.At("of").Text() != "latency" {
		c.errorf("LR222", place(a.Entry("of"), a), "%s is sampled as time passes; give the breaker a window of time instead of calls%s", a.At("of").Text(), both(a.Entry("of"), window.Entry("calls")))
	}
	c.checkOpens(v, b)
	if err := p.Validate(); err != nil && len(c.diags) == known {
		c.errorf("LR208", v.Pos, "%v", err)
	}
}

// checkOpens warns of a breaker that nothing opens.
func (c *compiler) checkOpens(v *spec.Value, b *plan.Breaker) {
	t := b.Policy.Trip
	if b.Policy.Mode != breaker.Normal && b.Policy.Mode != breaker.Shadow {
		return
	}
	others := len(t.Triggers)
	if b.TripWhen != nil {
		others--
		if constantly(b.TripWhen, false) {
			c.warnf("LR230", v.At("trip").Entry("when").Pos, "%q is never true", b.TripWhen.Source())
		} else {
			others++
		}
	}
	if t.ConsecutiveFailures == 0 && t.Failures == 0 && t.ErrorRate == 0 && t.Slow.Rate == 0 && others == 0 && b.TripWhen == nil {
		c.warnf("LR230", place(v.Entry("trip"), v), "breaker %q can never open; add a condition, such as trip: {consecutive_failures: 5}", b.Name)
	}
}

// constantly reports whether a condition reads nothing and always gives that answer.
func constantly(p *rules.Program, answer bool) bool {
	if p == nil || len(p.Reads()) > 0 {
		return false
	}
	got, err := p.Condition(&rules.Env{})
	return err == nil && got == answer
}

// checkGuard reports layers that cannot work together.
func (c *compiler) checkGuard(v *spec.Value, g *plan.Guard, e edge) {
	if g.Deadline > 0 && g.Timeout > g.Deadline {
		c.warnf("LR226", place(v.Entry("timeout"), v), "timeout %s is longer than deadline %s%s, which ends the call first", g.Timeout, g.Deadline, both(v.Entry("timeout"), v.Entry("deadline")))
	}
	limit := shortest(g.Timeout, g.Deadline)
	if g.Hedge != nil && limit > 0 && g.Hedge.After >= limit {
		c.warnf("LR226", place(v.Entry("hedge").Entry("after"), v), "the hedge after %s never happens: the call has ended after %s", g.Hedge.After, limit)
	}
	if a := g.Adaptive; a != nil && a.Min > a.Max {
		low, high := v.Entry("adaptive").At("min"), v.Entry("adaptive").At("max")
		c.errorf("LR210", place(low, v.Entry("adaptive")), "min %d is larger than max %d%s", a.Min, a.Max, both(low, high))
	}
	c.checkOnlySlow(v, g, limit)
	for i, f := range g.Fallback {
		if f.To == "" && f.When == nil && i+1 < len(g.Fallback) && v.Entry("fallback").Items()[i].Entry("when") == nil && v.Entry("fallback").Items()[i].Entry("to") == nil {
			c.warnf("LR231", v.Entry("fallback").Items()[i+1].Pos, "this fallback of %q is never reached: the one before it always answers", e.name)
			break
		}
	}
}

// checkOnlySlow warns of a breaker that only slow calls open, when a timeout ends every call before it is slow.
func (c *compiler) checkOnlySlow(v *spec.Value, g *plan.Guard, limit time.Duration) {
	if g.Breaker == nil || limit == 0 {
		return
	}
	t := g.Breaker.Policy.Trip
	if t.Slow.Rate > 0 && t.Slow.Over >= limit && t.ConsecutiveFailures == 0 && t.Failures == 0 && t.ErrorRate == 0 && len(t.Triggers) == 0 {
		over := v.Entry("breaker").At("trip").Entry("slow_calls").Entry("over")
		c.warnf("LR230", place(over, v), "breaker %q can never open: every call ends after %s, before it is slow at %s", g.Breaker.Name, limit, t.Slow.Over)
	}
}

func shortest(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
