package rules

import "errors"

var (
	// ErrNotCondition is given when a condition came to something else than true or false.
	ErrNotCondition = errors.New("condition must be true/false")
	// ErrNotNumber is given when a wanted number came to something else, or is not finite.
	ErrNotNumber = errors.New("not a finite number")
	// ErrNotText is given when a wanted text came to something else.
	ErrNotText = errors.New("not text")
)
