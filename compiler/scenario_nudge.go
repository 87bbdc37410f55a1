package compiler

import (
	"fmt"
	"strconv"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

// maxNudges bounds how many reloads are made for exploring one scenario: each is a plan of its own.
const maxNudges = 24

// nudges are reloads that random schedules may draw: each sets one threshold of a guard to half or twice what it is.
func (c *scripted) nudges() []plan.Reloading {
	var out []plan.Reloading
	for _, set := range thresholds(c.plan) {
		if len(out) == maxNudges {
			break
		}
		over, diags := spec.ParseOverride("explore", []byte(set), spec.Options{})
		if diags.HasErrors() {
			continue
		}
		if p, _ := Compile(c.set, Options{Override: spec.Merge(c.override, over), Dir: c.opts.Dir}); p != nil {
			out = append(out, plan.Reloading{Set: set, Plan: p})
		}
	}
	return out
}

// thresholds lists changes of a plan's guards as overrides, halves first.
func thresholds(p *plan.Plan) []string {
	var out []string
	for _, factor := range []float64{0.5, 2} {
		for i := range p.Actors {
			if a := &p.Actors[i]; a.Group == "" {
				out = append(out, nudged(a.Path, a.Guard, factor)...)
			}
		}
		for i := range p.Groups {
			out = append(out, nudged(p.Groups[i].Path, p.Groups[i].Guard, factor)...)
		}
	}
	return out
}

// nudged lists the thresholds of one guard, times factor.
func nudged(path string, g *plan.Guard, factor float64) []string {
	if g == nil {
		return nil
	}
	var out []string
	add := func(field, value string) {
		out = append(out, fmt.Sprintf("{actors.%s.guard.%s: %s}", path, field, value))
	}
	span := func(field string, d time.Duration) {
		if d > 0 {
			add(field, time.Duration(float64(d)*factor).Round(time.Millisecond).String())
		}
	}
	span("timeout", g.Timeout)
	if b := g.Breaker; b != nil {
		if n := int(float64(b.Policy.Trip.ConsecutiveFailures) * factor); n > 0 {
			add("breaker.trip.consecutive_failures", strconv.Itoa(n))
		}
		span("breaker.open.for", b.Policy.Open.For)
	}
	if b := g.Bulkhead; b != nil {
		if n := int(float64(b.Concurrent) * factor); n > 0 {
			add("bulkhead.concurrent", strconv.Itoa(n))
		}
	}
	return out
}
