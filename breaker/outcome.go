package breaker

import "time"

// Outcome says how an admitted call ended: Success, Ignored, or a failure. Any other text is a failure of that
// class, so the text an outcome expression yields converts directly: Outcome("timeout").
type Outcome string

const (
	// Success is a call that ended well; it may still count as slow.
	Success Outcome = "success"
	// Ignored is a call that says nothing about the callee, such as one its caller gave up. It is counted apart
	// and gives a probe's slot back.
	Ignored Outcome = "ignored"
	// Failed is a failure without a class.
	Failed Outcome = "failure"
)

// Failure returns the outcome of a failed call of that class; an empty class is Failed.
func Failure(class string) Outcome {
	if class == "" {
		return Failed
	}
	return Outcome(class)
}

// IsFailure reports whether the outcome counts against the callee.
func (o Outcome) IsFailure() bool { return o != Success && o != Ignored }

// Permit is what an admitted call holds until it is handed to Done, exactly once. It is a plain value: losing it
// leaks nothing but a probe's slot, which its lease gives back. The zero Permit was never admitted, Done ignores it.
type Permit struct {
	start int64 // when the call was admitted
	// id is the word the breaker had published: low bits of the generation, never 0 in a real permit, above the flags;
	// for a probe its number within its half-open period, from 1, stands where an ordinary permit has 0.
	id uint64
}

// A word is a generation's low bits, two flags and the number of a probe.
const (
	genShift   = 32
	flagQuiet  = 1 << 31 // a success changes nothing
	flagRefuse = 1 << 30 // a call before Breaker.until is refused without the lock
	probeMask  = flagRefuse - 1
)

func (p Permit) gen() uint32   { return uint32(p.id >> genShift) }
func (p Permit) probe() uint32 { return uint32(p.id & probeMask) }

// Start returns the time the call was admitted, as it was given to Allow.
func (p Permit) Start() int64 { return p.start }

// Probe reports whether the call is a probe of a half-open breaker.
func (p Permit) Probe() bool { return p.probe() != 0 }

// Valid reports whether the permit was handed out by an admitting Allow.
func (p Permit) Valid() bool { return p.id != 0 }

// Verdict is the answer to Allow.
type Verdict struct {
	// Admitted tells whether the call may pass.
	Admitted bool
	// Probe tells that the call is one of the few let through to test the callee.
	Probe bool
	// RetryAfter is how long a refused caller should wait before it can hope to pass; 0 if nobody knows.
	RetryAfter time.Duration
}
