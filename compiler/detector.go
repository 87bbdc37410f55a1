package compiler

import (
	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/spec"
)

func (c *compiler) detector(v *spec.Value) []breaker.Trigger { return nil }
