package kernel

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/lukhasai/lukhas-run/engine"
)

// Watch is the wish of one incarnation to be told when an actor has stopped for good. The watcher keeps it in its Watching and
// the watched in its Watchers; each is guarded by its own owner, so a watch can be taken back while it is still being put in.
type Watch struct {
	Of   engine.ID
	Tell func(*Notice) // puts the notice into the watcher's mailbox, whatever room that has
	off  atomic.Bool   // taken back
	at   int           // its place among the watchers
}

// Off takes the watch back: it is not put in any more.
func (w *Watch) Off() { w.off.Store(true) }

// Notice is the payload of the message on its way. The watcher's runtime delivers what it says if the watch still stands.
type Notice struct {
	Watch *Watch
	engine.Terminated
}

// Message is the notice as a message.
func (n *Notice) Message() engine.Msg {
	return engine.Msg{Type: engine.MessageTerminated, Payload: n}
}

// NoticeOf is the notice that a message is, nil for any other.
func NoticeOf(m *engine.Msg) *Notice {
	n, _ := m.Payload.(*Notice)
	return n
}

// Watchers are those who watch one actor.
type Watchers struct{ list []*Watch }

// Add puts a watch in, unless it was taken back meanwhile.
func (s *Watchers) Add(w *Watch) {
	if w.off.Load() {
		return
	}
	w.at = len(s.list)
	s.list = append(s.list, w)
}

// Drop takes a watch out, if it is in.
func (s *Watchers) Drop(w *Watch) {
	if w.at >= len(s.list) || s.list[w.at] != w {
		return
	}
	last := len(s.list) - 1
	s.list[w.at] = s.list[last]
	s.list[w.at].at = w.at
	s.list[last] = nil
	s.list = s.list[:last]
}

// Take takes all out.
func (s *Watchers) Take() []*Watch {
	all := s.list
	s.list = nil
	return all
}

// Len is how many there are.
func (s *Watchers) Len() int { return len(s.list) }

// Watching is what one incarnation watches. A nil one watches nothing.
type Watching struct{ by map[engine.ID]*Watch }

// Begin begins to watch an actor. It is nil when that is watched already.
func (s *Watching) Begin(of engine.ID, tell func(*Notice)) *Watch {
	if s.by[of] != nil {
		return nil
	}
	if s.by == nil {
		s.by = map[engine.ID]*Watch{}
	}
	w := &Watch{Of: of, Tell: tell}
	s.by[of] = w
	return w
}

// End ends a watch and gives it, nil when there is none.
func (s *Watching) End(of engine.ID) *Watch {
	if s == nil {
		return nil
	}
	w := s.by[of]
	delete(s.by, of)
	return w
}

// Heard ends a watch whose notice has arrived. It is false when the watch does not stand any more: the notice is void.
func (s *Watching) Heard(n *Notice) bool {
	if s == nil || s.by[n.Watch.Of] != n.Watch {
		return false
	}
	delete(s.by, n.Watch.Of)
	return true
}

// All gives what is watched, by ID.
func (s *Watching) All() []*Watch {
	if s == nil {
		return nil
	}
	all := make([]*Watch, 0, len(s.by))
	for _, id := range slices.Sorted(maps.Keys(s.by)) {
		all = append(all, s.by[id])
	}
	return all
}

// Watchable says why an actor cannot watch another; nil when it can.
func Watchable(self, of engine.ID, path string, supervisor bool) error {
	why := ""
	switch {
	case self == of:
		why = "an actor cannot watch itself"
	case of&GroupBit != 0:
		why = "a group does not end: watch its replicas"
	case supervisor:
		why = "a supervisor has no end that concerns others: watch its children"
	default:
		return nil
	}
	return &engine.Error{Kind: engine.KindInvalid, Message: why, By: path}
}

// Obituary is what watchers are told of an actor that has stopped in this phase, for a reason as its dead letters have it. last is
// how its latest incarnation went.
func Obituary(of engine.ID, path string, epoch engine.Epoch, p Phase, why string, last Gone) engine.Terminated {
	t := engine.Terminated{Actor: engine.Ref{ID: of}, Path: path, Incarnation: epoch, Reason: why, Removed: p == PhaseRemoved}
	if last.Failure != nil {
		t.Kind = last.Failure.Kind
	}
	switch {
	case why != Stopped && why != Removed:
	case last.Failure != nil:
		t.Reason = last.Failure.Message
	case last.Ending == EndStopped && last.Why != "":
		t.Reason = last.Why
	case last.Ending == EndExited:
		t.Reason = "ended by itself"
	}
	return t
}

// Unknown is what a watcher is told at once of an actor that does not exist, or not any more.
func Unknown(of engine.Ref) engine.Terminated {
	return engine.Terminated{Actor: of, Reason: engine.ErrUnknownActor.Error(), Removed: true}
}
