package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The kinds of error that the engine itself produces. A callee may answer with a kind of its own.
const (
	KindTimeout     = "timeout"      // no answer in time
	KindCrash       = "crash"        // the callee failed while it had the message
	KindRefused     = "refused"      // shed before delivery: quarantine, limit, open breaker, full mailbox, no replica
	KindUnreachable = "unreachable"  // not running, connection refused or lost
	KindStatus      = "status"       // an HTTP answer that counts as a failure
	KindConsensus   = "no_consensus" // members did not agree
	KindCanceled    = "canceled"     // the asker went away
	KindExpression  = "expression"   // an expression could not be evaluated
	KindStart       = "start"        // an incarnation did not come up
	KindExit        = "exit"         // a process ended
	KindUnhealthy   = "unhealthy"    // a health check failed and says restart
	KindInvalid     = "invalid"      // the message was not understood
)

// Error is how a call fails. The zero Kind is no error.
type Error struct {
	Kind    string
	Message string
	By      string // path of the actor or name of the guard that produced it
	Status  int    // HTTP status, 0 without HTTP
	// Delivered is false when the callee certainly never got the message: retrying is then safe.
	Delivered bool
	// RetryAfter is how long to wait before another try can help, where whoever refused knows it; 0 otherwise.
	RetryAfter time.Duration
}

// Error gives kind, message and source. A nil Error in an error, which is not nil then, is a slip of who returned it.
func (e *Error) Error() string {
	if e == nil {
		return "an *engine.Error that is nil"
	}
	if e.By == "" {
		return fmt.Sprintf("%s: %s", e.Kind, e.Message)
	}
	return fmt.Sprintf("%s by %s: %s", e.Kind, e.By, e.Message)
}

// Errors that say the waiting is over rather than that something is wrong.
var (
	// ErrStopped is returned by blocking calls of a Context when the incarnation must end: return at once.
	ErrStopped = errors.New("the actor is stopping")
	// ErrStashFull is returned by Stash when as many messages are aside as the mailbox may hold.
	ErrStashFull = errors.New("the stash is full")
	// ErrNoStash is returned by Stash for a message that cannot be put aside; the text says why.
	ErrNoStash = errors.New("the message cannot be stashed")
	// ErrNoState is returned to whoever wants to read the state of an actor that has none.
	ErrNoState = errors.New("keeps no state that can be read")
	// ErrUnknownActor is returned for a name or path that the running plan does not have.
	ErrUnknownActor = errors.New("unknown actor")
)

// ErrorOf is err as an *Error: itself where it is or wraps one, canceled or timeout for a context's end, a delivered crash
// for anything else. One without a kind is given that of a crash. It is nil for nil. By fills an Error made here.
func ErrorOf(err error, by string) *Error {
	if err == nil {
		return nil // before own is made: it would cost every call that went well an allocation
	}
	var own *Error
	switch {
	case errors.As(err, &own) && own != nil && own.Kind != "":
		return own
	case own != nil: // to expressions an empty kind is no error
		named := *own
		named.Kind = KindCrash
		return &named
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: KindTimeout, Message: "no answer in time", By: by, Delivered: true}
	case errors.Is(err, context.Canceled), errors.Is(err, ErrStopped):
		return &Error{Kind: KindCanceled, Message: err.Error(), By: by, Delivered: true}
	default:
		return &Error{Kind: KindCrash, Message: err.Error(), By: by, Delivered: true}
	}
}
