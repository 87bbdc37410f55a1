package live

import (
	"sync"
	"time"
)

// How many workers stay parked, and how long a parked one is kept before it is let go.
const (
	maxParked   = 256
	parkedSpell = 5 * time.Second
)

// pool runs activations on workers. Parked workers are used again last in first out, so that the warm ones work and
// the cold ones can be let go; when none is parked a new one starts, so a handler that blocks keeps only its own worker.
type pool struct {
	eng *Engine

	mu     sync.Mutex
	parked []*worker
	low    int // fewest parked since the last sweep: those were not needed
	sweeps bool
	closed bool
}

// worker is one goroutine that runs one task after another. Whoever takes it from the parked ones owns the right to
// send it exactly one task.
type worker struct {
	task  chan task
	frame *frame
}

// task is an activation or a job.
type task struct {
	inc    *incarnation
	start  bool // the incarnation is brought up
	launch bool // those that wait in the launcher are brought up
	job    func()
}

func (p *pool) run(inc *incarnation) { p.dispatch(task{inc: inc}) }

// spawn runs a job on a worker. Jobs may block.
func (p *pool) spawn(job func()) { p.dispatch(task{job: job}) }

func (p *pool) dispatch(t task) {
	p.mu.Lock()
	if n := len(p.parked); n > 0 {
		w := p.parked[n-1]
		p.parked[n-1] = nil
		p.parked = p.parked[:n-1]
		p.low = min(p.low, n-1)
		p.mu.Unlock()
		w.task <- t
		return
	}
	p.mu.Unlock()
	w := &worker{task: make(chan task, 1)}
	go w.work(p, t)
}

// work is a worker's life. When a handler ends its goroutine (runtime.Goexit) the deferred call settles its message.
func (w *worker) work(p *pool, t task) {
	defer w.unwound(p)
	for ok := true; ok; {
		if !w.do(p, t) {
			return
		}
		if ok = p.park(w); ok {
			t, ok = <-w.task
		}
	}
}

// do reports whether the worker can be used again: not after its incarnation was fenced off.
func (w *worker) do(p *pool, t task) bool {
	if t.job != nil {
		t.job()
		return true
	}
	if w.frame == nil {
		w.frame = newFrame(p.eng)
	}
	if t.launch {
		return w.frame.launch()
	}
	if t.start {
		return w.frame.bring(t.inc, false)
	}
	return w.frame.activate(t.inc)
}

func (w *worker) unwound(p *pool) {
	if w.frame == nil {
		return
	}
	w.frame.rest()
	if w.frame.launching { // a factory ended the goroutine
		p.eng.launcher.left()
	}
	if inc := w.frame.unwound(); inc != nil {
		p.run(inc)
	}
}

// park makes the worker available, or reports that it is not needed any more.
func (p *pool) park(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.parked) >= maxParked {
		return false
	}
	p.parked = append(p.parked, w)
	if !p.sweeps {
		p.sweeps = true
		p.low = len(p.parked)
		p.eng.clock.AfterFunc(parkedSpell, p.sweep)
	}
	return true
}

// sweep lets go of the workers that were parked all the time since the last sweep.
func (p *pool) sweep() {
	p.mu.Lock()
	idle := min(p.low, len(p.parked))
	release := append([]*worker(nil), p.parked[:idle]...)
	p.parked = append(p.parked[:0], p.parked[idle:]...)
	clear(p.parked[len(p.parked):cap(p.parked)])
	p.low = len(p.parked)
	p.sweeps = len(p.parked) > 0 && !p.closed
	if p.sweeps {
		p.eng.clock.AfterFunc(parkedSpell, p.sweep)
	}
	p.mu.Unlock()
	for _, w := range release {
		close(w.task)
	}
}

// close lets all parked workers go; those at work follow when they are done. Tasks still run.
func (p *pool) close() {
	p.mu.Lock()
	release := p.parked
	p.parked, p.closed = nil, true
	p.mu.Unlock()
	for _, w := range release {
		close(w.task)
	}
}
