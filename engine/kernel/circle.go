package kernel

import (
	"strings"

	"github.com/lukhasai/lukhas-run/engine"
)

// Doer is an actor as the search for circles sees it. Doers are comparable.
type Doer interface {
	Path() string
	// Hands are its handlers at work. Full tells that it takes no further message until one of them is done.
	Hands() (at []Hand, full bool)
}

// Hand is a handler at work. Equal Hands are the same handler.
type Hand interface {
	// Waits are what it waits for at this moment, several when it asked several at once; none while it works.
	Waits() []Wait
	// Serves tells whether what it handles is the message of that wait.
	Serves(w *Wait) bool
}

// Wait is one wait for an answer or for room.
type Wait struct {
	On     Doer        // nil is anything that needs no handler
	Needed bool        // it goes on with nothing until this one is over
	Number any         // the runtime's name for the wait
	Holds  func() bool // it has not ended since
}

// maxHands bounds the search: whoever waits for more than that is left to deadlines.
const maxHands = 256

// search follows who waits for whom, from an ask that would close a circle, or a tell that waits for room. A handler is stuck when it waits for one that is; a
// message is stuck with the handler that has it, and one that nobody has yet when its actor is full and all handlers there are.
// That is the knot of an and-or graph: all who wait are taken for stuck first, then those are let go who have a way out.
type search struct {
	asker Hand
	doers map[Doer]*doing
	hands []*working
}

type doing struct {
	hands []*working
	full  bool
}

type working struct {
	hand  Hand
	waits []Wait
	stuck bool
	seen  bool // on the way that is being looked for
}

// Circle looks whether an ask of a handler of home, or a tell that finds no room, would wait for that handler itself, directly or
// through those who wait for one another, and tells a way round; "" when it would not. Others work meanwhile: what it tells was so
// at one moment.
func Circle(home Doer, asker Hand, to Doer) string {
	for range maxLooks {
		s := &search{asker: asker, doers: map[Doer]*doing{}}
		if !s.collect(to) {
			return ""
		}
		s.free()
		ask := Wait{On: to}
		if !s.stuck(&ask) {
			return ""
		}
		way := s.way(&ask)
		if way == nil {
			return ""
		}
		if s.holds() {
			return home.Path() + " -> " + strings.Join(way, " -> ")
		}
	}
	return ""
}

// maxLooks bounds the looks at handlers that went on while they were looked at.
const maxLooks = 8

// collect finds all whom an answer of to may hang on; false when they are too many.
func (s *search) collect(to Doer) bool {
	for agenda := []Doer{to}; len(agenda) > 0; agenda = agenda[1:] {
		at := agenda[0]
		if s.doers[at] != nil {
			continue
		}
		hands, full := at.Hands()
		d := &doing{full: full}
		s.doers[at] = d
		for _, h := range hands {
			w := &working{hand: h, stuck: true}
			if h != s.asker {
				w.waits = h.Waits()
				w.stuck = len(w.waits) > 0
			}
			d.hands = append(d.hands, w)
			if s.hands = append(s.hands, w); len(s.hands) > maxHands {
				return false
			}
			for i := range w.waits {
				if w.waits[i].On != nil {
					agenda = append(agenda, w.waits[i].On)
				}
			}
		}
	}
	return true
}

// free lets those go who have a way out, until nobody is left who has.
func (s *search) free() {
	for changed := true; changed; {
		changed = false
		for _, w := range s.hands {
			if w.stuck && w.hand != s.asker && !s.held(w) {
				w.stuck, changed = false, true
			}
		}
	}
}

// held tells whether a handler cannot go on: what it needs is stuck, or all that it could go on with.
func (s *search) held(w *working) bool {
	all := len(w.waits) > 0
	for i := range w.waits {
		stuck := s.stuck(&w.waits[i])
		if stuck && w.waits[i].Needed {
			return true
		}
		all = all && stuck
	}
	return all
}

// at are the handlers that a wait hangs on: the one that has its message, or all that must be done before it is taken.
func (s *search) at(w *Wait) (hands []*working, full bool) {
	if w.On == nil {
		return nil, false
	}
	d := s.doers[w.On]
	for i, h := range d.hands {
		if w.Number != nil && h.hand.Serves(w) {
			return d.hands[i : i+1], true
		}
	}
	return d.hands, d.full
}

func (s *search) stuck(w *Wait) bool {
	hands, full := s.at(w)
	for _, h := range hands {
		full = full && h.stuck
	}
	return full && len(hands) > 0
}

// way is the path from whom w waits on to the asker, along those that are stuck; nil when the asker has no part in it.
func (s *search) way(w *Wait) []string {
	hands, _ := s.at(w)
	for _, h := range hands {
		if h.hand == s.asker {
			return []string{w.On.Path()}
		}
	}
	for _, h := range hands {
		if h.seen {
			continue
		}
		h.seen = true
		for i := range h.waits {
			if next := &h.waits[i]; s.stuck(next) {
				if rest := s.way(next); rest != nil {
					return append([]string{w.On.Path()}, rest...)
				}
			}
		}
	}
	return nil
}

// holds tells whether all who are stuck still wait as they did: then they did so together.
func (s *search) holds() bool {
	for _, w := range s.hands {
		for i := range w.waits {
			if w.stuck && s.stuck(&w.waits[i]) && !w.waits[i].Holds() {
				return false
			}
		}
	}
	return true
}

// Circular is the error of an "ask" or a "tell" of the actor with that path that would wait for itself. Its message is also why the
// message sent is a dead letter.
func Circular(path, what, circle string) *engine.Error {
	return Refuse(path, "the "+what+" would wait for itself: "+circle)
}
