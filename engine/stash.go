package engine

import "fmt"

// Stashable tells both runtimes whether the message at hand may be put aside: nil, ErrStashFull or an error that wraps
// ErrNoStash. Single tells that the actor handles one message at a time, aside how many are put aside or back and not taken
// again yet, room the mailbox's capacity.
func Stashable(m *Msg, single, answered bool, aside, room int) error {
	switch {
	case m.Type == "":
		return fmt.Errorf("%w: there is none at hand", ErrNoStash)
	case !single:
		return fmt.Errorf("%w: the actor's concurrency is not 1, so there is no order to keep", ErrNoStash)
	case answered:
		return fmt.Errorf("%w: it was answered", ErrNoStash)
	case aside >= room:
		return fmt.Errorf("%w: %d messages are aside, capacity %d", ErrStashFull, aside, room)
	}
	return nil
}
