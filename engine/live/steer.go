package live

import (
	"context"
	"errors"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// Command gives an operator's wish to the Machine and waits for its verdict. The error says why it was not done.
func (e *Engine) Command(ctx context.Context, action engine.Steer, by string) error {
	ch := make(chan string, 1)
	c := &e.control
	c.mu.Lock()
	c.numbers++
	n := c.numbers
	c.answers[n] = ch
	c.mu.Unlock()
	e.drain()
	e.happen(kernel.Wish(n, action, by))
	select {
	case verdict := <-ch:
		if verdict != "" {
			return errors.New(verdict)
		}
		return nil
	case <-ctx.Done():
	case <-e.done:
	}
	c.mu.Lock()
	delete(c.answers, n)
	c.mu.Unlock()
	e.drain()
	select {
	case verdict := <-ch:
		if verdict == "" {
			return nil
		}
		return errors.New(verdict)
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.New("the engine has ended")
}

// Steer lets a behaviour ask for steering.
func (f *frame) Steer(by string, a engine.Steer) {
	f.eng.happen(kernel.Wish(0, a, f.inc.a.Path()+"/"+by))
}

// healthy tells the Machine of a health check's change. A check that comes after its incarnation's end says nothing about the next.
func (e *Engine) healthy(inc *incarnation, ok bool, why string) {
	a := inc.a
	a.mu.Lock()
	late := a.inc != inc || inc.stage() == kernel.StageGone
	if !late {
		a.mark(kernel.UnfitSick, !ok)
	}
	a.mu.Unlock()
	if !late {
		e.happen(inc.life().Healthy(ok, why))
	}
}
