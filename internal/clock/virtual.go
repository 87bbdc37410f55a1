package clock

import (
	"math"
	"sync"
	"time"
)

// Virtual is a clock that moves only when Advance is called. Due functions run
// on the goroutine that advances, in order of their deadlines, and first come
// first served at equal deadlines. It is safe for concurrent use, but only one
// goroutine may be inside Advance.
type Virtual struct {
	mu    sync.Mutex
	wheel wheel
	epoch time.Time
}

// NewVirtual returns a clock whose Now is zero and whose Wall is start.
func NewVirtual(start time.Time) *Virtual {
	return &Virtual{epoch: start}
}

// Now returns the nanoseconds that the clock has been advanced.
func (v *Virtual) Now() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.wheel.now
}

// Wall returns the start given to NewVirtual plus Now.
func (v *Virtual) Wall() time.Time { return v.epoch.Add(time.Duration(v.Now())) }

// Moment returns Now and the Wall that belongs to it.
func (v *Virtual) Moment() (now int64, wall time.Time) {
	now = v.Now()
	return now, v.epoch.Add(time.Duration(now))
}

// AfterFunc calls f from the Advance that reaches d from now. A deadline beyond
// the end of int64 nanoseconds (292 years) is moved to that end.
func (v *Virtual) AfterFunc(d time.Duration, f func()) Timer {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := &entry{at: deadline(v.wheel.now, d), f: f}
	v.wheel.insert(e)
	return &virtualTimer{clock: v, entry: e}
}

// Next returns the earliest pending deadline, or false when nothing is pending.
// It looks through one slot of the wheel, usually a few timers.
func (v *Virtual) Next() (int64, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.wheel.next()
}

// Advance moves the clock to the moment to and runs all that is due on the way,
// also what those functions schedule, each with Now at its own deadline. A
// moment in the past moves nothing and runs nothing.
func (v *Virtual) Advance(to int64) {
	for {
		v.mu.Lock()
		e := v.wheel.pop(to)
		v.mu.Unlock()
		if e == nil {
			return
		}
		e.f()
	}
}

type virtualTimer struct {
	clock *Virtual
	entry *entry
}

func (t *virtualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.clock.wheel.remove(t.entry)
}

func deadline(now int64, d time.Duration) int64 {
	switch {
	case d <= 0:
		return now
	case int64(d) > math.MaxInt64-now:
		return math.MaxInt64
	}
	return now + int64(d)
}
