package breaker

import "errors"

// Errors that callers tell apart with errors.Is.
var (
	// ErrRefused is returned by Do when the breaker did not let the call pass.
	ErrRefused = errors.New("breaker: call refused")
	// ErrPolicy is wrapped by every error of Validate.
	ErrPolicy = errors.New("breaker: invalid policy")
	// ErrNoClock is returned by Do on a breaker that was made without WithClock.
	ErrNoClock = errors.New("breaker: Do needs a clock, make the breaker with WithClock")
)
