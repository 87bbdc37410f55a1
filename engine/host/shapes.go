package host

import (
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/journal"
)

// shapes are the patterns of trouble that were found and are not over, oldest first. Guarded by the recorder's lock.
type shapes struct {
	wall func() time.Time
	list []shape
}

type shape struct {
	found journal.PatternFound
	at    time.Time
}

// note keeps up with the events about patterns.
func (s *shapes) note(e journal.Event) {
	if e.Type != journal.TypePatternFound && e.Type != journal.TypePatternCleared {
		return
	}
	body, err := e.Body()
	if err != nil {
		return
	}
	switch b := body.(type) {
	case journal.PatternFound:
		s.end(b.Pattern, b.Root)
		s.list = append(s.list, shape{b, s.wall()})
	case journal.PatternCleared:
		s.end(b.Pattern, b.Root)
	}
}

func (s *shapes) end(name, root string) {
	s.list = slices.DeleteFunc(s.list, func(s shape) bool { return s.found.Pattern == name && s.found.Root == root })
}

// now are those seen now, for the status.
func (s *shapes) now() []admin.Pattern {
	var out []admin.Pattern
	for _, one := range s.list {
		out = append(out, admin.Pattern{
			Name: one.found.Pattern, Actors: one.found.Actors, Root: one.found.Root, Confidence: float64(one.found.Confidence),
			Since: s.wall().Sub(one.at).Seconds(), Why: one.found.Why,
		})
	}
	return out
}
