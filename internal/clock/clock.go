// Package clock is the only place where the engine learns what time it is.
//
// A Clock hands out monotonic nanoseconds, wall time and timers. System reads
// the machine's clock; Virtual stands still until someone advances it, so that
// hours of timers run in milliseconds and always in the same order.
package clock

import "time"

// Clock tells time and calls functions later. Implementations are safe for
// concurrent use.
type Clock interface {
	// Now returns nanoseconds since the clock's start. It never goes back.
	Now() int64
	// Wall returns the calendar time that belongs to this moment. It is for
	// people and records: a system clock may be set back under it, so no
	// decision is made from it.
	Wall() time.Time
	// Moment returns Now and Wall of one reading, which costs less than both.
	Moment() (now int64, wall time.Time)
	// AfterFunc calls f once, d from now; d <= 0 means as soon as possible.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is one pending call made by AfterFunc.
type Timer interface {
	// Stop cancels the call and reports whether it did. When it returns false
	// the function has run, is running or was already stopped, so the caller
	// must still expect its effects.
	Stop() bool
}

// System returns a clock that starts at zero now and follows the machine.
// Its timers call their functions on goroutines of their own.
func System() Clock { return system{start: time.Now()} }

type system struct{ start time.Time }

func (s system) Now() int64      { return int64(time.Since(s.start)) }
func (s system) Wall() time.Time { return time.Now() }

func (s system) Moment() (now int64, wall time.Time) {
	wall = time.Now()
	return int64(wall.Sub(s.start)), wall
}

func (s system) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
