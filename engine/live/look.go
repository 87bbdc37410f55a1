package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// maxLooks bounds how many wait to read one actor's state.
const maxLooks = 64

// State reads the state of an actor, by path or unique name, as JSON of at most kernel.MaxState bytes. It is read and encoded in a
// turn of the actor, before all messages that wait, paused or not; where the actor handles several messages at once, beside
// them. It waits at most within (more than 0), and until ctx ends.
//
// An unknown name wraps engine.ErrUnknownActor, and an actor without a state engine.ErrNoState. All else is an *engine.Error: timeout
// when no handler has returned in time, unreachable when no incarnation is up, refused when very many look already, invalid
// when the state is too large or no JSON. Safe for concurrent use; not for a handler that asks for its own actor's, which
// waits for itself.
func (e *Engine) State(ctx context.Context, name string, within time.Duration) (json.RawMessage, error) {
	to, err := e.Ref(name)
	if err != nil {
		return nil, err
	}
	a := e.actor(to.ID)
	if a == nil {
		return nil, fmt.Errorf("%w %q: it is a group, and each of its replicas has a state of its own", engine.ErrNoState, name)
	}
	c := e.outside.take()
	defer e.outside.put(c)
	defer c.endsWith(ctx)()
	a.look(c.begin(kernel.ForState, a, e.now()+within))
	state, err := c.wait()
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, kernel.Unturned(a.Path())
	}
	shown, _ := state.(json.RawMessage)
	return shown, err
}

// look lets somebody who waits read the state between messages. What stands against it is said at once.
func (a *actor) look(t ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path, inc := a.Path(), a.inc
	switch {
	case !kernel.MayKeep(a.kind):
		t.settle(nil, kernel.Stateless(path))
		return
	case inc == nil || inc.gate.Load()&gateDown != 0:
		t.settle(nil, kernel.NotUp(path, a.phase))
		return
	}
	r := a.unusual()
	r.looks = slices.DeleteFunc(r.looks, func(t ticket) bool { return !t.waits() })
	if len(r.looks) >= maxLooks {
		t.settle(nil, kernel.Refuse(path, fmt.Sprintf("%d others wait to read its state", maxLooks)))
		return
	}
	r.looks = append(r.looks, t)
	a.errand()
}

// lookAway tells those who wait to read the state that its incarnation is over. It needs the lock.
func (a *actor) lookAway() {
	if a.rare == nil {
		return
	}
	for _, t := range a.rare.looks {
		t.settle(nil, kernel.NotUp(a.Path(), a.phase))
	}
	a.rare.looks = nil
}

// show shows the actor's state to one who waits for it.
func (f *frame) show() pace {
	to := f.look
	f.look, f.failure = ticket{}, nil
	f.ready()
	f.begun(func() error {
		state, err := json.RawMessage(nil), error(kernel.Unread(f.inc.a.Path(), "reading it ended the goroutine"))
		defer func() { to.settle(state, err) }()
		state, err = kernel.Look(f.inc.behavior, f.inc.a.Path())
		return nil
	})
	return f.errandDone()
}
