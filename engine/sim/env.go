package sim

import "github.com/lukhasai/lukhas-run/rules"

// Env is what an expression about the system may read at this moment.
func (e *Engine) Env() rules.Env { return e.machine.Env() }
