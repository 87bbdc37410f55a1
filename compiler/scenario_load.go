package compiler

import (
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

func (c *scripted) load(v *spec.Value) plan.Load {
	s := in(rules.AtLoad)
	out := plan.Load{
		Name: v.Entry("name").Text(), Place: placed(v.Pos), Message: v.Entry("message").Text(), Payload: c.template(v.Entry("payload"), s),
		Rate: c.rate(v.Entry("rate")), Arrival: v.At("arrival").Text(),
		Priority: int(v.At("priority").Int()), Key: c.program(v.Entry("key"), s), For: v.Entry("for").Duration(),
		Timeout: v.Entry("timeout").Duration(), Retry: c.retry(v.Entry("retry")),
	}
	if from := c.moment(v.At("from")); from != nil {
		out.From = *from
	}
	switch {
	case v.Entry("to") != nil:
		c.callee(v, &out)
	case v.Entry("via") != nil:
		out.Route = c.via(v)
	}
	if v.Entry("recorded") != nil {
		c.recorded(v, &out)
	} else if len(out.Rate) == 0 {
		c.errorf("LR505", v.Pos, "load %q has no rate; add one, such as rate: 20/s", out.Name)
	}
	return out
}

// callee reads whom a load calls and what it says.
func (c *scripted) callee(v *spec.Value, out *plan.Load) {
	message := v.Entry("message")
	if message == nil && v.Entry("recorded") == nil {
		c.errorf("LR505", v.Pos, "load %q names no message; add message: NAME", out.Name)
	}
	t, ok := c.receiver(v.Entry("to"))
	if !ok {
		return
	}
	out.To = t.path()
	c.answers(t, v.Entry("to"))
	c.takes(t, message, out.Message)
	c.carries(v.Entry("payload"), out.Message)
}

// via finds the route that a load's requests take.
func (c *scripted) via(v *spec.Value) *plan.RouteCall {
	name, request := v.Entry("via"), v.At("request")
	listener, route, _ := strings.Cut(name.Text(), "/")
	var have []string
	for i := range c.plan.Gateway {
		l := &c.plan.Gateway[i]
		for j := range l.Routes {
			have = append(have, l.Name+"/"+l.Routes[j].Name)
			if l.Name != listener || l.Routes[j].Name != route {
				continue
			}
			out := &plan.RouteCall{
				Listener: listener, Route: &l.Routes[j], Method: request.At("method").Text(),
				Path: c.words(request.Entry("path"), in(rules.AtLoad)), Body: c.template(request.Entry("body"), in(rules.AtLoad)),
			}
			for _, e := range request.Entry("headers").Entries() {
				out.Headers = append(out.Headers, plan.Built{Name: strings.ToLower(e.Key), Value: c.template(e.Value, in(rules.AtLoad))})
			}
			slices.SortFunc(out.Headers, func(a, b plan.Built) int { return strings.Compare(a.Name, b.Name) })
			c.fitsRoute(request, name, out)
			return out
		}
	}
	c.unknown("LR203", name.Pos, "route", name.Text(), have)
	return nil
}

// fitsRoute reports a request that its route would not take.
func (c *scripted) fitsRoute(request, name *spec.Value, r *plan.RouteCall) {
	if methods := r.Route.Methods; len(methods) > 0 && !slices.Contains(methods, r.Method) {
		c.errorf("LR505", place(request.Entry("method"), name), "route %q takes %s, and the load sends %s", name.Text(), strings.Join(methods, ", "), r.Method)
	}
}

// rate reads a rate, a ramp or a list of steps.
func (c *scripted) rate(v *spec.Value) []plan.Ramp {
	switch {
	case v == nil:
		return nil
	case v.Type.Shape == spec.Rate:
		return []plan.Ramp{{From: v.Float(), To: v.Float()}}
	case v.Type.Shape == spec.List:
		var out []plan.Ramp
		for _, item := range v.Items() {
			per := item.Entry("rate").Float()
			step := plan.Ramp{At: item.Entry("at").Duration(), From: per, To: per}
			if n := len(out); n > 0 && step.At <= out[n-1].At {
				c.errorf("LR505", item.Pos, "the steps of a rate stand in order: %s comes after %s", out[n-1].At, step.At)
			}
			out = append(out, step)
		}
		if len(out) > 0 && out[0].At > 0 {
			out = append([]plan.Ramp{{}}, out...)
		}
		return out
	}
	return []plan.Ramp{{From: v.Entry("from").Float(), To: v.Entry("to").Float(), Over: v.Entry("over").Duration()}}
}

// world reads models by target; patterns come first, so that a name says more than a pattern.
func (c *scripted) world(v *spec.Value) []plan.World {
	var out []plan.World
	for _, e := range v.Entries() {
		w := plan.World{Target: c.outside(e), Model: c.model(e.Value)}
		if w.Target != "" {
			out = append(out, w)
		}
	}
	slices.SortStableFunc(out, func(a, b plan.World) int {
		switch ga, gb := plan.IsGlob(a.Target), plan.IsGlob(b.Target); {
		case ga == gb:
			return 0
		case ga:
			return -1
		}
		return 1
	})
	return out
}

// outside reads whom a model stands in for: something that the engine does not run itself.
func (c *scripted) outside(e spec.Entry) string {
	if plan.IsGlob(e.Key) {
		c.matches(e.Key, e.KeyPos)
		return e.Key
	}
	t, ok := c.lookup(e.Key, e.KeyPos, "actor")
	if !ok {
		return ""
	}
	switch t.unit.kind {
	case plan.Process, plan.Upstream, plan.Go:
		return t.path()
	}
	c.errorf("LR506", e.KeyPos, "%q is %s, which runs in a scenario as it does in production; a world stands in for processes, upstreams and go actors", e.Key, kindText(t.unit.kind))
	return ""
}

func (c *scripted) model(v *spec.Value) plan.WorldModel {
	l, memory := v.At("latency"), v.At("memory")
	out := plan.WorldModel{
		Latency: plan.Quantiles{
			P50: l.At("p50").Duration(), P90: l.Entry("p90").Duration(), P95: l.Entry("p95").Duration(), P99: l.Entry("p99").Duration(), P999: l.Entry("p999").Duration(),
		},
		Concurrency: int(v.Entry("concurrency").Int()), Served: v.At("abandoned").Text() == "served", ErrorRate: v.At("error_rate").Float(),
		Kind: v.At("kind").Text(), Status: int(v.At("status").Int()), Startup: v.At("startup").Duration(),
		Memory: plan.MemoryModel{Start: memory.Entry("start").Bytes(), PerCall: memory.Entry("per_call").Bytes(), Limit: memory.Entry("limit").Bytes()},
	}
	before := time.Duration(0)
	for _, name := range []string{"p50", "p90", "p95", "p99", "p999"} {
		given := l.Entry(name)
		if given != nil && given.Duration() < before {
			c.errorf("LR210", given.Pos, "%s %s is less than a lower quantile, %s", name, given.Duration(), before)
		}
		before = max(before, given.Duration())
	}
	for _, e := range v.Entry("reply").Entries() {
		out.Reply = append(out.Reply, plan.Built{Name: e.Key, Value: c.template(e.Value, in(rules.AtWorldReply).about(e.Key))})
	}
	slices.SortFunc(out.Reply, func(a, b plan.Built) int { return strings.Compare(a.Name, b.Name) })
	return out
}
