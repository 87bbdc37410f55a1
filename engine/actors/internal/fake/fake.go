// Package fake is the smallest runtime that a behaviour's own tests need: a Context that records and a Life that counts.
package fake

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/journal"
)

// Sent is one message that left a behaviour.
type Sent struct {
	To    string
	M     engine.Msg
	After time.Duration
}

// Context answers asks from functions and remembers everything else. Its fields are set before use.
type Context struct {
	Def     *plan.Actor
	Topo    *plan.Plan
	With    engine.Meta
	Clock   func() time.Duration
	Answers map[string]func(engine.Msg) (any, error) // by the name that Ref was asked for

	mu      sync.Mutex
	names   []string
	Replied []any
	Failed  []*engine.Error
	Told    []Sent
	Timers  []Sent
	Asked   []Sent
	Emitted []journal.Body
	Steered []engine.Steer
	Ended   bool
}

// New is a context of actor a in a plan of its own.
func New(a *plan.Actor) *Context {
	return &Context{Def: a, Topo: &plan.Plan{Actors: []plan.Actor{*a}}, Answers: map[string]func(engine.Msg) (any, error){}}
}

// Self is actor 1.
func (c *Context) Self() engine.Ref { return engine.Ref{ID: 1} }

// Path is the definition's.
func (c *Context) Path() string { return c.Def.Path }

// Incarnation is the first.
func (c *Context) Incarnation() engine.Epoch { return 1 }

// Actor is the definition.
func (c *Context) Actor() *plan.Actor { return c.Def }

// Plan is a plan with that actor alone.
func (c *Context) Plan() *plan.Plan { return c.Topo }

// Meta is what the test set.
func (c *Context) Meta() engine.Meta { return c.With }

// Rand is always 4.
func (c *Context) Rand() uint64 { return 4 }

// Sleep returns at once.
func (c *Context) Sleep(time.Duration) error { return nil }

// Stash refuses: what is put aside needs a mailbox.
func (c *Context) Stash() error { return engine.ErrNoStash }

// Unstash finds nothing.
func (c *Context) Unstash() int { return 0 }

// Watch refuses: nobody else is there.
func (c *Context) Watch(engine.Ref) error { return engine.ErrUnknownActor }

// Unwatch does nothing.
func (c *Context) Unwatch(engine.Ref) {}

// Stop sets Ended.
func (c *Context) Stop() { c.Ended = true }

// Stopping tells whether Stop was called.
func (c *Context) Stopping() bool { return c.Ended }

// Steer records the action.
func (c *Context) Steer(_ string, a engine.Steer) { c.Steered = append(c.Steered, a) }

// Now asks Clock.
func (c *Context) Now() time.Duration {
	if c.Clock == nil {
		return 0
	}
	return c.Clock()
}

// Ref numbers names from 2 in the order they are asked for; a name without an answer is unknown.
func (c *Context) Ref(name string) (engine.Ref, error) {
	if _, ok := c.Answers[name]; !ok {
		return engine.Ref{}, fmt.Errorf("%q: %w", name, engine.ErrUnknownActor)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names = append(c.names, name)
	return engine.Ref{ID: engine.ID(len(c.names) + 1)}, nil
}

func (c *Context) name(to engine.Ref) string { return c.names[to.ID-2] }

// Tell records the message.
func (c *Context) Tell(to engine.Ref, m engine.Msg) error {
	c.Told = append(c.Told, Sent{To: c.name(to), M: m})
	return nil
}

// Reply records the answer.
func (c *Context) Reply(payload any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Replied = append(c.Replied, payload)
	return true
}

// Fail records the error.
func (c *Context) Fail(err *engine.Error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Failed = append(c.Failed, err)
	return true
}

// After records the message.
func (c *Context) After(d time.Duration, m engine.Msg) func() bool {
	c.Timers = append(c.Timers, Sent{M: m, After: d})
	return func() bool { return true }
}

// Emit records the body.
func (c *Context) Emit(b journal.Body) { c.Emitted = append(c.Emitted, b) }

// Ask answers from Answers.
func (c *Context) Ask(to engine.Ref, m engine.Msg, _ time.Duration) (any, error) {
	name := c.name(to)
	c.Asked = append(c.Asked, Sent{To: name, M: m})
	return c.Answers[name](m)
}

// AskAll asks one after the other.
func (c *Context) AskAll(to []engine.Ref, m []engine.Msg, d time.Duration) ([]any, []error) {
	values, errs := make([]any, len(to)), make([]error, len(to))
	for i := range to {
		values[i], errs[i] = c.Ask(to[i], m[i], d)
	}
	return values, errs
}

// Call runs fn at once, with the time it has.
func (c *Context) Call(timeout time.Duration, fn func(context.Context) (any, error)) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return fn(ctx)
}

// Life collects what a Runner tells. The channels have room enough for a test.
type Life struct {
	Name    string
	Clock   func() time.Duration
	Ends    chan *engine.Failure
	Bodies  chan journal.Body
	Reports chan Report
}

// Report is one call of Healthy.
type Report struct {
	OK  bool
	Why string
}

// NewLife is a life of the actor with this path.
func NewLife(path string) *Life {
	return &Life{Name: path, Ends: make(chan *engine.Failure, 16), Bodies: make(chan journal.Body, 1<<16), Reports: make(chan Report, 64)}
}

// Exited records the end.
func (l *Life) Exited(f *engine.Failure) { l.Ends <- f }

// Emit records the body.
func (l *Life) Emit(b journal.Body) { l.Bodies <- b }

// Healthy records the report.
func (l *Life) Healthy(ok bool, why string) { l.Reports <- Report{ok, why} }

// Path is the definition's.
func (l *Life) Path() string { return l.Name }

// Now asks Clock.
func (l *Life) Now() time.Duration {
	if l.Clock == nil {
		return 0
	}
	return l.Clock()
}

// Logged waits for a line of output.
func (l *Life) Logged(t testing.TB) journal.Logged {
	t.Helper()
	for {
		if b, ok := calm.Await(t, "a logged line", l.Bodies).(journal.Logged); ok {
			return b
		}
	}
}
