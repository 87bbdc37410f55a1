package host

import (
	"context"
	"fmt"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/consensus"
	"github.com/lukhasai/lukhas-run/engine/actors/probe"
	"github.com/lukhasai/lukhas-run/engine/actors/process"
	"github.com/lukhasai/lukhas-run/engine/actors/script"
	"github.com/lukhasai/lukhas-run/engine/actors/upstream"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// factories gives the behaviours of each kind, with the probes that any actor may have around them.
func (h *Host) factories() func(plan.Kind) engine.Factory {
	kinds := map[plan.Kind]engine.Factory{
		plan.Process:   process.New(h.clock),
		plan.Upstream:  upstream.New(),
		plan.Script:    script.New(),
		plan.Consensus: consensus.New(),
		plan.Go:        h.registered,
	}
	for k, f := range kinds {
		kinds[k] = probe.Wrap(h.kept.Wrap(f), h.clock, func(ctx context.Context, command []string, base string, env []plan.EnvVar) error {
			return process.Run(ctx, h.clock, command, "", base, env)
		})
	}
	return func(k plan.Kind) engine.Factory { return kinds[k] }
}

// registered finds the behaviour that the embedding program gave under the name in `go: {behaviour: NAME}`.
func (h *Host) registered(a *plan.Actor, p *plan.Plan) (engine.Behavior, error) {
	f, ok := h.options.Behaviours[a.Go.Behaviour]
	if !ok {
		return nil, fmt.Errorf("%s: no behaviour %q is registered by this program", a.Place, a.Go.Behaviour)
	}
	return f(a, p)
}
