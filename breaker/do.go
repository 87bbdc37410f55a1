package breaker

import (
	"context"
	"errors"
)

// Clock returns monotonic nanoseconds, such as int64(time.Since(start)).
type Clock func() int64

// Option configures what a Breaker does beyond its policy.
type Option func(*Breaker)

// self is what a breaker that calls functions by itself needs beyond its policy.
type self struct {
	clock    Clock
	classify func(context.Context, error) Outcome
}

// WithClock lets the breaker read the time by itself, for Do.
func WithClock(c Clock) Option {
	return func(b *Breaker) { b.own().clock = c }
}

// WithOutcomes lets Do ask f what the result of a call means, instead of what Do says about errors.
func WithOutcomes(f func(ctx context.Context, err error) Outcome) Option {
	return func(b *Breaker) { b.own().classify = f }
}

func (b *Breaker) own() *self {
	if b.self == nil {
		b.self = &self{classify: classify}
	}
	return b.self
}

// Do calls fn if the breaker admits it, and records how it ended: nil is a success; an error is a failure, of class
// "timeout" for context.DeadlineExceeded; an error after the caller's own context was cancelled is ignored; a panic
// or a runtime.Goexit in fn is a failure of class "crash" and goes on. A refused call returns ErrRefused. It needs WithClock.
func (b *Breaker) Do(ctx context.Context, fn func(context.Context) error) error {
	if b.self == nil || b.self.clock == nil {
		return ErrNoClock
	}
	clock := b.self.clock
	permit, verdict := b.Allow(clock())
	if !verdict.Admitted {
		return ErrRefused
	}
	outcome := Failure("crash")
	defer func() { b.Done(clock(), permit, outcome) }()
	err := fn(ctx)
	outcome = b.self.classify(ctx, err)
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
