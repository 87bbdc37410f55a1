package live

import (
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// control is the control plane: all of it is guarded by its mutex.
type control struct {
	mu      sync.Mutex
	helm    kernel.Helm
	now     time.Duration // of the step at hand
	queue   []kernel.Happening
	timers  map[engine.TimerID]alarm
	answers map[uint64]chan string
	// supervisors are those that exist, by path: the Machine tells of them only in what it emits.
	supervisors map[string]*actor
	reports     reports
	numbers     uint64

	volunteer volunteer
	nursery   nursery
}

type alarm struct {
	timer clock.Timer
	cause engine.Cause
}

// happen tells the Machine what happened and carries out what it decides. It must not be called under any lock.
func (e *Engine) happen(h kernel.Happening) {
	c := &e.control
	c.mu.Lock()
	c.queue = append(c.queue, h)
	e.work()
	c.mu.Unlock()
	e.drain()
}

// volunteer is the frame of the worker that holds the control lock and has nothing else to do afterwards, if such a one
// holds it. It takes on what comes of its report, so that a restart needs no other goroutine.
type volunteer struct{ *frame }

// launches reports whether the worker will go to the launcher.
func (v volunteer) launches() bool {
	if v.frame == nil || v.frame.launches || v.frame.launching {
		return false
	}
	v.frame.launches = true
	return true
}

// takes reports whether the worker will run an activation of inc.
func (v volunteer) takes(inc *incarnation) bool {
	if v.frame == nil || v.frame.ahead != nil {
		return false
	}
	v.frame.ahead = inc
	return true
}

// happenLast is happen by a worker that has nothing else to do: see frame.oblige.
func (e *Engine) happenLast(f *frame, h kernel.Happening) {
	c := &e.control
	c.mu.Lock()
	c.queue = append(c.queue, h)
	e.workFor(f)
	c.mu.Unlock()
	e.drain()
}

// reportLast is report of several, by a worker that has nothing else to do. When many reports wait, the worker waits for the lock
// itself: a pile of all that starts at a boot would cost more than the waiting.
func (e *Engine) reportLast(f *frame, hs []kernel.Happening) {
	c := &e.control
	n := c.reports.add(hs...)
	if n >= manyReports {
		c.mu.Lock()
	} else if !c.mu.TryLock() {
		e.drain()
		return
	}
	e.workFor(f)
	c.mu.Unlock()
	e.drain()
}

// workFor is work on behalf of f's worker.
func (e *Engine) workFor(f *frame) {
	if !f.dying {
		e.control.volunteer.frame = f
	}
	e.work()
	e.control.volunteer.frame = nil
}

// report tells the Machine what happened, from anywhere: when somebody else holds the control lock, or the caller does,
// it is told by the holder. Reports keep their order.
func (e *Engine) report(h kernel.Happening) {
	e.control.reports.add(h)
	e.drain()
}

// drain sees to it that no report stays behind. Whoever holds the lock drains after giving it up, so a report that
// came meanwhile is not lost when TryLock fails here.
func (e *Engine) drain() {
	for e.control.reports.any() && e.control.mu.TryLock() {
		e.work()
		e.control.mu.Unlock()
	}
}

// work steps through all that is queued. It needs the control lock.
func (e *Engine) work() {
	c := &e.control
	for {
		for i := 0; i < len(c.queue); i++ {
			e.step(&c.queue[i])
		}
		clear(c.queue)
		if c.queue = c.reports.take(c.queue[:0]); len(c.queue) == 0 {
			break
		}
	}
	if cap(c.queue) > mostKept { // a boot or shutdown of very many: their memory is not needed again
		c.queue = nil
	}
}

// manyReports is how many reports of starts wait at most for somebody else to tell them.
const manyReports = 64

// mostKept bounds the buffers that are kept for the next input.
const mostKept = 1024

// reports are happenings from those who cannot wait for the control lock.
type reports struct {
	mu      sync.Mutex
	waiting []kernel.Happening
}

// add reports how many wait.
func (r *reports) add(hs ...kernel.Happening) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, hs...)
	return len(r.waiting)
}

func (r *reports) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting) > 0
}

// take moves what waits to the end of queue.
func (r *reports) take(queue []kernel.Happening) []kernel.Happening {
	r.mu.Lock()
	defer r.mu.Unlock()
	queue = append(queue, r.waiting...)
	clear(r.waiting)
	if r.waiting = r.waiting[:0]; cap(r.waiting) > mostKept {
		r.waiting = nil
	}
	return queue
}

// raise queues a happening while effects are carried out: it is told to the Machine when they all are.
func (e *Engine) raise(h kernel.Happening) { e.control.queue = append(e.control.queue, h) }

// step needs the control lock.
func (e *Engine) step(h *kernel.Happening) {
	c := &e.control
	if h.When.Wall == 0 {
		h.When = e.moment()
	}
	c.now = max(c.now, h.When.Now)
	c.helm.Step(c.now, h)
}

// due tells the Machine that a timer has come, unless it was taken back in the meantime.
func (e *Engine) due(id engine.TimerID) {
	c := &e.control
	c.mu.Lock()
	a, ok := c.timers[id]
	delete(c.timers, id)
	c.mu.Unlock()
	e.drain()
	if ok {
		e.happen(kernel.Happening{In: engine.Due{Timer: id}, Cause: a.cause})
	}
}
