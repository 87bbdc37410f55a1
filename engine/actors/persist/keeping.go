package persist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// keeping is one incarnation whose state is kept.
type keeping struct {
	inner   engine.Behavior
	state   engine.Stateful
	sourced engine.Sourced // nil: its changes are not seen
	keeper  *Keeper
	book    *book
	plan    string // digest
	every   int
	events  bool
	lenient bool // goes on with what is left when changes are lost

	begun   atomic.Int64 // messages whose handlers have not ended well: under way, or failed
	due     atomic.Bool  // the state is to be saved once the message is over
	started bool         // the behaviour's own Start was called
	broken  error        // why it changes no more: its state may not be what is kept. Under the book's lock
}

// Unwrap gives the behaviour itself.
func (w *keeping) Unwrap() engine.Behavior { return w.inner }

// Start gives the behaviour the state that was kept, and starts what it owns. From now on no older incarnation can change it.
func (w *keeping) Start(life engine.Life) error {
	if err := w.begin(); err != nil {
		return err
	}
	if r, ok := w.inner.(engine.Runner); ok {
		w.started = true
		return r.Start(life)
	}
	return nil
}

func (w *keeping) begin() error {
	b := w.book
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owner = nil
	r := rebuilding{keeper: w.keeper, book: b, state: w.state, sourced: w.sourced, events: w.events}
	r.run(b.sequence)
	loss := r.loss()
	if loss != nil && !w.lenient {
		return &engine.Error{Kind: engine.KindStart, By: b.path, Message: fmt.Sprintf("its state cannot be rebuilt: %s; "+
			"mend that, or let it go on with what is left by persist: {on_loss: continue}", loss)}
	}
	if m, ok := engine.As[engine.Restorer](w.inner); ok {
		if err := m.Restored(); err != nil {
			return &engine.Error{Kind: engine.KindStart, By: b.path, Message: "the state that was kept is refused: " + err.Error()}
		}
	}
	b.sequence, b.since, b.saved, b.floor, b.warned = r.sequence, r.replayed, r.saved, 1, false
	b.settle()
	b.owner = w
	if loss != nil {
		r.warn("it goes on with what is left of its state: " + loss.Error())
	}
	if loss != nil || r.ahead {
		w.save() // so that it is said once
	}
	return nil
}

// Init lets the behaviour prepare itself.
func (w *keeping) Init(ctx engine.Context) error {
	if i, ok := w.inner.(engine.Initer); ok {
		return i.Init(ctx)
	}
	return nil
}

// Handle counts the messages that were handled well.
func (w *keeping) Handle(ctx engine.Context, m engine.Msg) error {
	w.begun.Add(1)
	if err := w.inner.Handle(ctx, m); err != nil {
		return err
	}
	w.begun.Add(-1)
	if w.sourced == nil || w.due.Load() {
		w.handled()
	}
	return nil
}

// handled saves the state between two messages.
func (w *keeping) handled() {
	b := w.book
	b.mu.Lock()
	defer b.mu.Unlock()
	w.due.Store(false)
	if w.sourced == nil {
		b.since++
	}
	if b.owner == w && b.since >= w.every {
		w.save()
	}
}

// keep is the behaviour's engine.Persist.
func (w *keeping) keep(ctx engine.Context, event any) error {
	data, value, err := encoded(event)
	if err != nil {
		return w.refused(engine.KindInvalid, err)
	}
	b := w.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != w {
		return engine.ErrStopped
	}
	if w.broken != nil {
		return w.broken
	}
	if err := w.log(ctx, journal.StateChanged{Change: data}); err != nil {
		return err
	}
	w.broken = w.refused(engine.KindCrash, errors.New("a change was kept and not applied")) // if Apply panics
	if err := w.sourced.Apply(value); err != nil {
		w.broken = w.refused(engine.KindCrash, fmt.Errorf("its change %d cannot be applied: %w", b.sequence, err))
		return w.broken
	}
	w.broken = nil
	if b.since++; b.since >= w.every {
		w.due.Store(w.events)
		if !w.events {
			w.save() // before the answer leaves
		}
	}
	return nil
}

