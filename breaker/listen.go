package breaker

// maxWaiting is how many transitions may wait for the listener.
const maxWaiting = 64

// audience is who listens to a breaker and what is still to be told. Guarded by the breaker's mutex.
type audience struct {
	listener func(Transition)
	queue    []Transition
	telling  bool // some goroutine is telling; it goes on until the queue is empty
	dropped  uint64
}

// hear queues a transition, or drops it if the listener is too far behind.
func (a *audience) hear(t Transition) {
	if len(a.queue) >= maxWaiting {
		a.dropped++
		return
	}
	a.queue = append(a.queue, t)
}

func (a *audience) waiting() bool { return len(a.queue) > 0 && !a.telling }

// Listen sets who is told of transitions: after the lock is released, in order, on the goroutine that caused the
// change or on one that is already telling. At most 64 wait; more are dropped and counted. The listener may call
// the breaker. A nil listener ends it.
func (b *Breaker) Listen(listener func(Transition)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.audience == nil {
		b.audience = new(audience)
	}
	b.audience.listener = listener
	if listener == nil {
		b.machine.tell = nil
		b.audience.queue = nil
		return
	}
	b.machine.tell = b.audience.hear
}

// perform tells what waits. It is called with the mutex held and frees it while the listener runs.
func (b *Breaker) perform() {
	a := b.audience
	a.telling = true
	finished := false
	defer func() {
		// A listener that panics must not silence the next ones.
		if !finished {
			b.mu.Lock()
		}
		a.telling = false
		b.mu.Unlock()
	}()
	for len(a.queue) > 0 && a.listener != nil {
		t, listener := a.queue[0], a.listener
		a.queue = a.queue[1:]
		b.mu.Unlock()
		listener(t)
		b.mu.Lock()
	}
	if len(a.queue) == 0 {
		a.queue = nil
	}
	finished = true
}
