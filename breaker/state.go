package breaker

import "strconv"

// State is where a breaker stands.
type State uint8

const (
	// Closed lets every call pass and counts outcomes.
	Closed State = iota
	// Open refuses every call until its deadline.
	Open
	// HalfOpen lets a few probes pass and judges by their outcomes.
	HalfOpen
	// Recovering lets a growing share of the calls pass; a trip goes back to Open with a longer wait.
	Recovering
)

// String returns the state's name as the YAML language and the journal write it.
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half_open"
	case Recovering:
		return "recovering"
	}
	return "state(" + strconv.Itoa(int(s)) + ")"
}

// Mode overrides the state machine.
type Mode uint8

const (
	// Normal lets the state machine decide.
	Normal Mode = iota
	// ForcedOpen refuses every call until another mode is set.
	ForcedOpen
	// ForcedClosed admits every call and counts, but never trips.
	ForcedClosed
	// Disabled admits every call and counts nothing.
	Disabled
	// Shadow admits every call, counts, evaluates, and reports when it would have opened.
	Shadow
)

// String returns the mode's name as the YAML language and the journal write it.
func (m Mode) String() string {
	switch m {
	case Normal:
		return "normal"
	case ForcedOpen:
		return "forced_open"
	case ForcedClosed:
		return "forced_closed"
	case Disabled:
		return "disabled"
	case Shadow:
		return "shadow"
	}
	return "mode(" + strconv.Itoa(int(m)) + ")"
}

// ParseMode returns the mode with that name, and whether there is one.
func ParseMode(name string) (Mode, bool) {
	for m := Normal; m <= Shadow; m++ {
		if m.String() == name {
			return m, true
		}
	}
	return Normal, false
}

// Transition is one change of a breaker's state or mode, as told to its listener.
type Transition struct {
	// From and To are the states before and after; they are equal if only the mode changed.
	From, To State
	// Mode is the mode after the change.
	Mode Mode
	// WouldOpen marks what a breaker in Shadow mode would have done: To is Open, the state did not change.
	WouldOpen bool
	// Generation is the generation that began with this change; permits of earlier ones no longer decide anything.
	Generation uint64
	// At is the moment of the change, in the time given by the callers. A deadline that passed unnoticed is told
	// with the time it had, not the time it was noticed.
	At int64
	// Until is when an opened breaker half-opens, when a recovering one closes; Never if nothing is planned.
	Until int64
	// Trigger names what caused the change: consecutive_failures, failures, error_rate, slow_calls, a wired
	// trigger's own name, probe_failed, probe_slow, probe_lost, probes_ignored, probes_passed, open_elapsed, ramp_done,
	// forced, reset.
	Trigger string
	// Values is what the trigger read, ready to print, such as "error_rate 0.6 >= 0.5 (12 of 20 calls)".
	Values string
}

// Never is the deadline of something that is not planned.
const Never int64 = 1<<63 - 1
