package persist

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"sync/atomic"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Log is where changes of state are kept, in order. It is safe for concurrent use.
type Log interface {
	// Keep adds a change of an actor's state and returns its number in the log once it is as safe as the log promises. ctx
	// is that of the message at hand, nil outside one. With an error and no number the change was refused; with an error
	// and a number nobody knows whether it is kept.
	Keep(ctx engine.Context, actor string, change journal.StateChanged) (number uint64, err error)
	// Changes yields the changes of actors, each one's after a number of the log, in order. What cannot be read is yielded
	// as an error in its place.
	Changes(after map[string]uint64) iter.Seq2[Kept, error]
	// Missing tells what the log does not have after a number: an error that wraps journal.ErrPruned for what it has
	// dropped, journal.ErrDamaged for what it has lost, ErrAhead when it has not come as far.
	Missing(after uint64) error
	// Settle makes everything durable that was kept so far and returns the newest number of the log.
	Settle() (last uint64, err error)
}

// Kept is a change in a log.
type Kept struct {
	Actor  string
	Number uint64 // in the log
	journal.StateChanged
}

// forgetter is a Log that need not keep what no actor will ask for again.
type forgetter interface {
	Forget(actor string, before uint64)
}

// ErrAhead says that a number is beyond the end of the log.
var ErrAhead = errors.New("the journal ends before")

// Keeper keeps the states of actors. It is safe for concurrent use.
type Keeper struct {
	log    Log
	states *journal.States
	tell   func(actor string, body journal.Body)

	mu       sync.Mutex
	books    map[string]*book // by path
	followed []*book          // those of the plan in force whose changes are kept
}

// New keeps changes in log and states in states. tell takes what people should know.
func New(log Log, states *journal.States, tell func(actor string, body journal.Body)) *Keeper {
	return &Keeper{log: log, states: states, tell: tell, books: map[string]*book{}}
}

// book is what is known of one actor through all its incarnations.
type book struct {
	path string
	need atomic.Uint64                                   // the oldest number of the log that a start may ask for
	make atomic.Pointer[func() (engine.Behavior, error)] // a behaviour of the newest definition; nil before the first

	mu       sync.Mutex
	owner    *keeping  // the incarnation that may change the state; nil for none
	sequence uint64    // of the newest change
	since    int       // changes since a state was saved
	saved    [2]uint64 // positions of the newest two that are whole, the newest first; 0 where there is none
	floor    uint64    // the oldest change that a start asks for while fewer than two are saved
	warned   bool      // that it cannot be caught up with
	tail     *tail     // nil: the log is asked
}

// tail are an actor's changes that were read with those of others.
type tail struct {
	after   uint64
	changes []Kept
}

// nothing is what is needed for an actor that has no changes.
const nothing = math.MaxUint64

// settle works out what a start may ask for. It needs the lock.
func (b *book) settle() {
	switch {
	case b.sequence == 0:
		b.need.Store(nothing)
	case b.saved[1] == 0:
		b.need.Store(b.floor)
	default:
		b.need.Store(b.saved[1] + 1)
	}
}

// book gives an actor's book, a new one when it has none: all of the log is needed until a start has read it.
func (k *Keeper) book(path string) *book {
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.books[path]
	if b == nil {
		b = &book{path: path, floor: 1}
		b.need.Store(1)
		k.books[path] = b
	}
	return b
}

// Wrap gives a factory's behaviours the states they had, as the `persist` of their definitions says.
func (k *Keeper) Wrap(inner engine.Factory) engine.Factory {
	return func(a *plan.Actor, p *plan.Plan) (engine.Behavior, error) {
		b, err := inner(a, p)
		if err != nil {
			return b, err
		}
		sourced, _ := engine.As[engine.Sourced](b)
		state, held := engine.As[engine.Stateful](b)
		switch mode := a.Persist.Mode; {
		case mode != "events" && mode != "state":
			if sourced != nil {
				sourced.Source(loose(sourced))
			}
			return b, nil
		case !held:
			return b, nil // the engine does not hold its state
		case mode == "events" && sourced == nil:
			return nil, &engine.Error{Kind: engine.KindStart, By: a.Path, Message: fmt.Sprintf(
				"%s: it cannot have persist: events: %s; use persist: state", a.Place, errUnsourced)}
		}
		w := &keeping{
			inner: b, state: state, sourced: sourced, keeper: k, book: k.book(a.Path), plan: p.Digest().String(),
			events: a.Persist.Mode == "events", every: max(a.Persist.SnapshotEvery, 1), lenient: a.Persist.OnLoss == "continue",
		}
		if sourced != nil {
			sourced.Source(w.keep)
		}
		again := func() (engine.Behavior, error) { return inner(a, p) }
		w.book.make.Store(&again)
		return w, nil
	}
}

