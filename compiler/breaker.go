package compiler

import (
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// longestLease is how long a probe may take by default when the open time is longer; the table of fields says so.
const longestLease = 10 * time.Second

// breaker compiles a breaker and wires its triggers.
func (c *compiler) breaker(v *spec.Value, e edge) *plan.Breaker {
	out := &plan.Breaker{
		Name: e.name, MaxKeys: int(v.At("max_keys").Int()), PerReplica: v.At("per").Text() == "replica",
		TripWhen: c.condition(v.At("trip").Entry("when"), in(rules.AtTripWhen)),
		Outcome:  c.words(v.Entry("outcome"), in(rules.AtOutcome).about(e.message)),
		Key:      c.program(v.Entry("key"), in(rules.AtKey).about(e.message)),
	}
	mode, _ := breaker.ParseMode(v.At("mode").Text())
	out.Policy = breaker.Policy{
		Window: breakerWindow(v.At("window")), MinCalls: int(v.At("min_calls").Int()), Trip: c.trip(v.At("trip")),
		Open: openPolicy(v.At("open")), HalfOpen: halfOpen(v), Mode: mode,
	}
	if ramp := v.Entry("recover"); on(ramp) {
		out.Policy.Ramp = ramp.At("ramp").Duration()
	}
	if out.TripWhen != nil {
		c.checkAlone(v.At("trip").Entry("when"), out.TripWhen)
		out.Policy.Trip.Triggers = append(out.Policy.Trip.Triggers, c.when(out.TripWhen))
	}
	c.checkBreaker(v, out)
	c.nameBreaker(e, out)
	c.built = append(c.built, out)
	return out
}

// checkAlone refuses a condition that asks for other breakers: it runs under the lock of its own, where it must not wait
// for theirs.
func (c *compiler) checkAlone(v *spec.Value, p *rules.Program) {
	for _, path := range p.Reads() {
		if strings.HasPrefix(path, "share(") {
			c.errorf("LR222", v.Pos, "share looks at all breakers, and trip.when sees its own window only; use a rule with force_open")
			return
		}
	}
}

// keepLatency lets the breakers keep a histogram when some expression, such as a rule's, reads a breaker's quantiles.
func (c *compiler) keepLatency() {
	wanted := false
	for _, p := range c.programs {
		wanted = wanted || p != nil && p.NeedsQuantiles() && slices.ContainsFunc(p.Reads(), func(path string) bool { return strings.Contains(path, "breaker") })
	}
	for _, b := range c.built {
		b.Policy.Latency = wanted
	}
}

// nameBreaker makes the breaker known to expressions, with those of single replicas.
func (c *compiler) nameBreaker(e edge, b *plan.Breaker) {
	c.breakers[e.name] = true
	if e.callee == nil {
		return
	}
	if path, found := strings.CutPrefix(e.callee.path, c.units[0].path+"/"); found && e.name == c.called(e.callee) {
		c.breakers[path], c.breakers[e.callee.path] = true, true
	}
	if b.PerReplica && e.callee.group {
		for n := range e.callee.replicas {
			c.breakers[e.callee.member(n)] = true
		}
	}
}

func breakerWindow(v *spec.Value) breaker.Window {
	if calls := v.Entry("calls"); calls != nil {
		return breaker.Window{Calls: int(calls.Int())}
	}
	return breaker.Window{Span: v.Entry("time").Duration()}
}

func openPolicy(v *spec.Value) breaker.OpenPolicy {
	o := breaker.OpenPolicy{For: v.At("for").Duration(), Factor: v.At("factor").Float(), Max: v.At("max").Duration(), Jitter: v.At("jitter").Float()}
	if v.At("max") == nil {
		o.Max = max(time.Minute, o.For)
	}
	return o
}

func halfOpen(v *spec.Value) breaker.HalfOpenPolicy {
	half := v.At("half_open")
	h := breaker.HalfOpenPolicy{
		Probes: int(half.At("probes").Int()), Successes: int(half.At("successes").Int()), Lease: half.At("lease").Duration(),
	}
	if half.At("successes") == nil {
		h.Successes = h.Probes
	}
	if half.At("lease") == nil {
		h.Lease = min(v.At("open").At("for").Duration(), longestLease)
	}
	if half.At("judge").Text() == "rates" {
		h.Judge = breaker.JudgeRates
	}
	return h
}

func (c *compiler) trip(v *spec.Value) breaker.Trip {
	t := breaker.Trip{
		ConsecutiveFailures: int(v.Entry("consecutive_failures").Int()), Failures: int(v.Entry("failures").Int()),
		ErrorRate: v.Entry("error_rate").Float(),
	}
	if slow := v.Entry("slow_calls"); on(slow) {
		t.Slow = breaker.Slow{Over: slow.Entry("over").Duration(), Rate: slow.At("rate").Float()}
	}
	if anomaly := v.Entry("anomaly"); on(anomaly) {
		t.Triggers = append(t.Triggers, c.detector(anomaly)...)
	}
	return t
}
