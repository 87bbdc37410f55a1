package live

import (
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

// scribe hands events to the recorder and names new incidents after the sequence number of their first event. The name
// is chosen before the number is known, as the one after the last; if somebody else records in between, the name is
// still unique because numbers only grow.
type scribe struct {
	eng  *Engine
	to   Recorder
	mu   sync.Mutex
	last uint64
}

// record adds an event about actor that cause made happen. A cause without a correlation starts a new incident and
// gets its name. The result is the event's sequence number.
func (s *scribe) record(actor string, body journal.Body, cause *engine.Cause) uint64 {
	ev := journal.New(actor, body)
	ev.Time = s.eng.clock.Wall().UnixNano()
	ev.Causation = cause.Seq
	s.mu.Lock()
	defer s.mu.Unlock()
	if cause.Correlation == "" {
		cause.Correlation = "i-" + strconv.FormatUint(s.last+1, 10)
	}
	ev.Correlation = cause.Correlation
	if len(ev.Correlation) > journal.MaxCorrelationBytes {
		ev.Correlation = ev.Correlation[:journal.MaxCorrelationBytes]
	}
	if seq := s.to.Record(ev); seq > s.last {
		s.last = seq
	}
	return s.last
}

// letters gathers dead letters: the first of a kind is recorded at once, the others of the next second together.
type letters struct {
	eng   *Engine
	mu    sync.Mutex
	kinds map[letter]uint64 // counted and not yet recorded; an entry exists while its second lasts
	total uint64
}

type letter struct{ actor, reason, message string }

const (
	letterSpell = time.Second
	maxLetters  = 1024 // kinds within a second; what is beyond is counted under ""
)

// deadLetter notes that a message was not handled. The asker, if there is one, gets answer.
func (a *actor) deadLetter(reason string, env *envelope, answer error) {
	if answer != nil {
		env.reply.settle(nil, answer)
	}
	a.counts().refused.Add(1)
	cause := engine.Cause{Correlation: env.meta.Correlation, Seq: env.meta.Causation}
	a.eng.letters.add(letter{a.path, reason, env.msg.Type}, cause)
}

func (l *letters) add(k letter, cause engine.Cause) {
	l.mu.Lock()
	l.total++
	if _, open := l.kinds[k]; !open && len(l.kinds) >= maxLetters {
		k.message = ""
	}
	n, open := l.kinds[k]
	if open {
		l.kinds[k] = n + 1
		l.mu.Unlock()
		return
	}
	l.kinds[k] = 0
	l.mu.Unlock()
	l.eng.scribe.record(k.actor, journal.DeadLetter{Reason: k.reason, Message: k.message, Count: 1}, &cause)
	l.eng.clock.AfterFunc(letterSpell, func() { l.flush(k) })
}

// flush records the letters of a kind that came after its first.
func (l *letters) flush(k letter) {
	l.mu.Lock()
	n := l.kinds[k]
	delete(l.kinds, k)
	l.mu.Unlock()
	if n > 0 {
		l.eng.scribe.record(k.actor, journal.DeadLetter{Reason: k.reason, Message: k.message, Count: n}, &engine.Cause{})
	}
}

// close records all that is still counted.
func (l *letters) close() {
	l.mu.Lock()
	kinds := l.kinds
	l.kinds = map[letter]uint64{}
	l.mu.Unlock()
	for k, n := range kinds {
		if n > 0 {
			l.eng.scribe.record(k.actor, journal.DeadLetter{Reason: k.reason, Message: k.message, Count: n}, &engine.Cause{})
		}
	}
}
