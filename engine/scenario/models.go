package scenario

import (
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/sim"
)

// modelsOf gives each actor that is outside its model: the last of the world that means it.
func (r *run) modelsOf(p *plan.Plan) map[string]sim.Model {
	out := map[string]sim.Model{}
	for i := range p.Actors {
		a := &p.Actors[i]
		if a.Kind != plan.Process && a.Kind != plan.Upstream && a.Kind != plan.Go {
			continue
		}
		if a.Kind != plan.Go { // what no world means is as the world is by itself
			out[a.Path] = sim.Model{}
		}
		for j := len(r.models) - 1; j >= 0; j-- {
			if w := &r.models[j]; means(w.Target, a) {
				out[a.Path] = model(&w.Model)
				break
			}
		}
	}
	return out
}

// means tells whether a target means an actor: by its path, its group's, or a pattern over paths.
func means(target string, a *plan.Actor) bool {
	return target == a.Path || a.Group != "" && target == a.Group || plan.IsGlob(target) && plan.Match(target, a.Path)
}

// furnish puts the models in force, also of actors that a reload brought.
func (r *run) furnish() {
	p := r.eng.Plan()
	models := r.modelsOf(p)
	for i := range p.Actors {
		path := p.Actors[i].Path
		if m, ok := models[path]; ok {
			r.eng.SetModel(path, m)
		}
	}
}

// supply gives those that a plan brings their models, before they start.
func (r *run) supply(p *plan.Plan) {
	before := r.eng.Plan()
	models := r.modelsOf(p)
	if moves := plan.Moves(before, p); len(moves) > 0 {
		old := r.modelsOf(before)
		for _, m := range moves {
			if model, ok := old[m.From]; ok {
				models[m.To] = model // it goes on as what it is
			}
		}
	}
	for i := range p.Actors {
		path := p.Actors[i].Path
		if m, ok := models[path]; ok && before.Index(path) < 0 {
			r.eng.SetModel(path, m)
		}
	}
}

func model(w *plan.WorldModel) sim.Model {
	l := w.Latency
	out := sim.Model{
		Latency: latencyOf(l), Concurrency: w.Concurrency, Cancelled: !w.Served, ErrorRate: w.ErrorRate,
		ErrorKind: w.Kind, ErrorStatus: w.Status, Startup: w.Startup,
		Memory: sim.Memory{Base: w.Memory.Start, PerCall: w.Memory.PerCall, Limit: w.Memory.Limit},
	}
	for _, reply := range w.Reply {
		out.Replies = append(out.Replies, sim.Reply{Message: reply.Name, Value: reply.Value})
	}
	return out
}

// latencyOf draws the curve through the median and the highest quantile that is given.
func latencyOf(l plan.Quantiles) sim.Latency {
	switch {
	case l.P999 > 0:
		return sim.Through(l.P50, 0.999, l.P999)
	case l.P99 > 0:
		return sim.Latency{P50: l.P50, P99: l.P99}
	case l.P95 > 0:
		return sim.Through(l.P50, 0.95, l.P95)
	case l.P90 > 0:
		return sim.Through(l.P50, 0.9, l.P90)
	}
	return sim.Latency{P50: l.P50}
}
