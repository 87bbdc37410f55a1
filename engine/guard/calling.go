package guard

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

// errNoEngine is what a fallback that asks an actor would get; NewPipeline refuses such specs.
var errNoEngine = errors.New("there is no engine to ask")

// calling is one call of a Pipeline: the Env of its guard.
type calling struct {
	pipeline *Pipeline
	ctx      context.Context
	id       uint64
	call     Call
	waiting  *waiting

	mu    sync.Mutex
	tries []*limited // of a hedge, by number
	over  bool       // the hedge is decided: tries that begin only now are too late
}

// Now implements Env.
func (c *calling) Now() time.Duration { return c.pipeline.clock.Now() }

// Rand implements Env.
func (c *calling) Rand(key uint64) uint64 {
	return Mix(c.pipeline.seed + c.id*Golden + Mix(key+Golden))
}

// Sleep implements Env.
func (c *calling) Sleep(d time.Duration) error {
	c.Begin(c.Now() + max(d, 1))
	if err := c.Await(); err != ErrTooLate {
		return err
	}
	return nil
}

// waiting is one wait; either channel holds at most one thing.
type waiting struct {
	woken, late chan struct{}
	stop        func() bool // of the end; nil without one
}

// Wake implements Waking.
func (w *waiting) Wake() { signal(w.woken) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Begin implements Env.
func (c *calling) Begin(until time.Duration) Waking {
	w := &waiting{woken: make(chan struct{}, 1), late: make(chan struct{}, 1)}
	if until > 0 {
		w.stop = c.pipeline.clock.AfterFunc(until-c.Now(), func() { signal(w.late) })
	}
	c.waiting = w
	return w
}

// Await implements Env.
func (c *calling) Await() error {
	w := c.waiting
	if w.stop != nil {
		defer w.stop()
	}
	select {
	case <-w.woken:
		return nil
	case <-w.late:
		return ErrTooLate
	case <-c.ctx.Done():
		return c.gone()
	}
}

// gone says why the caller's context has ended.
func (c *calling) gone() error {
	known := engine.ErrorOf(c.ctx.Err(), c.pipeline.guard.Name())
	known.Delivered = false
	return &failed{known, context.Cause(c.ctx)}
}

// Ask implements Env.
func (*calling) Ask(string, engine.Msg, time.Duration) (any, error) { return nil, errNoEngine }

// result is how one try of a hedge ended.
type result struct {
	try      int
	value    any
	err      error
	panicked any
	exited   bool // by runtime.Goexit, or by a panic
}

// Hedge implements Env. Tries run on goroutines of their own; when one has won or the caller must stop, the others' contexts
// end and they are waited for. What ended a try by a panic or runtime.Goexit goes on in the caller.
func (c *calling) Hedge(after time.Duration, most int, more func() bool, try func(int) (any, error)) (any, error) {
	ended := make(chan result, most)
	late := make(chan struct{}, 1)
	var running sync.WaitGroup
	begun, out := 0, 0
	begin := func() (stop func() bool) {
		begun, out = begun+1, out+1
		n := begun
		running.Go(func() { run(n, try, ended) })
		if begun == most {
			return func() bool { return true }
		}
		return c.pipeline.clock.AfterFunc(after, func() { signal(late) })
	}
	stop := begin()
	defer func() { stop() }()
	var last result
	for out > 0 {
		select {
		case last = <-ended:
			out--
			if last.exited || last.err == nil {
				return c.decide(last, &running, ended)
			}
		case <-late:
			if !more() {
				continue // the budget is used up: the tries there are must do
			}
			stop = begin()
		case <-c.ctx.Done():
			return c.decide(result{err: c.gone()}, &running, ended)
		}
	}
	return c.decide(last, &running, ended)
}

// run is one try.
func run(n int, try func(int) (any, error), ended chan<- result) {
	r := result{try: n, exited: true}
	defer func() {
		if r.exited {
			r.panicked = recover()
		}
		ended <- r
	}()
	r.value, r.err = try(n)
	r.exited = false
}

// decide ends all tries but the winner and gives its result.
func (c *calling) decide(won result, running *sync.WaitGroup, ended chan result) (any, error) {
	c.mu.Lock()
	c.over = true
	for i, l := range c.tries {
		if l != nil && i+1 != won.try {
			l.cancel(context.Canceled)
		}
	}
	c.mu.Unlock()
	running.Wait()
	close(ended)
	for r := range ended { // also answered, and nobody takes it
		if d, ok := r.value.(dropped); ok {
			d.drop()
		}
	}
	switch {
	case won.panicked != nil:
		panic(won.panicked)
	case won.exited:
		runtime.Goexit()
	}
	return won.value, won.err
}

// dropped is a result that must be let go when it is not used.
type dropped interface{ drop() }

// limited is the context of one attempt. Its end by the attempt's timeout looks like a deadline's.
type limited struct {
	context.Context
	cancel context.CancelCauseFunc
	halt   func() bool // takes the timeout back; nil without one
}

// limit makes the context of an attempt.
func (c *calling) limit(a *Attempt) *limited {
	ctx, cancel := context.WithCancelCause(c.ctx)
	l := &limited{Context: ctx, cancel: cancel}
	if a.Timeout > 0 {
		l.halt = c.pipeline.clock.AfterFunc(a.Timeout, func() { cancel(context.DeadlineExceeded) })
	}
	if a.Hedge > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		for len(c.tries) < a.Hedge {
			c.tries = append(c.tries, nil)
		}
		c.tries[a.Hedge-1] = l
		if c.over {
			cancel(context.Canceled)
		}
	}
	return l
}

// late tells whether the attempt's time is over.
func (l *limited) late() bool { return context.Cause(l.Context) == context.DeadlineExceeded }

// Err is what a deadline's end would be where it was one.
func (l *limited) Err() error {
	if err := l.Context.Err(); err == nil || !l.late() {
		return err
	}
	return context.DeadlineExceeded
}

// answered takes the timeout back; the context goes on.
func (l *limited) answered() {
	if l.halt != nil {
		l.halt()
	}
}

func (l *limited) end() {
	l.answered()
	l.cancel(context.Canceled)
}
