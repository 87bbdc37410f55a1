package engine

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// spell remembers when a supervisor restarted something, as long as its intensity looks back. It is OTP's
// add_restart: the new restart is added, those older than `within` are dropped, and one more than `max` is too many.
type spell struct {
	times []time.Duration // oldest first, a ring from head
	head  int
	count int
}

// add notes a restart and tells whether it was one too many.
func (s *spell) add(now time.Duration, limit plan.Intensity, wholeSeconds bool) bool {
	s.drop(now, limit.Within, wholeSeconds)
	if s.count >= limit.Max {
		return true // it will give up: no need to remember
	}
	if s.count == len(s.times) {
		s.grow(limit.Max)
	}
	s.times[(s.head+s.count)%len(s.times)] = now
	s.count++
	return false
}

// A supervisor that restarts maxTurns times in one instant would never let time go on where time is virtual; from then
// on each restart takes a breather.
const (
	maxTurns = 100
	breather = time.Millisecond
)

// spinning tells whether the last maxTurns restarts were all made now.
func (s *spell) spinning(now time.Duration) bool {
	return s.count >= maxTurns && s.times[(s.head+s.count-maxTurns)%len(s.times)] == now
}

// drop forgets restarts older than within. Exactly that old still counts, as in OTP.
func (s *spell) drop(now, within time.Duration, wholeSeconds bool) {
	if wholeSeconds {
		now, within = now.Truncate(time.Second), within.Truncate(time.Second)
	}
	for s.count > 0 {
		oldest := s.times[s.head]
		if wholeSeconds {
			oldest = oldest.Truncate(time.Second)
		}
		if now-oldest <= within {
			return
		}
		s.head = (s.head + 1) % len(s.times)
		s.count--
	}
}

// forget drops the restarts made since a moment.
func (s *spell) forget(since time.Duration) {
	for s.count > 0 && s.times[(s.head+s.count-1)%len(s.times)] >= since {
		s.count--
	}
}

// grow makes room, doubling up to limit. A limit that a reload lowered keeps what is already remembered.
func (s *spell) grow(limit int) {
	wider := make([]time.Duration, min(max(4, 2*len(s.times)), limit))
	for i := range s.count {
		wider[i] = s.times[(s.head+i)%len(s.times)]
	}
	s.times, s.head = wider, 0
}
