package live

import (
	"sync"
	"time"
)

// race is the tries of one hedged attempt.
type race struct {
	mu    sync.Mutex
	out   int // tries that have not ended
	won   bool
	value any
	err   error
	wait  ticket // of the caller, while it waits
}

// Hedge implements guard.Env. Tries run on workers, each with a caller of its own; when one has won or the caller must
// stop, the others are interrupted and waited for, so that none of them looks at the call any more.
func (p *passage) Hedge(after time.Duration, most int, more func() bool, try func(int) (any, error)) (any, error) {
	e := p.c.eng
	r := &race{}
	var stop error
	for i := 1; i <= most; i++ {
		if i > 1 && !more() {
			break
		}
		until := e.now() + after
		if i == most {
			until = 0
		}
		p.launch(r, i, try)
		if over, err := p.await(r, until); over {
			stop = err
			break
		}
	}
	if stop == nil {
		_, stop = p.await(r, 0)
	}
	p.recall(r)
	r.mu.Lock()
	defer r.mu.Unlock()
	if stop != nil && !r.won {
		return nil, stop
	}
	return r.value, r.err
}

func (p *passage) launch(r *race, i int, try func(int) (any, error)) {
	e := p.c.eng
	sub := e.outside.take()
	sub.view = p.c.view
	p.mu.Lock()
	p.hedged = append(p.hedged[:i-1], sub)
	p.mu.Unlock()
	r.mu.Lock()
	r.out++
	r.mu.Unlock()
	e.pool.spawn(func() {
		v, err := try(i)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.out--
		if !r.won {
			r.value, r.err, r.won = v, err, err == nil
		}
		r.wait.settle(nil, nil)
	})
}

// await waits until a try has won or all have ended, which it reports, or until a time, 0 for never. An error says
// that the caller must stop.
func (p *passage) await(r *race, until time.Duration) (over bool, err error) {
	for {
		r.mu.Lock()
		if r.won || r.out == 0 {
			r.mu.Unlock()
			return true, nil
		}
		r.wait = p.c.begin(forTime, nil, until)
		r.mu.Unlock()
		if _, err := p.c.wait(); err != nil {
			return true, p.c.tell(err)
		}
		if until > 0 && p.c.eng.now() >= until {
			r.mu.Lock()
			over := r.won || r.out == 0
			r.mu.Unlock()
			return over, nil
		}
	}
}

// recall interrupts the tries that are still out and waits for them.
func (p *passage) recall(r *race) {
	e := p.c.eng
	r.mu.Lock()
	left := r.out
	r.mu.Unlock()
	w := newWaiter(e.clock)
	for left > 0 {
		for _, sub := range p.hedged {
			sub.spoiled = true
			sub.interrupt(stopCanceled)
		}
		r.mu.Lock()
		if left = r.out; left > 0 {
			r.wait = w.begin(forTime, nil, nil, 0)
			r.mu.Unlock()
			_, _ = w.wait()
			continue
		}
		r.mu.Unlock()
	}
	for _, sub := range p.hedged {
		e.outside.put(sub)
	}
}
