package host

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// keeper remembers the states of actors with `persist`, over all their incarnations, and on disk over all runs. With mode
// events the next incarnation begins with the state after the last message that was handled well; with mode state, and after
// the engine's end by force with either, with the last one saved.
type keeper struct {
	states *journal.States
	tell   func(actor string, body journal.Body)

	mu     sync.Mutex
	latest map[string]any // mode events: by path
}

// wrap gives a factory's behaviours back the states they had.
func (k *keeper) wrap(inner engine.Factory) engine.Factory {
	return func(a *plan.Actor, p *plan.Plan) (engine.Behavior, error) {
		b, err := inner(a, p)
		if err != nil || a.Persist.Mode != "state" && a.Persist.Mode != "events" {
			return b, err
		}
		state, ok := engine.As[engine.Stateful](b)
		if !ok {
			return b, nil // the engine does not hold its state
		}
		kept := &persistent{
			inner: b, state: state, keeper: k, path: a.Path,
			every: max(a.Persist.SnapshotEvery, 1), exact: a.Persist.Mode == "events",
		}
		return kept, kept.restore()
	}
}

func (k *keeper) remember(path string, state any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.latest[path] = state
}

func (k *keeper) recall(path string) (state any, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	state, ok = k.latest[path]
	return state, ok
}

// persistent is a behaviour whose state is kept.
type persistent struct {
	inner  engine.Behavior
	state  engine.Stateful
	keeper *keeper
	path   string
	every  int
	exact  bool

	mu    sync.Mutex // handlers may run at once
	since int        // messages since the last save
	begun int        // messages whose handlers have not ended well: under way, or failed
}

// Unwrap gives the behaviour itself.
func (b *persistent) Unwrap() engine.Behavior { return b.inner }

func (b *persistent) restore() error {
	if state, ok := b.keeper.recall(b.path); ok {
		return b.state.SetState(state)
	}
	data, damaged := b.keeper.states.Load(b.path)
	if damaged != nil {
		b.keeper.tell(b.path, journal.Logged{Level: "warn", Text: "an older state is restored: " + damaged.Error()})
	}
	if data == nil {
		return nil
	}
	var state any
	if err := json.Unmarshal(data, &state); err != nil {
		return &engine.Error{Kind: engine.KindStart, Message: "its saved state cannot be read: " + err.Error(), By: b.path}
	}
	return b.state.SetState(state)
}

// State is the behaviour's.
func (b *persistent) State() any { return b.state.State() }

// SetState replaces the behaviour's state; what an operator sets is kept like what messages make of it.
func (b *persistent) SetState(state any) error {
	if err := b.state.SetState(state); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.exact {
		b.keeper.remember(b.path, b.state.State())
	}
	b.save()
	return nil
}

// Start starts what the behaviour owns.
func (b *persistent) Start(life engine.Life) error {
	if r, ok := b.inner.(engine.Runner); ok {
		return r.Start(life)
	}
	return nil
}

// Init lets the behaviour prepare itself, its state restored.
func (b *persistent) Init(ctx engine.Context) error {
	if i, ok := b.inner.(engine.Initer); ok {
		return i.Init(ctx)
	}
	return nil
}

// Stop saves what has not been saved, once the behaviour has stopped: not what a failed or cut-off message may have left
// half done.
func (b *persistent) Stop(ctx context.Context) error {
	var err error
	if r, ok := b.inner.(engine.Runner); ok {
		err = r.Stop(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.since > 0 && (b.exact || b.begun == 0) {
		b.save()
	}
	return err
}

// Handle counts the messages that were handled well. What a failed one did to the state is not kept.
func (b *persistent) Handle(ctx engine.Context, m engine.Msg) error {
	b.mu.Lock()
	b.begun++
	b.mu.Unlock()
	if err := b.inner.Handle(ctx, m); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun--
	if b.exact {
		b.keeper.remember(b.path, b.state.State())
	}
	if b.since++; b.since >= b.every {
		b.save()
	}
	return nil
}

// save needs the lock. A state that cannot be saved is reported and tried again with the next message.
func (b *persistent) save() {
	state := b.state.State()
	if kept, ok := b.keeper.recall(b.path); ok {
		state = kept // not what a failing message may have left half done
	}
	data, err := json.Marshal(state)
	if err == nil {
		err = b.keeper.states.Save(b.path, data)
	}
	if err != nil {
		b.keeper.tell(b.path, journal.Logged{Level: "error", Text: "its state is not saved: " + err.Error()})
		return
	}
	b.since = 0
}
