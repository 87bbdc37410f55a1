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

// pool runs activations on workers. What is to be run waits in one queue. Parked workers are woken last in first out, so
// that the warm ones work and the cold ones can be let go; when none is parked a new one starts.
//
// While something waits, one worker is on its way and has not taken anything yet (waking). It takes one task and, if more
// wait, wakes another before it begins. So a handler that blocks keeps only its own worker and starves nobody, and a burst of
// tasks that do not block is run by as many workers as there are processors, and one.
type pool struct {
	eng *Engine

	mu     sync.Mutex
	queue  tasks
	waking bool
	parked []*worker
	low    int // fewest parked since the last sweep: those were not needed
	sweeps bool
	closed bool
	all    sync.WaitGroup
}

// worker is one goroutine that runs one task after another. Whoever takes it from the parked ones owns the right to
// wake it, once, or to close wake: it ends then.
type worker struct {
	wake  chan struct{}
	woken bool // on its way: nothing taken yet
	frame *frame
}

// task is an activation or a job.
type task struct {
	inc    *incarnation
	start  bool // the incarnation is brought up
	launch bool // those that wait in the launcher are brought up
	job    func()
}

// tasks is a first-in first-out ring.
type tasks struct {
	ring    []task
	head, n int
}

func (q *tasks) push(t task) {
	if q.n == len(q.ring) {
		wider := make([]task, max(16, 2*len(q.ring)))
		copied := copy(wider, q.ring[q.head:])
		copy(wider[copied:], q.ring[:q.head])
		q.ring, q.head = wider, 0
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = t
	q.n++
}

// pop needs a task. A ring that a great burst has grown is let go.
func (q *tasks) pop() task {
	t := q.ring[q.head]
	q.ring[q.head] = task{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	if q.n--; q.n == 0 && len(q.ring) > mostKept {
		q.ring, q.head = nil, 0
	}
	return t
}

func (p *pool) run(inc *incarnation) { p.dispatch(task{inc: inc}) }

// spawn runs a job on a worker. Jobs may block.
func (p *pool) spawn(job func()) { p.dispatch(task{job: job}) }

func (p *pool) dispatch(t task) {
	p.mu.Lock()
	p.queue.push(t)
	if p.waking {
		p.mu.Unlock()
		return
	}
	p.rouse()
}

// rouse sends a worker on its way. It is called with the lock and returns without it.
func (p *pool) rouse() {
	p.waking = true
	if n := len(p.parked); n > 0 {
		w := p.parked[n-1]
		p.parked[n-1] = nil
		p.parked = p.parked[:n-1]
		p.low = min(p.low, n-1)
		p.mu.Unlock()
		w.wake <- struct{}{}
		return
	}
	p.all.Add(1)
	p.mu.Unlock()
	w := &worker{wake: make(chan struct{}, 1), woken: true}
	go w.work(p)
}

// work is a worker's life. When a handler ends its goroutine (runtime.Goexit) the deferred call settles its message.
func (w *worker) work(p *pool) {
	defer p.all.Done()
	defer w.unwound(p)
	for {
		t, ok := p.next(w)
		if !ok || !w.do(p, t) {
			return
		}
	}
}

// next gives a worker what to do. When nothing waits it parks; false says that it is not needed any more.
func (p *pool) next(w *worker) (t task, ok bool) {
	for {
		p.mu.Lock()
		if w.woken {
			w.woken, p.waking = false, false
		}
		if p.queue.n > 0 {
			t = p.queue.pop()
			if p.queue.n > 0 && !p.waking {
				p.rouse()
			} else {
				p.mu.Unlock()
			}
			return t, true
		}
		if !p.park(w) {
			p.mu.Unlock()
			return t, false
		}
		p.mu.Unlock()
		if _, w.woken = <-w.wake; !w.woken {
			return t, false
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
	f := w.frame
	switch {
	case t.launch:
		f.launches = true
	case t.start:
		if !f.bring(t.inc, false) {
			return false
		}
	default:
		f.ahead = t.inc
	}
	return f.oblige()
}

// oblige does what the frame's worker owes after what it did, and what it owes after that. Starts come first: they wait
// for nobody else, while an activation may take long.
func (f *frame) oblige() bool {
	for {
		switch ahead := f.ahead; {
		case f.launches:
			f.launches = false
			if !f.launch() {
				return false
			}
		case ahead != nil:
			f.ahead = nil
			if !f.activate(ahead) {
				return false
			}
		default:
			return true
		}
	}
}

func (w *worker) unwound(p *pool) {
	if w.frame == nil {
		return
	}
	w.frame.rest()
	if w.frame.launching { // a factory ended the goroutine
		w.frame.dying = true
		w.frame.tellUps()
		p.eng.launcher.left()
	}
	if inc := w.frame.unwound(); inc != nil {
		p.run(inc)
	}
}

// park makes the worker available, or reports that it is not needed any more. It needs the lock.
func (p *pool) park(w *worker) bool {
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
		close(w.wake)
	}
}

// close lets all parked workers go; those at work follow when they are done. Tasks still run.
func (p *pool) close() {
	p.mu.Lock()
	release := p.parked
	p.parked, p.closed = nil, true
	p.mu.Unlock()
	for _, w := range release {
		close(w.wake)
	}
}
