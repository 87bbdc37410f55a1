package engine

import "github.com/lukhasai/lukhas-run/engine/plan"

// terms are what a definition says of an actor's restarts and stops. Definitions are large and many; what they say of this
// is mostly the same few things, so actors share them, and the decision on a failure finds them in the caches.
type terms struct {
	restart     plan.Restart
	shutdown    plan.Shutdown
	significant bool
}

// accords are the terms of a plan, each once. Replicas share their definition, so the last one is looked at first.
type accords struct {
	known map[terms]*terms
	last  *plan.Definition
	terms *terms // of last
}

// of gives the terms of a definition.
func (c *accords) of(def *plan.Definition) *terms {
	if def == c.last {
		return c.terms
	}
	t := terms{restart: def.Restart, shutdown: def.Shutdown, significant: def.Significant}
	if c.terms == nil || *c.terms != t {
		if c.known == nil {
			c.known = map[terms]*terms{}
		}
		if c.terms = c.known[t]; c.terms == nil {
			c.terms = new(t)
			c.known[t] = c.terms
		}
	}
	c.last = def
	return c.terms
}
