package breaker

import (
	"context"
	"errors"
)

// Clock returns monotonic nanoseconds, such as int64(time.Since(start)).
type Clock func() int64

// Option configures what a Breaker does beyond its policy.
type Option func(*Breaker)

// WithClock lets the breaker read the time by itself, for Do.
func WithClock(c Clock) Option { return func(b *Breaker) { b.clock = c } }

// Do calls fn if the breaker admits it, and records how it ended: nil is a success; an error is a failure, of class
// "timeout" for context.DeadlineExceeded; an error after the caller's own context was cancelled is ignored; a panic
// or a runtime.Goexit in fn is a failure of class "crash" and goes on. A refused call returns ErrRefused. It needs WithClock.
func (b *Breaker) Do(ctx context.Context, fn func(context.Context) error) error {
	if b.clock == nil {
		return ErrNoClock
	}
	permit, verdict := b.Allow(b.clock())
	if !verdict.Admitted {
		return ErrRefused
	}
	outcome := Failure("crash")
	defer func() { b.Done(b.clock(), permit, outcome) }()
	err := fn(ctx)
	outcome = classify(ctx, err)
	return err
}

func classify(ctx context.Context, err error) Outcome {
	switch {
	case err == nil:
		return Success
	case errors.Is(ctx.Err(), context.Canceled):
		return Ignored
	case errors.Is(err, context.DeadlineExceeded):
		return Failure("timeout")
	}
	return Failed
}
