package scenario

import (
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// came is an attempt of a call, or a message, from outside that the journal has.
type came struct {
	from, to             int64 // Unix nanoseconds
	actor, message       string
	outcome, correlation string // outcome: the kind of its error, "" for none
	whole                bool   // what it carried is known
}

// comesAgain tells whether the message that an incarnation failed on is among the recorded ones. Which one that was, its
// correlation says, or its time where it came without one. One of which is not known what it carried counts only if it would
// fail with anything.
func (in *Incident) comesAgain(l *life, anything bool) bool {
	if in.whole[l.correlation] {
		return true
	}
	const about = int64(5 * time.Millisecond) // the failure is told soon before or after the answer
	at := in.Start.Add(l.failed).UnixNano()
	for i := range in.came {
		c := &in.came[i]
		if c.actor != l.actor && c.actor != groupOf(l.actor) || c.message != sent(l.on) || !c.whole && !anything {
			continue
		}
		if c.correlation == l.correlation || c.outcome == l.kind && c.from-about <= at && at <= c.to+about {
			return true
		}
	}
	return false
}

// failsWithAnything tells whether a script's handler fails alike whatever a message carries and whoever else answers what.
func failsWithAnything(s *plan.ScriptSpec, message string) bool {
	blind := []string{"params", "now", "self", "caller", "state"}
	var handler *plan.Handler
	for i := range s.Handlers {
		h := &s.Handlers[i]
		if h.Message == message {
			handler = h
		}
		for _, set := range h.Set {
			if !readsOnly(blind, set.Value.Programs()...) {
				blind = slices.DeleteFunc(blind, func(root string) bool { return root == "state" })
			}
		}
	}
	if handler == nil || handler.Fail == nil {
		return false
	}
	f := handler.Fail
	return (f.When == nil || readsOnly(blind, f.When)) && (f.Message == nil || readsOnly(blind, f.Message.Programs()...))
}

// readsOnly tells whether programs read nothing but fields of these roots.
func readsOnly(roots []string, programs ...*rules.Program) bool {
	for _, p := range programs {
		for _, field := range p.Reads() {
			if end := strings.IndexAny(field, ".[("); end >= 0 {
				field = field[:end]
			}
			if !slices.Contains(roots, field) {
				return false
			}
		}
	}
	return true
}
