package kernel

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// Recorder takes the events of a run, in order. Record returns the event's sequence number, which must grow with each
// call, and must not block for long: it is called under the lock of the control plane.
type Recorder interface {
	Record(journal.Event) (seq uint64)
}

// Scribe hands events to the recorder and names new incidents after the sequence number of their first event. The name
// is chosen before the number is known, as the one after the last; if somebody else records in between, the name is
// still unique because numbers only grow. It is safe for concurrent use once its fields are set.
type Scribe struct {
	To   Recorder            // nil: events are numbered only
	Wall func() time.Time    // the calendar time of this moment
	Seen func(journal.Event) // is shown each event once it has been recorded; may be nil
	Last uint64              // the last sequence number so far
	mu   sync.Mutex
}

// Record adds an event about an actor, by path, that cause made happen. A cause without a correlation starts a new incident
// and gets its name. The result is the event's sequence number.
func (s *Scribe) Record(path string, body journal.Body, cause *engine.Cause) uint64 {
	return s.RecordAt(s.Wall().UnixNano(), nil, path, body, cause)
}

// RecordAt is Record of what happened at a calendar time, in nanoseconds since 1970, written in the caller's ink; nil: in memory of its
// own.
func (s *Scribe) RecordAt(wall int64, ink *journal.Ink, path string, body journal.Body, cause *engine.Cause) uint64 {
	ev := ink.New(path, body)
	ev.Time = wall
	ev.Causation = cause.Seq
	s.number(&ev, cause)
	if s.Seen != nil {
		s.Seen(ev)
	}
	return ev.Seq
}

// Pass gives the number of an event that is left out, as if it had been recorded.
func (s *Scribe) Pass(cause *engine.Cause) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incident(cause)
	s.Last++
	return s.Last
}

// incident names a cause that belongs to none. It needs the lock.
func (s *Scribe) incident(cause *engine.Cause) {
	if cause.Correlation == "" {
		cause.Correlation = "i-" + strconv.FormatUint(s.Last+1, 10)
	}
}

func (s *Scribe) number(ev *journal.Event, cause *engine.Cause) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incident(cause)
	ev.Correlation = cause.Correlation
	if len(ev.Correlation) > journal.MaxCorrelationBytes {
		ev.Correlation = ev.Correlation[:journal.MaxCorrelationBytes]
	}
	seq := s.Last + 1
	if s.To != nil {
		seq = s.To.Record(*ev)
	}
	s.Last = max(s.Last, seq)
	ev.Seq = s.Last
}

// Complain records an error that nobody waits for.
func (s *Scribe) Complain(path, text string, cause engine.Cause) {
	s.Record(path, journal.Logged{Level: "error", Text: text}, &cause)
}

// Letters gathers dead letters: the first of a kind is recorded at once, the others of the next second together. It is safe
// for concurrent use.
type Letters struct {
	scribe *Scribe
	after  func(time.Duration, func())
	mu     sync.Mutex
	kinds  map[letter]uint64 // counted and not yet recorded; an entry exists while its second lasts
	total  uint64
}

type letter struct{ path, reason, message string }

const (
	letterSpell = time.Second
	maxLetters  = 1024 // kinds within a second; what is beyond is counted under ""
)

// NewLetters gathers for a scribe; after calls a function when so much time has passed.
func NewLetters(s *Scribe, after func(time.Duration, func())) *Letters {
	return &Letters{scribe: s, after: after, kinds: map[letter]uint64{}}
}

// Add notes that a message for an actor or group, by path, was not handled, and why. meta is what it carried.
func (l *Letters) Add(path, reason, message string, meta *engine.Meta) {
	k := letter{path, reason, message}
	if !l.first(&k) {
		return
	}
	cause := engine.Cause{Correlation: meta.Correlation, Seq: meta.Causation}
	l.scribe.Record(path, journal.DeadLetter{Reason: k.reason, Message: k.message, Count: 1}, &cause)
	l.after(letterSpell, func() { l.flush(k) })
}

// first counts a letter and tells whether it is the first of its kind within the second.
func (l *Letters) first(k *letter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if _, open := l.kinds[*k]; !open && len(l.kinds) >= maxLetters {
		k.message = ""
	}
	n, open := l.kinds[*k]
	if open {
		n++
	}
	l.kinds[*k] = n
	return !open
}

// flush records the letters of a kind that came after its first.
func (l *Letters) flush(k letter) {
	l.mu.Lock()
	n := l.kinds[k]
	delete(l.kinds, k)
	l.mu.Unlock()
	if n > 0 {
		l.scribe.Record(k.path, journal.DeadLetter{Reason: k.reason, Message: k.message, Count: n}, &engine.Cause{})
	}
}

// Close records all that is still counted, in the order of the alphabet.
func (l *Letters) Close() {
	l.mu.Lock()
	kinds := slices.SortedFunc(maps.Keys(l.kinds), func(a, b letter) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.reason, b.reason), cmp.Compare(a.message, b.message))
	})
	l.mu.Unlock()
	for _, k := range kinds {
		l.flush(k)
	}
}

// Count is how many messages were not handled so far.
func (l *Letters) Count() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}
