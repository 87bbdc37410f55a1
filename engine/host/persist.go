package host

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/persist"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// statesKept is how many states of an actor stay on disk: a damaged one falls back to the one before.
const statesKept = 3

// newKeeper keeps changes of state in the journal and states beside it.
func (h *Host) newKeeper(p *plan.Plan) *persist.Keeper {
	k := persist.New(changes{h}, journal.NewStates(nil, filepath.Join(h.options.Data, "snapshots"), statesKept), h.tell)
	k.Follow(p)
	return k
}

// changes is the journal as a persist.Log.
type changes struct{ host *Host }

// Keep implements persist.Log. What the handler does next waits until the change is as safe as `journal.durability` says.
func (c changes) Keep(ctx engine.Context, actor string, change journal.StateChanged) (uint64, error) {
	e := journal.New(actor, change)
	e.Time = c.host.clock.Wall().UnixNano()
	if ctx != nil {
		meta := ctx.Meta()
		e.Correlation, e.Causation = meta.Correlation, meta.Causation
	}
	number, ack := c.host.record.keep(e)
	err := ack.Err()
	if err != nil && !c.without(err) {
		return 0, refusal(actor, err)
	}
	wait := func(stop context.Context) (any, error) { return ack.Wait(stop) }
	switch {
	case err != nil || ack.Reached():
		return number, nil
	case ctx == nil:
		_, err = wait(context.Background())
	default:
		_, err = ctx.Call(0, wait)
	}
	if c.without(err) {
		return number, nil
	}
	return number, err
}

// without tells whether the engine is to go on without a journal that has failed.
func (c changes) without(err error) bool {
	return c.host.record.goOn && errors.Is(err, journal.ErrFailed)
}

// refusal is the answer to who made a change that the journal did not take.
func refusal(actor string, err error) error {
	kind := engine.KindRefused
	if errors.Is(err, journal.ErrTooLarge) {
		kind = engine.KindInvalid
	}
	return &engine.Error{Kind: kind, By: actor, Delivered: true, Message: "its change of state is not kept: " + err.Error()}
}

// Changes implements persist.Log.
func (c changes) Changes(after map[string]uint64) iter.Seq2[persist.Kept, error] {
	q := journal.Query{Actors: after, Types: []journal.Type{journal.TypeStateChanged}, From: math.MaxUint64}
	for _, number := range after {
		q.From = min(q.From, number+1)
	}
	return func(yield func(persist.Kept, error) bool) {
		for e, err := range c.host.journal.Scan(q) {
			kept := persist.Kept{Actor: strings.Clone(e.Actor), Number: e.Seq}
			if err == nil {
				kept.StateChanged, err = stateChanged(e)
			}
			if !yield(kept, err) {
				return
			}
		}
	}
}

// Missing implements persist.Log.
func (c changes) Missing(after uint64) error {
	if last := c.host.journal.Stats().Last; after > last {
		return fmt.Errorf("%w: at event %d", persist.ErrAhead, last)
	}
	return c.host.journal.Missing(after + 1)
}

func stateChanged(e journal.Event) (journal.StateChanged, error) {
	body, err := e.Body()
	if err != nil {
		return journal.StateChanged{}, err
	}
	change, ok := body.(journal.StateChanged)
	if !ok {
		return change, errUnread
	}
	return change, nil
}

// Settle implements persist.Log.
func (c changes) Settle() (uint64, error) {
	j := c.host.journal
	last := j.Stats().Last
	err := j.Sync(context.Background())
	if c.without(err) {
		return last, nil
	}
	return last, err
}

// errUnread is what is wrong with a change that a newer program has written.
var errUnread = errors.New("a change of state of a version that this program does not know")

// lookAfter is how often it is looked whether the journal may drop more.
const lookAfter = time.Second

// retain tells the journal, until ctx ends, what must stay of it because an actor may need it for its state, and lets the states
// be saved of those that keep it from dropping what is old.
func (h *Host) retain(ctx context.Context) {
	for {
		due := make(chan struct{})
		t := h.clock.AfterFunc(lookAfter, func() { close(due) })
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-due:
		}
		if held := h.journal.Stats().Held; held > 0 {
			h.kept.CatchUp(held)
		}
		h.need(h.plan())
	}
}

// need puts a plan's retention in force, and that nothing is dropped that an actor may need.
func (h *Host) need(p *plan.Plan) {
	h.journal.Retain(retention(p.Journal, h.kept.Needed(h.journal.Stats().Last+1)))
}
