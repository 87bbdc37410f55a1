package upstream

import "errors"

// Errors of a definition or a message; they are wrapped with what they are about.
var (
	// ErrURL is given when the upstream's url cannot be used.
	ErrURL = errors.New("not a usable url")
	// ErrPath is given when an operation's path would leave the upstream or cannot be sent.
	ErrPath = errors.New("not a usable path")
	// ErrTooLarge is given when an answer is longer than an upstream may give to a message.
	ErrTooLarge = errors.New("answer is too large")
)
