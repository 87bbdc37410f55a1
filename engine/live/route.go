package live

import (
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// group is a set of replicas under one name.
type group = kernel.Replicas[*actor]

// Unfit implements kernel.Replica.
func (a *actor) Unfit() uint32 { return a.unfit.Load() }

// Load implements guard.Member.
func (a *actor) Load() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.waiting() + a.rare.crowd()
	if a.inc != nil {
		n += int(a.inc.active)
	}
	return n
}

// Seat implements guard.Member.
func (a *actor) Seat() uint64 { return guard.Hash(a.Path()) }
