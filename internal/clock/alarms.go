package clock

// Alarms are pending calls in the order of Virtual, for one goroutine and without a lock: a simulation sets and takes back
// millions of them, so the records belong to the caller and setting one allocates nothing. The zero value starts at 0.
type Alarms struct {
	wheel wheel
	count int
}

// Alarm is one call to come. The zero value is ready; it must not be copied while it is set.
type Alarm struct{ entry entry }

// Set makes f due at a moment, now if that is past. An alarm that is set already is moved.
func (s *Alarms) Set(a *Alarm, at int64, f func()) {
	s.Cancel(a)
	a.entry.at, a.entry.f = max(at, s.wheel.now), f
	s.wheel.insert(&a.entry)
	s.count++
}

// Cancel takes an alarm back and reports whether it was set.
func (s *Alarms) Cancel(a *Alarm) bool {
	if !s.wheel.remove(&a.entry) {
		return false
	}
	s.count--
	return true
}

// Pop moves the time to the next alarm due at or before to and gives its call, first come first served at equal moments.
// When none is due it moves the time to to and gives nil.
func (s *Alarms) Pop(to int64) func() {
	e := s.wheel.pop(to)
	if e == nil {
		return nil
	}
	s.count--
	return e.f
}

// Now is the time.
func (s *Alarms) Now() int64 { return s.wheel.now }

// Len is how many alarms are set.
func (s *Alarms) Len() int { return s.count }

// IsSet tells whether the alarm is to come.
func (a *Alarm) IsSet() bool { return a.entry.queued }
