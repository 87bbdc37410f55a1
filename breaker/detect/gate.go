package detect

// gate makes alerts of samples beyond a threshold: after need in a row, and then none for rest samples.
type gate struct {
	need, rest  int
	have, quiet int
}

// pass counts one sample and gives the verdict on it.
func (g *gate) pass(distance, limit float64) Result {
	g.quiet = max(0, g.quiet-1)
	r := Result{Score: graded(distance, limit), Known: g.quiet > 0}
	if !(distance >= limit) {
		g.have = 0
		return r
	}
	g.have = min(g.have+1, g.need)
	if g.have == g.need && !r.Known {
		r.Alert, g.quiet = true, g.rest+1
	}
	return r
}

// follow takes over the counts of another gate.
func (g *gate) follow(old gate) { g.have, g.quiet = min(old.have, g.need), min(old.quiet, g.rest+1) }
