package guard

import (
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine"
)

// Report tells a breaker's transition as the Machine's input.
func Report(name string, t breaker.Transition) engine.BreakerChanged {
	from, to := t.From.String(), StateName(t.To, t.Mode)
	if t.WouldOpen {
		to = "would_open"
	} else if t.From == t.To { // only the mode has changed
		from = "normal"
		if to == t.To.String() {
			from, to = "forced", t.To.String()
		}
	}
	in := engine.BreakerChanged{Breaker: name, From: from, To: to, Generation: t.Generation, Reason: t.Trigger}
	if t.Values != "" {
		in.Reason += ": " + t.Values
	}
	if t.Until != breaker.Never {
		in.Until = time.Duration(t.Until)
	}
	return in
}
