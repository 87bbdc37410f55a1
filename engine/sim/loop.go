package sim

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// carrier is a goroutine that can hold the baton. Whoever wakes it gives the baton away by that.
type carrier struct {
	eng   *Engine
	wake  chan struct{}
	frame *frame
	first task         // what it was woken for
	dead  bool         // its goroutine has ended
	wears *incarnation // whose labels its goroutine has
}

type taskKind uint8

const (
	taskNone     taskKind = iota
	taskResume            // the carrier that waits with w goes on
	taskActivate          // inc handles its next message
	taskBring             // inc comes up
	taskJob               // may wait
	taskOwn               // a job that may wait, in our own code only
	taskBrief             // a job that never waits
	taskAsk               // a request from outside begins, or hears its answer
)

// task is one thing to do at this moment.
type task struct {
	kind taskKind
	w    *waiter
	inc  *incarnation
	ask  *request
	job  func()
}

// brief tells whether the task certainly does not wait, so that it may run on the stack of somebody who does.
func (t *task) brief() bool {
	switch t.kind {
	case taskBrief:
		return true
	case taskAsk:
		return t.ask.brief()
	case taskActivate, taskBring:
		return t.inc.brief && (t.inc.server != nil || len(t.inc.a.slow) == 0)
	}
	return false
}

// agenda is what is to be done at this moment: a ring.
type agenda struct {
	ring  []task // its length is a power of two
	head  int
	count int
}

func (g *agenda) push(t task) {
	if g.count == len(g.ring) {
		g.grow()
	}
	g.ring[(g.head+g.count)&(len(g.ring)-1)] = t
	g.count++
}

func (g *agenda) grow() {
	bigger := make([]task, max(64, 2*len(g.ring)))
	for i := range g.count {
		bigger[i] = g.ring[(g.head+i)&(len(g.ring)-1)]
	}
	g.ring, g.head = bigger, 0
}

// first moves the oldest task to t.
func (g *agenda) first(t *task) {
	at := &g.ring[g.head]
	*t = *at
	at.job = nil // what else a task points at lives as long as the engine
	g.head = (g.head + 1) & (len(g.ring) - 1)
	g.count--
}

// take moves the task at place i to t; the first takes its place.
func (g *agenda) take(i int, t *task) {
	mask := len(g.ring) - 1
	at := (g.head + i) & mask
	*t = g.ring[at]
	g.ring[at] = g.ring[g.head]
	g.ring[g.head] = task{}
	g.head = (g.head + 1) & mask
	g.count--
}

// push adds a task to the present moment.
func (e *Engine) push(t task) { e.loop.agenda.push(t) }

// loop is the state of the event loop.
type loop struct {
	agenda  agenda
	alarms  clock.Alarms
	until   int64 // the run goes no further
	idle    bool  // the run ends when only the engine's own clockwork is left
	own     int   // alarms of that clockwork
	shuffle uint64
	picks   uint64

	inside     *coroutine // that is at work; nil: the carrier itself is
	coroutines []*coroutine
	idlers     []*coroutine
	carriers   []*carrier // all that were made
	spare      []*carrier
	current    *carrier // who holds the baton; nil outside Run
	driver     chan struct{}
	closing    bool

	turns    int // at this moment
	maxTurns int
	recent   [8]string // paths of the actors that came last
	halted   error
	total    uint64
	pulse    atomic.Uint64 // moves with the loop; the watchdog looks at it
	stuck    error         // the watchdog's finding; somebody else still holds the baton
}

// next moves the next task to t; false means that the run is over for now.
func (e *Engine) next(t *task) bool {
	l := &e.loop
	for l.halted == nil {
		if l.agenda.count > 0 {
			e.pick(t)
			return true
		}
		if l.idle && l.alarms.Len() <= l.own {
			break
		}
		call := l.alarms.Pop(l.until)
		if call == nil {
			break
		}
		if now := l.alarms.Now(); now != e.now {
			e.now, l.turns = now, 0
		}
		l.turns++
		if l.turns > l.maxTurns {
			l.halted = e.spins()
		}
		l.total++
		call()
		if l.shuffle != 0 { // all that is due now takes part in the draw
			for call := l.alarms.Pop(e.now); call != nil; call = l.alarms.Pop(e.now) {
				l.total++
				call()
			}
		}
	}
	e.now = l.alarms.Now()
	return false
}

func (e *Engine) pick(t *task) {
	l := &e.loop
	l.turns++
	if l.turns > l.maxTurns {
		l.halted = e.spins()
	}
	if l.total++; l.total&63 == 0 {
		l.pulse.Store(l.total)
	}
	if l.shuffle == 0 || l.agenda.count == 1 {
		l.agenda.first(t)
		return
	}
	l.picks++
	l.agenda.take(int(guard.Mix(l.shuffle+l.picks*guard.Golden)%uint64(l.agenda.count)), t)
}

// spins is the error of a moment that does not end.
func (e *Engine) spins() error {
	var paths []string
	for _, p := range e.loop.recent {
		if p != "" {
			paths = append(paths, p)
		}
	}
	return fmt.Errorf("%w: %d turns at %s; last came %s", ErrSpin, e.loop.maxTurns, time.Duration(e.now), strings.Join(paths, ", "))
}

