package kernel

import (
	"github.com/lukhasai/lukhas-run/engine"
)

// The reasons for dead letters.
const (
	Full      = "mailbox full"
	Dropped   = "dropped for a newer message"
	Poison    = "killed its actor"
	Restart   = "dropped at restart"
	Stopped   = "actor stopped"
	Removed   = "actor removed"
	Expired   = "asker gone"
	InFlight  = "in_flight"
	Refused   = "quarantined"
	Emergency = "emergency"
)

// Refuse is the error for a message that was not delivered to an actor or group, by path, and why.
func Refuse(path, why string) *engine.Error {
	return &engine.Error{Kind: engine.KindRefused, Message: why, By: path}
}

// Unreachable is the error for a message to an actor that is no more.
func Unreachable(path, why string) *engine.Error {
	return &engine.Error{Kind: engine.KindUnreachable, Message: why, By: path}
}

// CutShort is what the asker of a message is told whose handler was stopped.
func CutShort(path, why string) *engine.Error {
	return &engine.Error{Kind: engine.KindUnreachable, Message: why, By: path, Delivered: true}
}

// Late is what the asker is told when no answer came in time.
func Late(path string) *engine.Error {
	return &engine.Error{Kind: engine.KindTimeout, Message: "no answer in time", By: path, Delivered: true}
}

// Untyped answers a message without a type.
func Untyped() error {
	return &engine.Error{Kind: engine.KindInvalid, Message: "a message needs a type"}
}
