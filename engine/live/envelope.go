package live

import (
	"math"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

// envelope is a message on its way. It is copied into a mailbox and out of it, and of many actors the mailboxes do not fit
// the caches, so it is as large as one line of them: what most messages do not carry is on a slip that they share, and what
// only asks carry is their asker's waiter's.
type envelope struct {
	msg      engine.Msg
	from     *actor  // who sent it; nil for nobody, or for the one that the slip names
	slip     *slip   // nil for none
	asker    *waiter // who waits for the answer; nil for a tell
	wait     uint32  // which of the asker's waits it is: the lower half of its generation
	attempt  uint16  // from 1
	priority int8
	marks    uint8
}

// The marks of an envelope.
const (
	markIdempotent uint8 = 1 << iota
	markProbe
)

// slip is what messages of one incident carry alike. It never changes, so who passes an incident on passes its slip on.
type slip struct {
	correlation string
	causation   uint64
	key         string
	from        string       // a sender who is no actor
	only        engine.Epoch // of the incarnation that it is for, whose timer sent it; 0: for any
	tries       uint16       // deliveries that failed so far
}

// failed counts a delivery that failed.
func (e *envelope) failed() {
	var s slip
	if e.slip != nil {
		s = *e.slip
	}
	s.tries++
	e.slip = &s
}

// tries is how many deliveries have failed so far.
func (e *envelope) tries() int {
	if e.slip == nil {
		return 0
	}
	return int(e.slip.tries)
}

// ask makes the message one whose answer is waited for.
func (e *envelope) ask(t ticket) { e.asker, e.wait = t.w, uint32(t.gen) }

// reply is the asker's ticket; that of a tell, or of a wait that is over, is nobody's.
func (e *envelope) reply() ticket {
	if e.asker == nil {
		return ticket{}
	}
	return e.asker.ticketOf(e.wait)
}

// asked tells until when the answer of an ask is waited for; false when that is over.
func (e *envelope) asked() (until time.Duration, waits bool) {
	t := e.reply()
	until = time.Duration(e.asker.until.Load())
	return until, t.waits()
}

// meta is what the message carries, as behaviours and guards see it, but for the deadline of an ask.
func (e *envelope) meta() (m engine.Meta) {
	m.Priority, m.Attempt = int(e.priority), int(e.attempt)
	m.Idempotent, m.Probe = e.marks&markIdempotent != 0, e.marks&markProbe != 0
	if e.from != nil {
		m.From = e.from.Path()
	}
	if s := e.slip; s != nil {
		m.Correlation, m.Causation, m.Key = s.correlation, s.causation, s.key
		if s.from != "" {
			m.From = s.from
		}
	}
	return m
}

// cause is what the message's consequences are caused by.
func (e *envelope) cause() engine.Cause {
	if e.slip == nil {
		return engine.Cause{}
	}
	return engine.Cause{Correlation: e.slip.correlation, Seq: e.slip.causation}
}

// only is the incarnation that the message is for, 0 for any.
func (e *envelope) only() engine.Epoch {
	if e.slip == nil {
		return 0
	}
	return e.slip.only
}

// enclose makes e, which must be empty, the envelope of a message that the caller sends. The slip of its last one serves
// again when it says the same.
func (c *caller) enclose(e *envelope, msg *engine.Msg, m *engine.Meta) {
	e.msg = *msg
	e.attempt, e.priority = uint16(min(max(m.Attempt, 0), math.MaxUint16)), int8(min(max(m.Priority, 0), math.MaxInt8))
	if m.Idempotent {
		e.marks |= markIdempotent
	}
	if m.Probe {
		e.marks |= markProbe
	}
	from := m.From
	if c.actor != nil && from == c.actor.Path() {
		e.from, from = c.actor, ""
	}
	if m.Correlation != "" || m.Causation != 0 || m.Key != "" || from != "" {
		e.slip = c.slipOf(slip{correlation: m.Correlation, causation: m.Causation, key: m.Key, from: from})
	}
}

// slipOf gives a slip that says the same.
func (c *caller) slipOf(s slip) *slip {
	switch {
	case s == slip{}:
		return nil
	case c.slip == nil || *c.slip != s:
		fresh := s // only this one is allocated
		c.slip = &fresh
	}
	return c.slip
}
