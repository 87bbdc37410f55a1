package host

import (
	"sync"
	"sync/atomic"

	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/journal"
)

// recorder puts each event, without secrets, into the journal and then into the stream, in one order. Safe for concurrent use.
type recorder struct {
	journal *journal.Journal
	stream  *observe.Stream
	secrets atomic.Pointer[redactor] // never nil
	failed  func(error)              // called once, when the journal takes no more; must not block

	mu     sync.Mutex
	broken bool
	level  string // of health, as last told
	score  float64
}

// Record implements live.Recorder. When the journal has failed the stream still gets events, numbered on.
func (r *recorder) Record(e journal.Event) uint64 {
	e.Payload = r.secrets.Load().payload(e.Payload)
	r.mu.Lock()
	defer r.mu.Unlock()
	seq, ack := r.journal.Append(e)
	if err := ack.Err(); err != nil && !r.broken {
		r.broken = true
		r.failed(err)
	}
	if e.Type == journal.TypeHealthChanged {
		r.noteHealth(e)
	}
	e.Seq = seq
	r.stream.Publish(e)
	return seq
}

// noteHealth keeps the newest level for the status.
func (r *recorder) noteHealth(e journal.Event) {
	if b, err := e.Body(); err == nil {
		if c, ok := b.(journal.HealthChanged); ok {
			r.level, r.score = c.To, float64(c.Score)
		}
	}
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