// Follow says which plan is in force: what its actors may ask for is needed.
func (k *Keeper) Follow(p *plan.Plan) {
	var books []*book
	for i := range p.Actors {
		if p.Actors[i].Persist.Mode == "events" {
			books = append(books, k.book(p.Actors[i].Path))
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.followed = books
}

func (k *Keeper) following() []*book {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.followed
}

// Needed is the oldest number of the log that a start of one of the followed actors may ask for; next, the number that comes
// next, when there is none. It only ever grows, but for a new plan.
func (k *Keeper) Needed(next uint64) uint64 {
	for _, b := range k.following() {
		next = min(next, b.need.Load())
	}
	return next
}

// maxTails bounds what Preload keeps, in bytes of changes.
const maxTails = 256 << 20

// Preload reads the changes that the first starts of the followed actors will ask for, all in one pass: looking for those of each
// alone takes as long as there are actors for every part of the log. It is called before the first start, and may be left out.
func (k *Keeper) Preload() {
	books := k.following()
	if len(books) < 2 {
		return
	}
	after, tails, size := map[string]uint64{}, map[string]*tail{}, 0
	for _, b := range books {
		t := &tail{}
		for snap, err := range k.states.Load(b.path) {
			if err == nil {
				t.after = snap.Position
				break
			}
		}
		after[b.path], tails[b.path] = t.after, t
	}
	for kept, err := range k.log.Changes(after) {
		if size += len(kept.Change); err != nil || size > maxTails {
			return // each start will find out by itself
		}
		t := tails[kept.Actor]
		t.changes = append(t.changes, kept)
	}
	for _, b := range books {
		b.mu.Lock()
		b.tail = tails[b.path]
		b.mu.Unlock()
	}
}

// CatchUp saves the states of followed actors that need the log up to a number, so that they do not need it any more: those of
// idle actors would keep it for ever. It blocks.
func (k *Keeper) CatchUp(number uint64) {
	for _, b := range k.following() {
		if b.need.Load() <= number {
			k.catchUp(b, number)
		}
	}
}

// catchUp rebuilds the state beside the actor, which may be anywhere in a message. It saves twice: should one of them not be
// whole, the other is as new.
func (k *Keeper) catchUp(b *book, number uint64) {
	remake := b.make.Load()
	if remake == nil {
		return // it has not been started yet
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	state, err := k.rebuilt(b, *remake)
	for range len(b.saved) {
		if err != nil || b.need.Load() > number {
			break
		}
		err = k.save(b, state, "", true)
	}
	if err != nil && !b.warned {
		b.warned = true
		k.tell(b.path, journal.Logged{Level: "warn", Text: "the journal keeps old events for it, whose state cannot be saved: " + err.Error()})
	}
}

// rebuilt is the state that a start would begin with. It needs the book's lock. No supervisor stands behind it: a panic of the
// behaviour is an error.
func (k *Keeper) rebuilt(b *book, remake func() (engine.Behavior, error)) (state any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	behaviour, err := remake()
	if err != nil {
		return nil, err
	}
	sourced, ok := engine.As[engine.Sourced](behaviour)
	if !ok {
		return nil, errUnsourced
	}
	r := rebuilding{keeper: k, book: b, state: sourced, sourced: sourced, events: true}
	r.run(b.sequence)
	if err := r.loss(); err != nil {
		return nil, err
	}
	b.sequence, b.saved = r.sequence, r.saved
	return sourced.State(), nil
}

// errUnsourced is what is wrong with changes for a behaviour that cannot apply them.
var errUnsourced = errors.New("the behaviour applies no events (it is no engine.Sourced)")
