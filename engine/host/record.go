package host

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/journal"
)

// recorder puts each event, without secrets, into the journal and then into the stream, in one order. Safe for concurrent use.
type recorder struct {
	journal  *journal.Journal
	stream   *observe.Stream
	secrets  atomic.Pointer[redactor] // never nil
	overflow string                   // block, gap or halt, as the plan says
	goOn     bool                     // without the journal, once it has failed
	stop     func(error)              // called once, when the engine must not go on; must not block

	mu    sync.Mutex
	last  uint64 // number of the newest event
	err   error  // why the journal takes no more, or the engine must stop; nil while all is well
	level string // of health, as last told
	score float64

	shapes   shapes
	verdicts *verdicts
}

// Record implements live.Recorder. When the journal has failed the stream still gets events, numbered on.
func (r *recorder) Record(e journal.Event) uint64 {
	e.Payload = r.secrets.Load().payload(e.Payload)
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.append(&e)
	r.shapes.note(e)
	if e.Type == journal.TypeHealthChanged {
		r.noteHealth(e)
	}
	r.verdicts.note(e)
	r.publish(e)
	if err != nil {
		r.lost(e, err)
	}
	return r.last
}

// keep records an event that somebody depends on: it goes into the journal as it is, secrets too, and only what is shown of it is
// without them. An event that the journal refuses by itself is nobody's loss but the caller's.
func (r *recorder) keep(e journal.Event) (uint64, journal.Ack) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Correlation == "" {
		e.Correlation = "i-" + strconv.FormatUint(r.last+1, 10)
	}
	var ack journal.Ack
	e.Seq, ack = r.journal.Append(e)
	err := ack.Err()
	if errors.Is(err, journal.ErrTooLarge) {
		return 0, ack
	}
	e.Payload = r.secrets.Load().payload(e.Payload)
	r.publish(e)
	if err != nil {
		r.lost(e, err)
	}
	return r.last, ack
}

// append gives the event to the journal. One that is too large for it goes in as a line that says so: no event may stop
// the engine by its size.
func (r *recorder) append(e *journal.Event) error {
	seq, ack := r.journal.Append(*e)
	err := ack.Err()
	if errors.Is(err, journal.ErrTooLarge) {
		e.Actor = e.Actor[:min(len(e.Actor), journal.MaxActorBytes)]
		small := journal.New(e.Actor, journal.Logged{Level: "error", Text: fmt.Sprintf("an event is left out: %s", err)})
		small.Time, small.Correlation, small.Causation = e.Time, e.Correlation, e.Causation
		*e = small
		seq, ack = r.journal.Append(*e)
		err = ack.Err()
	}
	e.Seq = seq
	return err
}

// publish shows the event; one that the journal did not number goes on from the last number.
func (r *recorder) publish(e journal.Event) {
	if e.Seq == 0 {
		e.Seq = r.last + 1
	}
	r.last = e.Seq
	r.stream.Publish(e)
}

// lost decides what becomes of the engine when an event did not reach the journal. Under overflow: gap the journal counts
// those that it dropped for lack of room; nothing else is wrong then.
func (r *recorder) lost(e journal.Event, err error) {
	if r.err != nil || errors.Is(err, journal.ErrDropped) && r.overflow == "gap" {
		return
	}
	r.err = err
	text := "the journal failed, the engine stops: " + err.Error()
	if r.goOn {
		text = fmt.Sprintf("the journal failed, the engine goes on without it; nothing after event %d is kept: %s", r.last-1, err)
	}
	note := journal.New("", journal.Logged{Level: "error", Text: text})
	note.Time = e.Time
	r.publish(note)
	if !r.goOn {
		r.stop(err)
	}
}

// failure is why the engine had to stop for its journal; nil when it had not.
func (r *recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.goOn {
		return nil
	}
	return r.err
}

// noteHealth keeps the newest level for the status.
func (r *recorder) noteHealth(e journal.Event) {
	if b, err := e.Body(); err == nil {
		if c, ok := b.(journal.HealthChanged); ok {
			r.level, r.score = c.To, float64(c.Score)
		}
	}
}

// patterns are those of trouble that are seen now.
func (r *recorder) patterns() []admin.Pattern {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shapes.now()
}

// health is the level as last told and its score; healthy until told otherwise.
func (r *recorder) health() (string, float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.level == "" {
		return "healthy", 1
	}
	return r.level, r.score
}
