package persist

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// rebuilding gives a new behaviour the state that an actor had: the newest that was saved and is whole, and the changes after it.
type rebuilding struct {
	keeper  *Keeper
	book    *book // locked
	state   engine.Stateful
	sourced engine.Sourced // nil: it applies no changes
	events  bool           // its changes are kept

	sequence uint64    // of the newest change found
	saved    [2]uint64 // positions of the newest two states that are whole
	replayed int
	ahead    bool // a saved state is newer than the log

	found   bool    // a saved state was whole
	spoilt  []error // saved states that are not
	missing []error // changes that are not there or cannot be read
	lost    []error // parts of the log that were lost; whether changes were in them is not known
	gone    []error // parts of the log that retention has dropped
}

// run rebuilds; made is the sequence of the newest change that this run of the engine knows of.
func (r *rebuilding) run(made uint64) {
	position := r.base()
	switch err := r.keeper.log.Missing(position); {
	case errors.Is(err, ErrAhead):
		r.ahead = true
		r.warn(fmt.Sprintf("its state was saved at event %d and %s: what it did in between is in the state alone", position, err))
		position = 0
	case errors.Is(err, journal.ErrPruned):
		r.gone = append(r.gone, err)
	case errors.Is(err, journal.ErrDamaged):
		r.lost = append(r.lost, err)
	case err != nil:
		r.missing = append(r.missing, err)
	}
	for kept, err := range r.changes(position) {
		if err != nil {
			r.missing = append(r.missing, err)
			continue
		}
		r.replay(&kept)
	}
	if r.sequence < made {
		r.missing = append(r.missing, fmt.Errorf("its changes %d to %d are not in the journal", r.sequence+1, made))
	}
}

// changes are the actor's after a position: those that were read with others', once, or the log's.
func (r *rebuilding) changes(position uint64) iter.Seq2[Kept, error] {
	t := r.book.tail
	r.book.tail = nil
	if t == nil || t.after != position {
		return r.keeper.log.Changes(map[string]uint64{r.book.path: position})
	}
	return func(yield func(Kept, error) bool) {
		for _, c := range t.changes {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// base takes the newest saved state that is whole and returns the position from which changes count.
func (r *rebuilding) base() (position uint64) {
	whole := 0
	for snap, err := range r.keeper.states.Load(r.book.path) {
		if err == nil && !r.found {
			if err = r.take(snap.State, r.state.SetState); err != nil {
				err = fmt.Errorf("the state that was saved under plan %.12s: %w", snap.Plan, err)
			}
		}
		if err != nil {
			r.spoilt = append(r.spoilt, err)
			continue
		}
		if !r.found {
			r.found, r.sequence, position = true, snap.Sequence, snap.Position
		}
		r.saved[whole] = snap.Position
		if whole++; whole == len(r.saved) {
			break
		}
	}
	if len(r.spoilt) > 0 {
		r.warn("an older state and the changes since then are taken: " + errors.Join(r.spoilt...).Error())
	}
	return position
}

// take decodes what was kept and uses it.
func (r *rebuilding) take(data []byte, use func(any) error) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	return use(value)
}

// replay takes one change. A state as a whole makes good what was missing before it.
func (r *rebuilding) replay(c *Kept) {
	if c.Sequence <= r.sequence {
		return // it is in the saved state, or was only recorded
	}
	use := r.state.SetState
	switch {
	case c.Whole:
		r.missing, r.spoilt = nil, nil
	case c.Sequence != r.sequence+1:
		r.missing = append(r.missing, fmt.Errorf("its changes %d to %d are not in the journal before event %d", r.sequence+1, c.Sequence-1, c.Number))
	}
	if !c.Whole {
		use = r.apply
	}
	r.sequence = c.Sequence
	r.replayed++
	if err := r.take(c.Change, use); err != nil {
		r.missing = append(r.missing, fmt.Errorf("event %d, its change %d: %w", c.Number, c.Sequence, err))
	}
}

func (r *rebuilding) apply(event any) error {
	if r.sourced == nil {
		return errUnsourced
	}
	return r.sourced.Apply(event)
}

// loss is what of the state could not be had, nil when it is complete. What the journal lost or dropped is no loss to an actor of
// which nothing is known; and what it dropped may be none to others: the engine keeps what an actor of its plan may need.
func (r *rebuilding) loss() error {
	all := r.missing
	if !r.found && (r.sequence == 0 || len(all) > 0) {
		all = append(all, r.spoilt...)
	}
	if r.found || r.sequence > 0 || len(all) > 0 {
		all = append(all, r.lost...)
	}
	if len(all) == 0 && r.found && r.events && len(r.gone) > 0 {
		r.warn("if its state changed in what the journal no longer has, that is lost: " + errors.Join(r.gone...).Error())
	}
	return errors.Join(all...)
}

func (r *rebuilding) warn(text string) {
	r.keeper.tell(r.book.path, journal.Logged{Level: "warn", Text: text})
}