// log keeps a change. It needs the book's lock.
func (w *keeping) log(ctx engine.Context, change journal.StateChanged) error {
	b := w.book
	if !w.events {
		if ctx != nil && ctx.Plan().Journal.Records("state") {
			ctx.Emit(change)
		}
		return nil
	}
	change.Sequence = b.sequence + 1
	number, err := w.keeper.log.Keep(ctx, b.path, change)
	if number != 0 {
		if b.sequence++; b.sequence == 1 {
			b.floor = number
		}
		b.settle()
	}
	if err != nil && number != 0 {
		w.broken = err // a start will find the change, or not
	}
	return err
}

func (w *keeping) refused(kind string, err error) error {
	return &engine.Error{Kind: kind, By: w.book.path, Delivered: true, Message: "its state: " + err.Error()}
}

// State is the behaviour's.
func (w *keeping) State() any { return w.state.State() }

// SetState replaces the behaviour's state; what an operator sets is kept like what messages make of it.
func (w *keeping) SetState(state any) error {
	data, err := json.Marshal(state)
	if err != nil {
		return w.refused(engine.KindInvalid, err)
	}
	b := w.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != w || w.broken != nil {
		return engine.ErrStopped
	}
	before := w.state.State()
	if err := w.state.SetState(state); err != nil {
		return err
	}
	if err := w.log(nil, journal.StateChanged{Whole: true, Change: data}); err != nil {
		return errors.Join(err, w.state.SetState(before))
	}
	w.save()
	return nil
}

// Stop saves what has not been saved, once the behaviour has stopped: not what a failed or cut-off message may have left
// half done. A cause of ctx that is an *engine.Error says that the incarnation has crashed.
func (w *keeping) Stop(ctx context.Context) error {
	var err error
	if w.started {
		err = w.inner.(engine.Runner).Stop(ctx)
	}
	crash := (*engine.Error)(nil)
	b := w.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != w {
		return err
	}
	if b.since > 0 && w.begun.Load() == 0 && w.broken == nil && !errors.As(context.Cause(ctx), &crash) {
		w.save()
	}
	b.owner = nil
	return err
}

// save needs the book's lock. A state that cannot be saved is reported and tried again later.
func (w *keeping) save() {
	if err := w.keeper.save(w.book, w.state.State(), w.plan, w.events); err != nil {
		w.keeper.tell(w.book.path, journal.Logged{Level: "error", Text: "its state is not saved: " + err.Error()})
	}
}

// save needs the book's lock. Where changes are kept, the state may not be on disk before those that made it: after a power
// cut their numbers would be used again, and then not be looked for. Where they are not, the state counts from where the one before did.
func (k *Keeper) save(b *book, state any, plan string, events bool) error {
	data, err := json.Marshal(state)
	if err != nil {
		return err
	}
	last := b.saved[0]
	if events {
		if last, err = k.log.Settle(); err != nil {
			return err
		}
	}
	if err := k.states.Save(b.path, journal.Snapshot{Sequence: b.sequence, Position: last, Plan: plan, State: data}); err != nil {
		return err
	}
	b.since, b.saved = 0, [2]uint64{last, b.saved[0]}
	b.settle()
	if f, ok := k.log.(forgetter); ok {
		f.Forget(b.path, b.need.Load())
	}
	return nil
}

// loose is for actors that are not persisted: events are applied, and recorded when the plan wants changes of state recorded.
func loose(b engine.Sourced) engine.Persist {
	return func(ctx engine.Context, event any) error {
		value := event
		if record := ctx.Plan().Journal.Records("state"); record || !plain(event) {
			data, decoded, err := encoded(event)
			if err != nil {
				return &engine.Error{Kind: engine.KindInvalid, By: ctx.Path(), Delivered: true, Message: "its state: " + err.Error()}
			}
			if value = decoded; record {
				ctx.Emit(journal.StateChanged{Change: data})
			}
		}
		return b.Apply(value)
	}
}

// encoded is an event as it is kept, and as it comes back.
func encoded(event any) (data []byte, value any, err error) {
	if data, err = json.Marshal(event); err != nil {
		return nil, nil, err
	}
	if plain(event) {
		return data, event, nil
	}
	err = json.Unmarshal(data, &value)
	return data, value, err
}

// plain tells whether a value comes back from encoding/json as it is.
func plain(v any) bool {
	switch v := v.(type) {
	case nil, bool, string, float64:
		return true
	case []any:
		for _, e := range v {
			if !plain(e) {
				return false
			}
		}
		return v != nil
	case map[string]any:
		for _, e := range v {
			if !plain(e) {
				return false
			}
		}
		return v != nil
	}
	return false
}