// do runs a task on the carrier's stack. f is the frame for handlers. more tells that the task, which was brief so far, may wait from
// here on and must go on elsewhere.
func (e *Engine) do(f *frame, t *task) (more bool) {
	switch t.kind {
	case taskActivate:
		e.loop.recent[e.loop.turns&7] = t.inc.a.path
		f.activate(t.inc)
	case taskBring:
		f.bring(t.inc)
	case taskAsk:
		return t.ask.run()
	case taskJob, taskOwn, taskBrief:
		t.job()
	}
	return false
}

// run is a carrier's life.
func (c *carrier) run() {
	defer c.ended()
	for c.await() {
		c.work()
	}
}

// await waits for the baton; false means that the carrier is not needed any more.
func (c *carrier) await() bool {
	<-c.wake
	if c.eng.loop.closing {
		return false
	}
	c.eng.loop.current = c
	return true
}

// work does what is to be done until the baton goes elsewhere.
func (c *carrier) work() {
	e := c.eng
	t := c.first
	c.first = task{}
	for {
		if t.kind == taskNone && !e.next(&t) {
			e.loop.spare = append(e.loop.spare, c)
			e.release()
			return
		}
		switch {
		case t.brief() && !e.do(c.frame, &t):
		case t.own():
			e.enter(&t)
		case t.kind == taskResume:
			e.loop.spare = append(e.loop.spare, c)
			t.w.carrier.wake <- struct{}{}
			return
		default:
			e.do(c.frame, &t)
		}
		t.kind = taskNone
	}
}

// suspend waits on the carrier's goroutine until w is settled and its turn has come. Meanwhile the loop goes on, here as
// long as nothing can wait in turn.
func (c *carrier) suspend(w *waiter) {
	e := c.eng
	if e.loop.closing { // a deferred call of a handler that is being unwound
		runtime.Goexit()
	}
	for {
		var t task
		switch {
		case !e.next(&t):
			e.release()
		case t.kind == taskResume && t.w == w:
			return
		case t.kind == taskResume && t.w.carrier != nil:
			t.w.carrier.wake <- struct{}{}
		case t.brief() && !e.do(e.brief, &t):
			continue
		default:
			s := e.carrier()
			s.first = t
			s.wake <- struct{}{}
		}
		break
	}
	if !c.await() {
		runtime.Goexit()
	}
}

// carrier gives a spare carrier, or a new one.
func (e *Engine) carrier() *carrier {
	l := &e.loop
	if n := len(l.spare); n > 0 {
		c := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return c
	}
	c := &carrier{eng: e, wake: make(chan struct{}, 1)}
	c.frame = newFrame(e)
	l.carriers = append(l.carriers, c)
	go c.run()
	return c
}

// release gives the baton back to whoever called Run.
func (e *Engine) release() {
	e.loop.current = nil
	e.loop.driver <- struct{}{}
}

// ended is called when a carrier's goroutine ends. If a handler ended it, the handler's message is settled and another
// carrier takes the baton.
func (c *carrier) ended() {
	e := c.eng
	c.dead = true
	bare()
	if e.loop.closing {
		e.loop.driver <- struct{}{}
		return
	}
	c.frame.unwound()
	e.loop.current = nil
	e.carrier().wake <- struct{}{}
}

// drive lets the loop run until it gives the baton back.
func (e *Engine) drive() error {
	l := &e.loop
	if l.stuck != nil {
		return l.stuck // somebody else holds the baton: nothing here may be looked at
	}
	if l.current != nil {
		return ErrNested
	}
	if e.closed {
		return ErrClosed
	}
	if l.halted != nil {
		return l.halted
	}
	e.carrier().wake <- struct{}{}
	if e.options.Watchdog <= 0 {
		<-l.driver
		return l.halted
	}
	return e.guarded()
}

// guarded waits for the baton and looks, by the machine's clock, whether the loop still turns.
func (e *Engine) guarded() error {
	l := &e.loop
	tick := make(chan struct{}, 1)
	system, seen := clock.System(), l.pulse.Load()
	for {
		t := system.AfterFunc(e.options.Watchdog, func() { tick <- struct{}{} })
		select {
		case <-l.driver:
			t.Stop()
			return l.halted
		case <-tick:
		}
		now := l.pulse.Load()
		if now == seen {
			stacks := make([]byte, 64<<10)
			l.stuck = fmt.Errorf("%w for %s:\n%s", ErrStuck, e.options.Watchdog, stacks[:runtime.Stack(stacks, true)])
			return l.stuck
		}
		seen = now
	}
}

// Run moves the simulation on to an engine time and returns when all that is due by then has been done. The error says
// what makes the run worthless: a moment that does not end (ErrSpin), a handler that blocks outside its Context (ErrStuck).
func (e *Engine) Run(until time.Duration) error {
	e.loop.until, e.loop.idle = int64(until), false
	return e.drive()
}

// RunUntilIdle is Run that ends early when nothing is left to do but to sample.
func (e *Engine) RunUntilIdle(until time.Duration) error {
	e.loop.until, e.loop.idle = int64(until), true
	return e.drive()
}

// Wind is At for who calls again and again, with an alarm of its own that is not on its way.
func (e *Engine) Wind(a *clock.Alarm, at time.Duration, fn func()) {
	e.loop.alarms.Set(a, int64(at), fn)
}

// At calls fn at an engine time, now when that is past. fn may use the engine and must not block. cancel takes it back.
func (e *Engine) At(at time.Duration, fn func()) (cancel func() bool) {
	a := new(clock.Alarm)
	e.loop.alarms.Set(a, int64(at), fn)
	return func() bool { return e.loop.alarms.Cancel(a) }
}
