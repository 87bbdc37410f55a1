package guard

import "github.com/lukhasai/lukhas-run/engine/plan"

// Placed is a guard of a plan and where it stands.
type Placed struct {
	Spec *plan.Guard
	Path string // of the actor or group; of the callee for an edge
	Edge bool   // outside the callee's own guard, for one caller
}

// Place finds all guards of a plan, in its order: of actors, of script calls, of groups, of gateway routes. An edge that
// several calls name is listed for each of them.
func Place(p *plan.Plan) []Placed {
	var all []Placed
	for i := range p.Actors {
		a := &p.Actors[i]
		if a.Guard != nil {
			all = append(all, Placed{a.Guard, a.Path, false})
		}
		if a.Script == nil {
			continue
		}
		for _, h := range a.Script.Handlers {
			for _, c := range h.Calls {
				if c.Guard != nil {
					all = append(all, Placed{c.Guard, c.To, true})
				}
			}
		}
	}
	for i := range p.Groups {
		if g := &p.Groups[i]; g.Guard != nil {
			all = append(all, Placed{g.Guard, g.Path, false})
		}
	}
	for _, l := range p.Gateway {
		for _, r := range l.Routes {
			if r.Guard != nil {
				all = append(all, Placed{r.Guard, r.To, true})
			}
		}
	}
	return all
}

// Retries counts the retries that each actor got, by path, through its guard and those of edges to it. Those of a group
// are spread evenly over its replicas.
func Retries(p *plan.Plan, guards []Snapshot) map[string]uint64 {
	counts := make(map[string]uint64, len(guards))
	for _, g := range guards {
		counts[g.Name] += g.Retries
	}
	out := map[string]uint64{}
	for _, at := range Place(p) {
		n := counts[at.Spec.Name]
		counts[at.Spec.Name] = 0 // an edge may be placed more than once
		if n == 0 {
			continue
		}
		if g := p.Group(at.Path); g != nil {
			for _, member := range g.Members {
				out[member] += n / uint64(len(g.Members))
			}
			continue
		}
		out[at.Path] += n
	}
	return out
}
