package sim

import "github.com/lukhasai/lukhas-run/rules"

// Env is what an expression about the system may read at this moment.
func (e *Engine) Env() rules.Env { return e.machine.Env() }

// Look visits every subject of a kind as rules see it now. The environment is good until visit returns.
func (e *Engine) Look(kind rules.Subject, visit func(*rules.Env)) {
	e.machine.Look(kind, visit)
}
