package breaker

import (
	"fmt"
	"sync"
	"time"
)

// BulkheadPolicy bounds how many calls run and wait at once.
type BulkheadPolicy struct {
	// Concurrent is how many calls may run at once, from 1 to 1<<20.
	Concurrent int
	// Queue is how many more may wait for a place, in the order they came; 0 refuses at once. At most 1<<20.
	Queue int
	// Wait is how long a call may wait before it is refused; 0 means as long as its caller does.
	Wait time.Duration
}

// maxPlaces bounds a bulkhead's places and its queue.
const maxPlaces = 1 << 20

// Validate returns an error that wraps ErrPolicy and names the field, its value and the way out.
func (p BulkheadPolicy) Validate() error {
	switch {
	case p.Concurrent < 1 || p.Concurrent > maxPlaces:
		return invalid("bulkhead.concurrent", p.Concurrent, fmt.Sprintf("1 to %d", maxPlaces))
	case p.Queue < 0 || p.Queue > maxPlaces:
		return invalid("bulkhead.queue", p.Queue, fmt.Sprintf("0 to %d", maxPlaces))
	case p.Wait < 0:
		return invalid("bulkhead.wait", p.Wait, "0 or more")
	}
	return nil
}

// Entry is the answer to Bulkhead.Enter.
type Entry uint8

const (
	// Refused means that every place and the queue are full.
	Refused Entry = iota
	// Entered means that the call may run; it must Leave when it ends.
	Entered
	// Queued means that the call waits for its ticket to be called; it must Leave as well, or Abandon the ticket.
	Queued
)

// Ticket is a place in a bulkhead's queue. Tickets grow from 1 in the order they were given; 0 is none.
type Ticket uint64

// Bulkhead keeps account of who runs and who waits; the waiting itself is its caller's. A caller that is Queued parks
// until its ticket is called, by the Leave of another, or until the deadline it was given, when it calls Abandon.
// Places go to tickets strictly in the order they were given. All methods are safe for concurrent use.
type Bulkhead struct {
	mu      sync.Mutex
	policy  BulkheadPolicy
	running int
	next    Ticket
	waiting []waiter // oldest first; abandoned ones keep their place until they reach the head
	gone    int      // abandoned ones in waiting
	refused uint64
}

type waiter struct {
	ticket    Ticket
	abandoned bool
}

// NewBulkhead returns an empty bulkhead, or an error that wraps ErrPolicy.
func NewBulkhead(p BulkheadPolicy) (*Bulkhead, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &Bulkhead{policy: p}, nil
}

// Enter asks for a place. If the answer is Queued, the ticket is the caller's in the queue and until is when it has
// waited long enough (Never if the policy sets no limit).
func (b *Bulkhead) Enter(now int64) (entry Entry, ticket Ticket, until int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// Nobody waits while there is a place: Leave and SetPolicy call the waiters.
	if b.running < b.policy.Concurrent {
		b.running++
		return Entered, 0, 0
	}
	if b.queued() >= b.policy.Queue {
		b.refused++
		return Refused, 0, 0
	}
	b.next++
	b.waiting = append(b.waiting, waiter{ticket: b.next})
	until = Never
	if b.policy.Wait > 0 {
		until = satAdd(now, int64(b.policy.Wait))
	}
	return Queued, b.next, until
}

// Leave ends a call that ran. If a waiter gets the place, its ticket is returned and the caller of Leave must wake it;
// the place is the waiter's already. 0 means nobody waits.
func (b *Bulkhead) Leave() Ticket {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running > 0 {
		b.running--
	}
	return b.call()
}

// Abandon gives up a ticket that waits and reports true. It reports false if the ticket was called meanwhile: then
// the place is the caller's, who must use it or Leave.
func (b *Bulkhead) Abandon(ticket Ticket) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.find(ticket)
	if at < 0 || b.waiting[at].abandoned {
		return false
	}
	b.waiting[at].abandoned = true
	b.gone++
	b.trim()
	return true
}

// SetPolicy changes the limits. Who runs and who waits stays; the tickets that may run now are returned, in order,
// and must be woken.
func (b *Bulkhead) SetPolicy(p BulkheadPolicy) ([]Ticket, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.policy = p
	var called []Ticket
	for ticket := b.call(); ticket != 0; ticket = b.call() {
		called = append(called, ticket)
	}
	return called, nil
}

// BulkheadSnapshot is what a bulkhead looks like at one moment.
type BulkheadSnapshot struct {
	Running, Waiting int
	// Refused counts the calls refused since the bulkhead was made.
	Refused uint64
}

// Snapshot returns who runs and waits.
func (b *Bulkhead) Snapshot() BulkheadSnapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return BulkheadSnapshot{Running: b.running, Waiting: b.queued(), Refused: b.refused}
}

func (b *Bulkhead) queued() int { return len(b.waiting) - b.gone }

// call gives a free place to the oldest waiter.
func (b *Bulkhead) call() Ticket {
	if b.running >= b.policy.Concurrent || b.queued() == 0 {
		return 0
	}
	b.trim()
	ticket := b.waiting[0].ticket
	b.waiting = b.waiting[1:]
	b.trim()
	b.running++
	return ticket
}

// trim drops abandoned tickets from the head, and from everywhere once they are most of the queue.
func (b *Bulkhead) trim() {
	for len(b.waiting) > 0 && b.waiting[0].abandoned {
		b.waiting = b.waiting[1:]
		b.gone--
	}
	if b.gone > 16 && b.gone > len(b.waiting)/2 {
		kept := b.waiting[:0]
		for _, w := range b.waiting {
			if !w.abandoned {
				kept = append(kept, w)
			}
		}
		b.waiting, b.gone = kept, 0
	}
	if len(b.waiting) == 0 {
		b.waiting = nil
	}
}

// find is where the ticket waits. Tickets in the queue are sorted, since they are given in order.
func (b *Bulkhead) find(ticket Ticket) int {
	low, high := 0, len(b.waiting)
	for low < high {
		middle := (low + high) / 2
		if b.waiting[middle].ticket < ticket {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(b.waiting) && b.waiting[low].ticket == ticket {
		return low
	}
	return -1
}
