package live

import (
	"slices"
	"sync"

	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// maxLaunchers is how many workers make behaviours at once. Making one is quick; what may block has a worker of its own.
const maxLaunchers = 4

// launcher brings up what starts together without a worker for each: a plan may start a million actors at once.
type launcher struct {
	eng     *Engine
	mu      sync.Mutex
	waiting []*incarnation // in the order of their Start effects
	next    int
	at      int // workers at it
}

// add brings an incarnation up soon. It is called under the control lock.
func (l *launcher) add(inc *incarnation) {
	l.mu.Lock()
	if len(l.waiting) == cap(l.waiting) {
		l.waiting = slices.Grow(l.waiting, max(mostUps, len(l.waiting))) // in fewer steps than append
	}
	l.waiting = append(l.waiting, inc)
	v := l.eng.control.volunteer
	more := l.at < maxLaunchers
	if v.frame != nil && v.frame.launching && len(l.waiting) == l.next+1 {
		more = false // it is the next that the volunteer brings up
	}
	if more {
		l.at++
	}
	l.mu.Unlock()
	if more && !v.launches() {
		l.eng.pool.dispatch(task{launch: true})
	}
}

// take gives the next one, or nil when none waits, and how many wait behind it. The worker is not needed any more then, unless it
// stays.
func (l *launcher) take(stays bool) (inc *incarnation, behind int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == len(l.waiting) {
		l.waiting, l.next = nil, 0
		if !stays {
			l.at--
		}
		return nil, 0
	}
	inc = l.waiting[l.next]
	l.waiting[l.next] = nil
	l.next++
	return inc, len(l.waiting) - l.next
}

// left notes that a worker was lost in a factory; another takes its place.
func (l *launcher) left() { l.eng.pool.dispatch(task{launch: true}) }

// launch brings up all that waits. It reports whether the worker may go on. What the last one finds in its mailbox the
// worker handles next; for the others others do, as handlers may take long.
func (f *frame) launch() bool {
	l := &f.eng.launcher
	f.launching = true
	for {
		inc, behind := l.take(len(f.ups) > 0)
		if inc != nil && len(f.arrivals) == 0 {
			f.arrivals = make([]kernel.Arrival, min(1+behind, mostUps))
		}
		switch {
		case inc == nil && len(f.ups) == 0:
			f.launching = false
			return true
		case inc == nil || len(f.ups) >= mostUps:
			f.tellUps()
		}
		if next := f.ahead; next != nil {
			f.ahead = nil
			f.eng.pool.run(next)
		}
		if inc != nil && !f.bring(inc, true) {
			f.launching = false
			f.tellUps()
			l.left()
			return false
		}
	}
}

// mostUps is how many starts a worker at the launcher tells at once: of a few at a time each would cost its own round through
// the control plane's locks.
const mostUps = 32

// tellUps tells of the incarnations that this worker has brought up.
func (f *frame) tellUps() {
	if len(f.ups) == 0 {
		return
	}
	f.eng.reportLast(f, f.ups)
	clear(f.ups)
	f.ups = f.ups[:0]
}
