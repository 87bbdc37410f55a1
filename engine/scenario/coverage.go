package scenario

import (
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
	for _, name := range breakerNames(p) {
		add("breaker "+name, "opens", "half-opens", "closes again")
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

// breakerNames lists the breakers that stand on actors, groups and routes.
func breakerNames(p *plan.Plan) []string {
	var out []string
	add := func(g *plan.Guard) {
		if g != nil && g.Breaker != nil {
			out = append(out, g.Breaker.Name)
		}
	}
	for i := range p.Actors {
		add(p.Actors[i].Guard)
	}
	for i := range p.Groups {
		add(p.Groups[i].Guard)
	}
	for i := range p.Gateway {
		for j := range p.Gateway[i].Routes {
			add(p.Gateway[i].Routes[j].Guard)
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
		for _, name := range breakerNames(r.spec.Plan) {
			if b.Breaker == name || strings.HasPrefix(b.Breaker, name+"/") {
				r.shown["breaker "+name+" "+way] = true
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
