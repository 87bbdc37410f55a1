package kernel

import (
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine/guard"
)

// race is the tries of one hedged attempt.
type race struct {
	mu    sync.Mutex
	out   int // tries that have not ended
	won   bool
	value any
	err   error
	wait  guard.Waking // of the caller, while it waits
}

// over needs the lock.
func (r *race) over() bool { return r.won || r.out == 0 }

// Hedge implements guard.Env. Each try has a caller of its own; when one has won or the caller must stop, the others are
// cancelled and waited for, so that none of them looks at the call any more.
func (p *Passage) Hedge(after time.Duration, most int, more func() bool, try func(int) (any, error)) (any, error) {
	r := &race{}
	var stop error
	for i := 1; i <= most && (i == 1 || more()); i++ {
		until := p.c.Now() + after
		if i == most {
			until = 0
		}
		p.launch(r, i, try)
		over, err := p.await(r, until)
		if over {
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

func (p *Passage) launch(r *race, i int, try func(int) (any, error)) {
	sub := p.c.Another(false)
	p.mu.Lock()
	p.hedged = append(p.hedged[:i-1], sub)
	p.mu.Unlock()
	r.mu.Lock()
	r.out++
	r.mu.Unlock()
	p.c.Go(func() {
		v, err := try(i)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.out--
		if !r.won {
			r.value, r.err, r.won = v, err, err == nil
		}
		if r.wait != nil {
			r.wait.Wake()
		}
	})
}

// maker is who makes a try.
func (p *Passage) maker(hedge int) Caller {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = true
	return p.hedged[hedge-1]
}

// await waits until a try has won or all have ended, which it reports, or until a time, 0 for never. An error says that the
// caller must stop.
func (p *Passage) await(r *race, until time.Duration) (over bool, err error) {
	for {
		r.mu.Lock()
		if r.over() {
			r.mu.Unlock()
			return true, nil
		}
		r.wait = p.c.Begin(until)
		r.mu.Unlock()
		switch err := p.c.Await(); err {
		case nil:
		case guard.ErrTooLate:
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.over(), nil
		default:
			return true, err
		}
	}
}

// recall cancels the tries that are still out and waits for them, with a caller that nobody interrupts.
func (p *Passage) recall(r *race) {
	w := p.c.Another(false)
	for {
		r.mu.Lock()
		if r.out == 0 {
			r.mu.Unlock()
			break
		}
		r.wait = w.Begin(0)
		r.mu.Unlock()
		for _, sub := range p.hedged {
			sub.Cancel()
		}
		_ = w.Await()
	}
	w.Dismiss()
	for _, sub := range p.hedged {
		sub.Dismiss()
	}
	p.hedged = p.hedged[:0]
}
