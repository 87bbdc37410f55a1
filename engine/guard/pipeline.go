package guard

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Clock is the time of a Pipeline; it must be safe for concurrent use. With the machine's own:
//
//	type clock struct{ start time.Time }
//
//	func (c clock) Now() time.Duration { return time.Since(c.start) }
//	func (c clock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
type Clock interface {
	// Now is monotonic time since any moment.
	Now() time.Duration
	// AfterFunc calls f once, d from now, without making its caller wait for f. The function it returns takes the call back
	// and reports whether it did.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// Pipeline is a guard for programs that run no engine: around a function (Do, Call), a client (Transport) or a server
// (Handler). All share its counters, limits and breaker. It is safe for concurrent use.
type Pipeline struct {
	guard *Guard
	clock Clock
	seed  uint64
	calls atomic.Uint64
}

// ErrSpec is wrapped by errors about a spec that a Pipeline cannot follow.
var ErrSpec = errors.New("not a spec for a pipeline")

// NewPipeline makes the pipeline of a spec; layers that are nil or zero are absent. Seed and Listen of the options are of
// use. The spec's name, "call" without one, stands in refusals.
func NewPipeline(spec plan.Guard, c Clock, o Options) (*Pipeline, error) {
	if err := usable(&spec); err != nil {
		return nil, err
	}
	o.Now = c.Now()
	g, err := New(&spec, o)
	if err != nil {
		return nil, err
	}
	return &Pipeline{guard: g, clock: c, seed: o.Seed}, nil
}

// usable refuses what only an engine can do, and fills the name in.
func usable(spec *plan.Guard) error {
	if spec.Name == "" {
		spec.Name = "call"
	}
	for i, f := range spec.Fallback {
		if f.To != "" {
			return fmt.Errorf("%w: fallback %d asks the actor %q, which takes an engine; give it a reply", ErrSpec, i, f.To)
		}
	}
	switch {
	case spec.Retry != nil && spec.Retry.Attempts < 1:
		return fmt.Errorf("%w: retry.attempts is %d; at least 1", ErrSpec, spec.Retry.Attempts)
	case spec.Breaker != nil && spec.Breaker.PerReplica:
		return fmt.Errorf("%w: a breaker per replica takes an engine; give it a key", ErrSpec)
	case spec.Timeout < 0 || spec.Deadline < 0:
		return fmt.Errorf("%w: timeout %v and deadline %v; 0 is none", ErrSpec, spec.Timeout, spec.Deadline)
	}
	return nil
}

// Update makes the pipeline follow another spec: counters, windows and states are kept, calls under way are not disturbed.
// An error means that nothing has changed. Updates must not overlap.
func (p *Pipeline) Update(spec plan.Guard) error {
	if err := usable(&spec); err != nil {
		return err
	}
	return p.guard.Update(p.clock.Now(), &spec)
}

// Snapshot looks at the pipeline's layers.
func (p *Pipeline) Snapshot() Snapshot { return p.guard.Snapshot(p.clock.Now()) }

// Force overrides the breaker as Guard.Force does.
func (p *Pipeline) Force(name, mode string) bool { return p.guard.Force(p.clock.Now(), name, mode) }

// About is what a pipeline's layers and expressions know of a call. The zero value is a call that must not be repeated once
// it was delivered.
type About struct {
	Message    string // what it is: call.message in expressions
	Key        string // call.key
	Payload    any    // msg
	Priority   int    // 0..9
	Idempotent bool   // it may be repeated and hedged
}

// Do makes one call, by no more than one run of fn unless the error that fn returns says that nothing was delivered. It
// returns fn's error as it is, or an *engine.Error: of kind refused (see Refused) when a layer said no and fn did not run,
// of kind timeout when fn failed after its time was over. A fallback that answers makes it nil.
//
// fn runs on the caller's goroutine and Do returns only after it: when the attempt's time is over its context ends, and it
// must return soon then. A panic or a runtime.Goexit in fn counts as a failure, frees all places and goes on.
func (p *Pipeline) Do(ctx context.Context, fn func(context.Context) error) error {
	_, err := p.Call(ctx, About{}, func(ctx context.Context) (any, error) { return nil, fn(ctx) })
	return err
}

// Call is Do for a call that is known better and has a result. Of an idempotent call fn may run several times, with a
// hedge at the same time and on goroutines of their own; all of them have returned when Call does.
func (p *Pipeline) Call(ctx context.Context, about About, fn func(context.Context) (any, error)) (any, error) {
	c := p.begin(ctx, about)
	return p.guard.Call(c, &c.call, function{c, fn})
}

// begin makes the Env of one call.
func (p *Pipeline) begin(ctx context.Context, about About) *calling {
	c := &calling{pipeline: p, ctx: ctx, id: p.calls.Add(1)}
	c.call.Payload = about.Payload
	c.call.To, c.call.Message, c.call.Key = p.guard.Name(), about.Message, about.Key
	c.call.Priority, c.call.Idempotent = about.Priority, about.Idempotent
	return c
}

// Refused tells whether err says that a layer refused the call before it was made, and how long to wait before another
// try can help; 0 where nobody knows.
func Refused(err error) (wait time.Duration, refused bool) {
	var e *engine.Error
	if !errors.As(err, &e) || e.Kind != engine.KindRefused {
		return 0, false
	}
	return e.RetryAfter, true
}

// function is the Work of Do and Call.
type function struct {
	c  *calling
	fn func(context.Context) (any, error)
}

// Route implements Work: there is one callee.
func (function) Route(int, func(string) bool) (string, error) { return "", nil }

// Try implements Work.
func (f function) Try(a *Attempt) (any, error) {
	ctx := f.c.limit(a)
	defer ctx.end()
	v, err := f.fn(ctx)
	if err != nil && ctx.late() {
		err = &failed{tooLate(a), err}
	}
	return v, err
}

func tooLate(a *Attempt) *engine.Error {
	return &engine.Error{Kind: engine.KindTimeout, Message: "no answer in time", By: a.pass.layers.spec.Name, Delivered: true}
}

// failed is an error together with what the guard knows about it.
type failed struct {
	known *engine.Error
	cause error
}

// Error gives both.
func (f *failed) Error() string { return f.known.Error() + ": " + f.cause.Error() }

// Unwrap gives both to errors.Is and errors.As.
func (f *failed) Unwrap() []error { return []error{f.known, f.cause} }

// Timeout tells what net.Error tells.
func (f *failed) Timeout() bool { return f.known.Kind == engine.KindTimeout }
