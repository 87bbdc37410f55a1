// Package observe reads the engine's one stream of events and its counters, and makes of them what people and rules look
// at: live lines and logs, windows of rates and latencies, samples that go back to the Machine as inputs.
package observe

import (
	"slices"
	"sync"

	"github.com/lukhasai/lukhas-run/journal"
)

// Stream hands each published event to every subscriber, in order, and keeps the newest ones for those who come later. A
// subscriber that does not keep up loses its oldest events and is told how many: it never holds up the engine. Safe for
// concurrent use.
type Stream struct {
	mu     sync.Mutex
	recent []journal.Event // ring of the newest; next is where the next one goes
	next   int
	subs   []*Subscription
	closed bool
}

// NewStream makes a stream that keeps the newest keep events, at least one.
func NewStream(keep int) *Stream { return &Stream{recent: make([]journal.Event, 0, max(keep, 1))} }

// Publish adds an event.
func (s *Stream) Publish(e journal.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.recent) < cap(s.recent) {
		s.recent = append(s.recent, e)
	} else {
		s.recent[s.next] = e
	}
	s.next = (s.next + 1) % cap(s.recent)
	for _, sub := range s.subs {
		sub.offer(e)
	}
}

// Recent gives the kept events after a sequence number, oldest first.
func (s *Stream) Recent(after uint64) []journal.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since(after)
}

func (s *Stream) since(after uint64) []journal.Event {
	start := 0
	if len(s.recent) == cap(s.recent) {
		start = s.next
	}
	var out []journal.Event
	for i := range s.recent {
		if e := s.recent[(start+i)%len(s.recent)]; e.Seq > after {
			out = append(out, e)
		}
	}
	return out
}

// Subscribe follows the stream: first the kept events after a sequence number, then all that come. The buffer holds at
// most size waiting events. Close the subscription to end it.
func (s *Stream) Subscribe(size int, after uint64) *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := &Subscription{stream: s, size: max(size, 1), wake: make(chan struct{}, 1)}
	for _, e := range s.since(after) {
		sub.offer(e)
	}
	if s.closed {
		sub.end()
		return sub
	}
	s.subs = append(s.subs, sub)
	return sub
}

// Close ends all subscriptions once they have read what they hold.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, sub := range s.subs {
		sub.end()
	}
	s.subs = nil
}

// Subscription is one reader's place in a Stream, for one goroutine.
type Subscription struct {
	stream *Stream
	size   int
	wake   chan struct{} // holds one: there is something to take

	mu      sync.Mutex
	waiting []journal.Event
	dropped uint64
	ended   bool
}

func (s *Subscription) offer(e journal.Event) {
	s.mu.Lock()
	if len(s.waiting) == s.size {
		s.waiting = slices.Delete(s.waiting, 0, 1+s.size/8) // several at once: deleting moves the rest
		s.dropped += uint64(1 + s.size/8)
	}
	s.waiting = append(s.waiting, e)
	s.mu.Unlock()
	s.signal()
}

func (s *Subscription) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.signal()
}

func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Wake gets a value when Take may have something new, for use in a select.
func (s *Subscription) Wake() <-chan struct{} { return s.wake }

// Take gives what waits, how many events were dropped since the last Take, and false when nothing more will come.
func (s *Subscription) Take() (events []journal.Event, dropped uint64, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, dropped = s.waiting, s.dropped
	s.waiting, s.dropped = nil, 0
	if s.ended {
		s.signal() // the next Wake finds the end too
	}
	return events, dropped, !s.ended
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.stream.mu.Lock()
	s.stream.subs = slices.DeleteFunc(s.stream.subs, func(x *Subscription) bool { return x == s })
	s.stream.mu.Unlock()
	s.end()
}
