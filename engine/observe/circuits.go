package observe

import "github.com/lukhasai/lukhas-run/rules"

// Circuits tells which breakers rules need to hear of again. The zero value has heard of none. Not safe for concurrent use.
type Circuits struct{ last map[circuitKey]rules.Breaker }

type circuitKey struct{ name, key string }

// Changed gives those of all that differ from the call before, their age left out, and those that are not closed: their
// age matters. What is not among all is forgotten.
func (c *Circuits) Changed(all []rules.Breaker) []rules.Breaker {
	var out []rules.Breaker
	seen := make(map[circuitKey]rules.Breaker, len(all))
	for _, b := range all {
		bare := b
		bare.Since = 0
		k := circuitKey{b.Name, b.Key}
		if was, ok := c.last[k]; !ok || was != bare || b.State != "closed" {
			out = append(out, b)
		}
		seen[k] = bare
	}
	c.last = seen
	return out
}
