package live

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// stats are an actor's counts since the engine started. They are made when the first message is handled, and written
// by activations in batches.
type stats struct {
	calls, failures, refused atomic.Uint64
	restarts                 atomic.Uint64
	hist                     atomic.Pointer[engine.Histogram]
	// quickAt is when the last call ended that level detailed has timed, if it was a quick one; else 0, long ago.
	quickAt atomic.Int64
}

// detail is which durations are wanted.
type detail uint32

const (
	detailNone detail = iota
	detailSampled
	detailAll
)

func detailOf(level string) detail {
	switch level {
	case "basic":
		return detailNone
	case "detailed":
		return detailSampled
	}
	return detailAll
}

// tallySize is how many messages an activation counts for itself before it adds them to the actor's counts.
const tallySize = 64

// tally is what an activation has counted and not yet added.
type tally struct {
	calls, failures uint32
	timed           bool          // the call at hand is
	first           bool          // the call at hand is its activation's first
	skip            uint8         // how many of the next calls are not, unless all are wanted
	began           time.Duration // of the call at hand
	clock           time.Duration // when the last call ended, if the next follows at once; 0 otherwise
	took            [tallySize]time.Duration
	handled         []handled // what the journal is to be told, where the plan wants it
	payload         json.RawMessage
	oversize        int // with payload: what it keeps of what the message at hand carries
}

// handled is the record of a message, kept until the activation has a moment for it.
type handled struct {
	message journal.Message
	cause   engine.Cause
}

// At level detailed an actor that handles one quick message after another times one in sampled: reading the clock would
// cost a fifth of such a message. The first of an activation is timed, unless it is an ask that was made soon after the last one
// timed; so is each that follows a slow one, and all are at the higher levels.
const (
	sampled = 16
	quick   = 20 * time.Microsecond
	soon    = 100 * time.Microsecond
)

// spared is how many calls from an activation's first on are not timed.
func (f *frame) spared() uint8 {
	if f.env.asker == nil {
		return 0
	}
	s := f.actor.counts()
	if f.env.asker.asked.Load()-s.quickAt.Load() > int64(soon) {
		return 0
	}
	return uint8(-s.calls.Load() % sampled)
}

// start starts a call's clock, where durations are wanted. A message taken right after another begins when that ended, so
// the clock is read once a message.
func (f *frame) start() {
	t := &f.tally
	detail := detail(f.eng.detail.Load())
	if t.first && detail == detailSampled {
		t.skip = f.spared()
	}
	t.first = false
	t.timed = detail == detailAll || detail == detailSampled && t.skip == 0 || f.recorded()
	if !t.timed {
		t.clock = 0
		t.skip -= min(t.skip, 1)
		return
	}
	if f.recorded() {
		f.carry()
	}
	if t.clock != 0 {
		f.now, f.fresh = t.clock, true
	}
	t.began = f.Now()
}

// carry keeps what the message at hand carries, before its handler can change it, where the plan wants that of messages from outside.
func (f *frame) carry() {
	t := &f.tally
	t.payload, t.oversize = nil, 0
	if !f.view.Payloads {
		return
	}
	if m := f.env.meta(); m.Causation == 0 {
		t.payload, t.oversize = f.view.Carried(&f.env.msg, m.From)
	}
}

// end counts a call.
func (f *frame) end(failed bool) {
	t := &f.tally
	t.took[t.calls] = -1
	if t.timed {
		t.clock = f.eng.now()
		took := t.clock - t.began
		t.took[t.calls] = took
		f.pause(took)
		if f.recorded() {
			f.note(took)
		}
	}
	t.calls++
	if failed {
		t.failures++
	}
	if t.calls == tallySize {
		f.flush()
	}
}

// pause decides how many of the next calls are not timed, after one that was.
func (f *frame) pause(took time.Duration) {
	t := &f.tally
	last := int64(0)
	if t.skip = 0; took < quick {
		t.skip, last = sampled-1, int64(t.clock)
	}
	if detail(f.eng.detail.Load()) == detailSampled {
		f.actor.counts().quickAt.Store(last)
	}
}

// recorded tells whether the message at hand is one that the journal keeps: an exchange that is passed through is none.
func (f *frame) recorded() bool { return f.env.msg.Type != "" && f.view.Messages }

// note keeps the record of the message at hand.
func (f *frame) note(took time.Duration) {
	m := f.env.meta()
	outcome := "ok"
	switch {
	case f.failure != nil:
		outcome = f.failure.Kind
	case f.fault != "":
		outcome = f.fault
	}
	t := &f.tally
	t.handled = append(t.handled, handled{
		journal.Message{From: m.From, Message: f.env.msg.Type, Outcome: outcome, Took: took, Payload: t.payload, Oversize: t.oversize},
		engine.Cause{Correlation: m.Correlation, Seq: m.Causation},
	})
}

// flush adds what was counted to the actor's counts.
func (f *frame) flush() {
	t := &f.tally
	for i := range t.handled {
		f.eng.scribe.Record(f.actor.Path(), t.handled[i].message, &t.handled[i].cause)
		t.handled[i] = handled{}
	}
	t.handled = t.handled[:0]
	if t.calls == 0 || f.actor == nil {
		return
	}
	s := f.actor.counts()
	s.calls.Add(uint64(t.calls))
	if t.failures > 0 {
		s.failures.Add(uint64(t.failures))
	}
	for _, d := range t.took[:t.calls] {
		if d >= 0 {
			s.histogram().Add(d)
		}
	}
	t.calls, t.failures = 0, 0
}

func (s *stats) histogram() *engine.Histogram {
	if h := s.hist.Load(); h != nil {
		return h
	}
	s.hist.CompareAndSwap(nil, new(engine.Histogram))
	return s.hist.Load()
}
