package persist

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// Memory is a Log for simulations: what it keeps lasts as long as the value, and nobody waits for it. It belongs to one
// simulation and its goroutines.
type Memory struct {
	last uint64
	kept map[string][]Kept // by actor
}

// Keep implements Log. The change is shown to whoever watches the simulation.
func (m *Memory) Keep(ctx engine.Context, actor string, change journal.StateChanged) (uint64, error) {
	if ctx != nil {
		ctx.Emit(change)
	}
	if m.kept == nil {
		m.kept = map[string][]Kept{}
	}
	m.last++
	m.kept[actor] = append(m.kept[actor], Kept{actor, m.last, change})
	return m.last, nil
}

// Changes implements Log. Those of several actors come one actor after the other.
func (m *Memory) Changes(after map[string]uint64) iter.Seq2[Kept, error] {
	return func(yield func(Kept, error) bool) {
		for _, actor := range slices.Sorted(maps.Keys(after)) {
			for _, c := range m.kept[actor] {
				if c.Number > after[actor] && !yield(c, nil) {
					return
				}
			}
		}
	}
}

// Missing implements Log.
func (m *Memory) Missing(after uint64) error {
	if after > m.last {
		return fmt.Errorf("%w: at event %d", ErrAhead, m.last)
	}
	return nil
}

// Settle implements Log.
func (m *Memory) Settle() (uint64, error) { return m.last, nil }

// Forget drops what no start will ask for again.
func (m *Memory) Forget(actor string, before uint64) {
	if m.kept[actor] == nil {
		return
	}
	m.kept[actor] = slices.DeleteFunc(m.kept[actor], func(c Kept) bool { return c.Number < before })
}
