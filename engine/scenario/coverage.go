package scenario

import (
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Points lists what scenarios can show of a plan, in its order: each breaker opens, tries and closes again, each rule fires
// and clears, each supervisor restarts a child and gives up, the emergency is entered and left.
func Points(p *plan.Plan) []string {
	var out []string
	add := func(what string, ways ...string) {
		for _, way := range ways {
			out = append(out, what+" "+way)
		}
	}
	for _, b := range Breakers(p) {
		add("breaker "+b.Name, "opens", "half-opens", "closes again")
	}
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Enabled && r.When != nil {
			add("rule "+r.Name, "fires", "clears")
		}
	}
	for i := range p.Actors {
		if p.Actors[i].Supervisor != nil {
			add("supervisor "+p.Actors[i].Path, "restarts a child", "gives up")
		}
	}
	if p.Emergency != nil {
		add("emergency", "is entered", "is left")
	}
	return out
}

// Breakers lists the breakers of a plan in its order: those on actors and edges, on groups, on routes, and supervisors'
// against restart storms.
func Breakers(p *plan.Plan) []*plan.Breaker {
	var out []*plan.Breaker
	add := func(b *plan.Breaker) {
		if b != nil && !slices.ContainsFunc(out, func(have *plan.Breaker) bool { return have.Name == b.Name }) {
			out = append(out, b)
		}
	}
	each := func(g *plan.Guard) {
		if g != nil {
			add(g.Breaker)
		}
	}
	for i := range p.Actors {
		a := &p.Actors[i]
		each(a.Guard)
		if a.Script != nil {
			for _, h := range a.Script.Handlers {
				for _, c := range h.Calls {
					each(c.Guard)
				}
			}
		}
		if a.Supervisor != nil {
			add(a.Supervisor.RestartBreaker)
		}
	}
	for i := range p.Groups {
		each(p.Groups[i].Guard)
	}
	for i := range p.Gateway {
		for j := range p.Gateway[i].Routes {
			each(p.Gateway[i].Routes[j].Guard)
		}
	}
	return out
}

// cover notes which points an event shows.
func (r *run) cover(e journal.Event) {
	switch e.Type {
	case journal.TypeBreakerChanged, journal.TypeRuleFired, journal.TypeRuleCleared, journal.TypeActorRestarting, journal.TypeSupervisorGaveUp,
		journal.TypeEmergencyChanged:
	default:
		return
	}
	body, err := e.Body()
	if err != nil {
		return
	}
	switch b := body.(type) {
	case journal.BreakerChanged:
		way := map[string]string{"open": "opens", "half_open": "half-opens", "closed": "closes again"}[b.To]
		for _, known := range Breakers(r.spec.Plan) {
			if b.Breaker == known.Name || strings.HasPrefix(b.Breaker, known.Name+"/") {
				r.shown["breaker "+known.Name+" "+way] = true
			}
		}
	case journal.RuleFired:
		r.shown["rule "+b.Rule+" fires"] = true
	case journal.RuleCleared:
		r.shown["rule "+b.Rule+" clears"] = true
	case journal.ActorRestarting:
		if at := strings.LastIndexByte(e.Actor, '/'); at > 0 {
			r.shown["supervisor "+e.Actor[:at]+" restarts a child"] = true
		}
	case journal.SupervisorGaveUp:
		r.shown["supervisor "+e.Actor+" gives up"] = true
	case journal.EmergencyChanged:
		r.shown["emergency is left"] = r.shown["emergency is left"] || !b.On
		r.shown["emergency is entered"] = r.shown["emergency is entered"] || b.On
	}
}
