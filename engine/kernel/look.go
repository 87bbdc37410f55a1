package kernel

import (
	"encoding/json"
	"fmt"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// MaxState bounds a state that is shown, in bytes of JSON.
const MaxState = 1 << 20

// Look gives a behaviour's state as JSON of at most MaxState bytes. It is made in the actor's turn, so nothing of it changes with
// what handlers do later. A State that panics is its reader's bad luck and no failure of the actor: looking changes nothing.
func Look(b engine.Behavior, path string) (state json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			state, err = nil, Unread(path, fmt.Sprintf("it cannot be read: panic: %v", p))
		}
	}()
	keeps, has := engine.As[engine.Stateful](b)
	if !has {
		return nil, Stateless(path)
	}
	if state, err = json.Marshal(keeps.State()); err != nil {
		return nil, Unread(path, "it cannot be shown as JSON: "+err.Error())
	}
	if n := len(state); n > MaxState {
		return nil, Unread(path, fmt.Sprintf("it is too large to be shown: %d bytes of JSON, at most %d", n, MaxState))
	}
	return state, nil
}

// MayKeep tells whether behaviours of a kind can have a state.
func MayKeep(k plan.Kind) bool { return k == plan.Script || k == plan.Go }

// Stateless says that an actor has nothing that could be read.
func Stateless(path string) error {
	return fmt.Errorf("%q %w", path, engine.ErrNoState)
}

// Unread says why a state that there is was not read.
func Unread(path, why string) *engine.Error {
	return &engine.Error{Kind: engine.KindInvalid, Message: "its state: " + why, By: path}
}

// NotUp says that no incarnation is there whose state could be read.
func NotUp(path string, p Phase) *engine.Error {
	return Unreachable(path, "no incarnation is up whose state could be read: the actor is "+p.String())
}

// Unturned is what whoever wants to read a state is told when the actor had no turn for it in time.
func Unturned(path string) *engine.Error {
	return &engine.Error{Kind: engine.KindTimeout, By: path,
		Message: "its state is read between two messages, and no handler of it has returned in time"}
}
