package kernel

import (
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
)

// Purpose is what a wait is for; it decides what its deadline means.
type Purpose uint8

// The purposes.
const (
	ForTime   Purpose = iota // the deadline is what is waited for
	ForAnswer                // of an actor
	ForRoom                  // in an actor's mailbox
	ForTurn                  // in a bulkhead's queue: the deadline says that it took too long
	ForState                 // an actor's, to be shown
)

// Late is the error of a wait whose deadline came first; path is the actor's.
func (p Purpose) Late(path string) error {
	switch p {
	case ForAnswer:
		return Late(path)
	case ForRoom:
		return Refuse(path, Full)
	case ForTurn:
		return guard.ErrTooLate
	case ForState:
		return Unturned(path)
	}
	return nil
}

// Leave is why a caller must stop waiting.
type Leave uint8

// The reasons.
const (
	Stays         Leave = iota // it need not
	LeaveStopped               // its incarnation ends
	LeaveCanceled              // whoever asked goes on without it
)

// Err is what a wait ends with then.
func (l Leave) Err() error {
	switch l {
	case LeaveStopped:
		return engine.ErrStopped
	case LeaveCanceled:
		return &engine.Error{Kind: engine.KindCanceled, Message: "the asker went away"}
	}
	return nil
}
