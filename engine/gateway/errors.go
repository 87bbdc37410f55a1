package gateway

import "errors"

// Errors of Prepare; they are wrapped with the listener's name and address.
var (
	// ErrInUse is given when another program, or another listener, has the address.
	ErrInUse = errors.New("is in use")
	// ErrAddress is given when the address cannot be listened on.
	ErrAddress = errors.New("cannot be listened on")
	// ErrTLS is given when certificate and key cannot be loaded.
	ErrTLS = errors.New("cannot load the certificate")
)

// Errors of a request's body, seen by whoever reads it.
var (
	errBodyTooLarge = errors.New("the request's body is too large")
	errBodyStale    = errors.New("the request's body is being sent again")
	errBodyGone     = errors.New("the request's body is too long to be sent again")
)
