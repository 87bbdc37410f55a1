package sim

import "errors"

// The errors of a run.
var (
	// ErrSpin is given when one moment has more turns than Options.MaxTurns: actors wake one another without end.
	ErrSpin = errors.New("the simulation spins")
	// ErrStuck is given when a handler has not come back and does not wait in its Context either.
	ErrStuck = errors.New("a handler blocks outside its Context")
	// ErrNested is given when Run is called by a function that Run calls.
	ErrNested = errors.New("the simulation runs already")
	// ErrCheat is given by Close when a behaviour broke the rules that make a run repeatable.
	ErrCheat = errors.New("a behaviour cheats")
	// ErrClosed is given after Close.
	ErrClosed = errors.New("the simulation is closed")
)
