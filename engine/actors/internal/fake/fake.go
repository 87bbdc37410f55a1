// Package fake is the smallest runtime that a behaviour's own tests need: a Context that records and a Life that counts.
package fake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
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

func (c *Context) Self() engine.Ref               { return engine.Ref{ID: 1} }
func (c *Context) Path() string                   { return c.Def.Path }
func (c *Context) Incarnation() engine.Epoch      { return 1 }
func (c *Context) Actor() *plan.Actor             { return c.Def }
func (c *Context) Plan() *plan.Plan               { return c.Topo }
func (c *Context) Meta() engine.Meta              { return c.With }
func (c *Context) Rand() uint64                   { return 4 }
func (c *Context) Sleep(time.Duration) error      { return nil }
func (c *Context) Stop()                          { c.Ended = true }
func (c *Context) Stopping() bool                 { return c.Ended }
func (c *Context) Steer(_ string, a engine.Steer) { c.Steered = append(c.Steered, a) }

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

func (c *Context) Tell(to engine.Ref, m engine.Msg) error {
	c.Told = append(c.Told, Sent{To: c.name(to), M: m})
	return nil
}

func (c *Context) Reply(payload any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Replied = append(c.Replied, payload)
	return true
}

func (c *Context) Fail(err *engine.Error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Failed = append(c.Failed, err)
	return true
}

func (c *Context) After(d time.Duration, m engine.Msg) func() bool {
	c.Timers = append(c.Timers, Sent{M: m, After: d})
	return func() bool { return true }
}

func (c *Context) Emit(b journal.Body) { c.Emitted = append(c.Emitted, b) }

func (c *Context) Ask(to engine.Ref, m engine.Msg, _ time.Duration) (any, error) {
	name := c.name(to)
	c.Asked = append(c.Asked, Sent{To: name, M: m})
	return c.Answers[name](m)
}

func (c *Context) AskAll(to []engine.Ref, m []engine.Msg, d time.Duration) ([]any, []error) {
	values, errs := make([]any, len(to)), make([]error, len(to))
	for i := range to {
		values[i], errs[i] = c.Ask(to[i], m[i], d)
	}
	return values, errs
}

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

func (l *Life) Exited(f *engine.Failure)    { l.Ends <- f }
func (l *Life) Emit(b journal.Body)         { l.Bodies <- b }
func (l *Life) Healthy(ok bool, why string) { l.Reports <- Report{ok, why} }
func (l *Life) Path() string                { return l.Name }
func (l *Life) Now() time.Duration {
	if l.Clock == nil {
		return 0
	}
	return l.Clock()
}

// Await waits for what c gives and fails the test when nothing comes for long.
func Await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic(errors.New("unreachable"))
	}
}

// Logged waits for a line of output.
func (l *Life) Logged(t testing.TB) journal.Logged {
	t.Helper()
	for {
		if b, ok := Await(t, "a logged line", l.Bodies).(journal.Logged); ok {
			return b
		}
	}
}
