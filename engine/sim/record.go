package sim

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/journal"
)

// Recorder takes the events of a run, in order.
type Recorder = kernel.Recorder

// Observer is told what happens, at the moment it does. It may look at the engine and must not change it.
type Observer interface {
	// Event is called for each event once it has been recorded.
	Event(journal.Event)
	// Sent is called when a message is on its way to an actor, past its guards. The Call is good until Sent returns.
	Sent(*Call)
	// Ended is called when a call has ended: each attempt that was sent, and each request that was answered without one.
	Ended(*Call)
}

// Call is one attempt of a call, or a request that no attempt answered.
type Call struct {
	From       string // path of the sender; what the caller says outside
	To         string // path of the actor, or of the group that had no replica for it
	Group      string // path of the replica's group
	Replica    string // name, of a replica
	Message    string
	Key        string
	Attempt    int // from 1; 0 when no attempt was made
	Priority   int
	Probe      bool
	Idempotent bool
	Degraded   bool          // a fallback answered
	Err        *engine.Error // nil when it went well
	Began      time.Duration
	Took       time.Duration // 0 in Sent
}

// deadLetter notes that a message was not handled. The asker, if there is one, gets answer.
func (a *actor) deadLetter(reason string, env *envelope, answer error) {
	if answer != nil {
		env.reply.settle(nil, answer)
	}
	a.refused++
	a.eng.letters.Add(a.path, reason, env.msg.Type, &env.meta)
}

// sent tells the observer that a message is on its way.
func (e *Engine) sent(a *actor, env *envelope) {
	if e.watcher == nil {
		return
	}
	c := &e.call
	c.fill(a, env.msg.Type, &env.meta)
	c.Began = e.Now()
	e.watcher.Sent(c)
}

// called tells the observer that an attempt has ended.
func (e *Engine) called(a *actor, env *envelope, began time.Duration, err error) {
	if e.watcher == nil {
		return
	}
	c := &e.call
	c.fill(a, env.msg.Type, &env.meta)
	c.Began, c.Took, c.Err = began, e.Now()-began, engine.ErrorOf(err, a.path)
	e.watcher.Ended(c)
}

func (c *Call) fill(a *actor, message string, meta *engine.Meta) {
	*c = Call{From: meta.From, To: a.path, Message: message, Key: meta.Key, Attempt: meta.Attempt, Priority: meta.Priority,
		Probe: meta.Probe, Idempotent: meta.Idempotent}
	if a.group != nil {
		c.Group, c.Replica = a.group.Path(), a.name
	}
}

// Unsent tells the observer of a request that never got as far as a guard or an attempt.
func (c *caller) Unsent(to string, q kernel.Question, err error) {
	c.eng.unsent(to, q.Msg.Type, &q.Meta, false, err)
}

// Passed tells the observer of a guarded request that no attempt answered: refused, or answered by a fallback.
func (c *caller) Passed(p *kernel.Passage, err error) {
	if !p.Tried() || p.Degraded() {
		c.eng.unsent(p.To(), p.Msg().Type, p.Meta(), p.Degraded(), err)
	}
}

func (e *Engine) unsent(to, message string, meta *engine.Meta, degraded bool, err error) {
	if e.watcher == nil {
		return
	}
	e.call = Call{From: meta.From, To: to, Message: message, Key: meta.Key, Priority: meta.Priority, Probe: meta.Probe,
		Idempotent: meta.Idempotent, Degraded: degraded, Began: e.Now(), Err: engine.ErrorOf(err, to)}
	e.watcher.Ended(&e.call)
}
