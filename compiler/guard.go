package compiler

import (
	"math"
	"reflect"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// edge is where a guard stands: in front of a callee, for all callers or for one.
type edge struct {
	name    string // database, api->database, public/orders
	callee  *unit  // nil when unknown
	message string // "" when it may be any
	caller  *unit  // of an edge from a script
	outside bool   // the caller is no actor
}

// edgeUse is a guard that an edge has already been given.
type edgeUse struct {
	guard *plan.Guard
	pos   spec.Pos
}

// edgeGuard compiles the guard of one edge. Two calls along one edge share a breaker, so they must be guarded alike.
func (c *compiler) edgeGuard(v *spec.Value, e edge, t target) *plan.Guard {
	if t.replica < 0 {
		e.name = c.called(e.caller) + "->" + c.called(t.unit)
	}
	e.message = "" // what the guard sees depends on the edge, not on the call
	g := c.guard(v, e)
	if first, ok := c.edges[e.name]; ok && !reflect.DeepEqual(first.guard, g) {
		c.errorf("LR227", v.Pos, "%s is guarded otherwise at %s; both calls pass the same guard, so name one and use it in both", e.name, at(v.Pos, first.pos))
		return g
	}
	c.edges[e.name] = edgeUse{g, v.Pos}
	return g
}

// guard compiles the layers of one guard; nil when there are none.
func (c *compiler) guard(v *spec.Value, e edge) *plan.Guard {
	if v == nil {
		return nil
	}
	g := &plan.Guard{
		Name: e.name, Rate: c.rateLimit(v.Entry("rate_limit")), Bulkhead: bulkhead(v.Entry("bulkhead")), Retry: c.retry(v.Entry("retry")),
		Timeout: v.Entry("timeout").Duration(), Deadline: v.Entry("deadline").Duration(),
	}
	if b := v.Entry("breaker"); on(b) {
		g.Breaker = c.breaker(b, e)
	}
	if a := v.Entry("adaptive"); on(a) {
		g.Adaptive = &plan.Adaptive{Min: int(a.At("min").Int()), Max: int(a.At("max").Int())}
	}
	if h := v.Entry("hedge"); on(h) {
		g.Hedge = &plan.Hedge{After: h.Entry("after").Duration(), Max: int(h.At("max").Int()), Budget: h.At("budget").Float()}
	}
	for _, item := range v.Entry("fallback").Items() {
		g.Fallback = append(g.Fallback, c.fallback(item, e))
	}
	c.checkGuard(v, g, e)
	return g
}

func (c *compiler) rateLimit(v *spec.Value) *plan.RateLimit {
	if !on(v) {
		return nil
	}
	out := &plan.RateLimit{
		PerSecond: v.Entry("rate").Float(), Burst: int(v.Entry("burst").Int()),
		Key: c.program(v.Entry("key"), in(rules.AtKey)), MaxKeys: int(v.At("max_keys").Int()),
	}
	if v.Entry("burst") == nil {
		out.Burst = max(1, int(math.Ceil(out.PerSecond))) // one second's worth, as the table says
	}
	return out
}

func bulkhead(v *spec.Value) *plan.Bulkhead {
	if !on(v) {
		return nil
	}
	return &plan.Bulkhead{Concurrent: int(v.Entry("concurrent").Int()), Queue: int(v.Entry("queue").Int()), Wait: v.At("wait").Duration()}
}

func (c *compiler) backoff(v *spec.Value) plan.Backoff {
	b := plan.Backoff{
		Initial: v.At("initial").Duration(), Factor: v.At("factor").Float(), Max: v.At("max").Duration(), Jitter: v.At("jitter").Float(),
	}
	if b.Initial > b.Max && b.Max > 0 {
		low, high := v.At("initial"), v.At("max")
		c.errorf("LR210", place(low, v), "initial %s is larger than max %s%s", b.Initial, b.Max, both(low, high))
	}
	return b
}

// both names the two places of a conflict, when both are written.
func both(a, b *spec.Value) string {
	if a == nil || b == nil || a.Pos.IsZero() || b.Pos.IsZero() {
		return ""
	}
	return " (" + at(a.Pos, a.Pos) + ", " + at(a.Pos, b.Pos) + ")"
}

// place is where v is written, or else where what surrounds it is.
func place(v, around *spec.Value) spec.Pos {
	if v != nil && !v.Pos.IsZero() {
		return v.Pos
	}
	if around == nil {
		return spec.Pos{}
	}
	return around.Pos
}

func (c *compiler) retry(v *spec.Value) *plan.Retry {
	if !on(v) {
		return nil
	}
	return &plan.Retry{
		Attempts: int(v.At("attempts").Int()), Backoff: c.backoff(v.At("backoff")), Budget: v.At("budget").Float(),
		When: c.condition(v.Entry("when"), in(rules.AtRetryWhen)),
	}
}

func (c *compiler) fallback(v *spec.Value, e edge) plan.Fallback {
	s := in(rules.AtFallback).about(e.message)
	out := plan.Fallback{
		When: c.condition(v.Entry("when"), s), Message: v.Entry("message").Text(), With: c.template(v.Entry("with"), s),
		Reply: c.template(v.Entry("reply"), s), Status: int(v.Entry("status").Int()),
	}
	to := v.Entry("to")
	if to == nil {
		return out
	}
	t, ok := c.receiver(to)
	if !ok {
		return out
	}
	out.To = t.path()
	c.answers(t, to)
	if message := v.Entry("message"); message != nil {
		c.takes(t, message, out.Message)
		c.carries(v.Entry("with"), out.Message)
	}
	if t.unit == e.callee {
		c.errorf("LR225", to.Pos, "the fallback of %q calls %q, which is what failed", e.name, to.Text())
	} else if !e.outside {
		owner := e.callee
		if e.caller != nil {
			owner = e.caller
		}
		owner.calls = append(owner.calls, waits{to: t.unit, pos: to.Pos})
	}
	return out
}
