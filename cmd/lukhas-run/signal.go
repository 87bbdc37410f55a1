package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// stopped is why a verb's context has ended: a signal came. It is a context.Canceled to whoever asks.
type stopped struct{ signal os.Signal }

// Error names the signal.
func (s stopped) Error() string { return fmt.Sprintf("stopped by a signal: %s", s.signal) }

// Unwrap makes it one of the ways to be cancelled.
func (s stopped) Unwrap() error { return context.Canceled }

// untilSignal gives a context that ends with Ctrl-C or SIGTERM; a second signal has its usual meaning again.
func untilSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(stopped{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

// interrupted is the exit code of a verb that a signal has cut short: 128 and the signal's number, as shells tell it.
func interrupted(ctx context.Context) int {
	var s stopped
	if errors.As(context.Cause(ctx), &s) && s.signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}

// failed reports why a verb failed and gives the exit code that says it.
func (e exit) failed(ctx context.Context, errs io.Writer) int {
	if e.err != nil {
		fmt.Fprintf(errs, "lukhas-run: %s\n", e.err)
	}
	if e.code == exitFailed && ctx.Err() != nil && errors.Is(e.err, context.Canceled) {
		return interrupted(ctx)
	}
	return e.code
}
