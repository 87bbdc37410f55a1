package kernel

import (
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// Setting is a state that waits to be set between two messages: of the incarnation at hand or, when none is up, of the next one. An
// actor keeps one, the latest: each replaces the whole state.
type Setting struct {
	State any
	Cause engine.Cause
	// Held tells that it waits, or had to wait, for another incarnation to come up.
	Held bool
	// Bare is for the behaviour itself, past what keeps its state: nobody hears of it.
	Bare bool
}

// Queue tells what becomes of a setting that takes the place of another, nil for none.
func (s *Setting) Queue(before *Setting, path string, to *Scribe) {
	if before != nil {
		to.Remark(path, "set_state: a later one came before it was done", before.Cause)
	}
	if s.Held {
		to.Remark(path, "set_state: the actor is not up, it will be done before the next incarnation's first message", s.Cause)
	}
}

// Do sets the state of a behaviour.
func (s *Setting) Do(b engine.Behavior, path string, to *Scribe) {
	if s.Bare {
		b = engine.Bare(b)
	}
	state, has := engine.As[engine.Stateful](b)
	switch {
	case s.Bare && !has:
	case !has:
		to.Complain(path, "set_state: the actor has no state", s.Cause)
	default:
		if err := state.SetState(s.State); err != nil {
			to.Complain(path, "set_state: "+err.Error(), s.Cause)
		} else if s.Held {
			to.Remark(path, "set_state: done, now that the actor is up", s.Cause)
		}
	}
}

// Void tells that no incarnation comes that could take it.
func (s *Setting) Void(path string, to *Scribe) {
	if !s.Bare {
		to.Complain(path, "set_state: the actor has stopped, so nothing was set", s.Cause)
	}
}

// Remark records what somebody may want to know who has asked for something.
func (s *Scribe) Remark(path, text string, cause engine.Cause) {
	s.Record(path, journal.Logged{Level: "info", Text: text}, &cause)
}
