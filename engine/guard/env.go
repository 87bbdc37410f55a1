package guard

import (
	"errors"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/rules"
)

// Env is what a guard needs of the runtime for one call. It is used by the calling goroutine only, but for Waking.
type Env interface {
	// Now is the engine's time; it moves on with each wait.
	Now() time.Duration
	// Rand is a random number for this call; equal keys give equal numbers within the call.
	Rand(key uint64) uint64
	// Sleep waits. An error says that the caller must stop.
	Sleep(d time.Duration) error
	// Begin prepares a wait that ends with Wake or at the engine time until, 0 for never; Await waits. Await returns nil
	// when woken, ErrTooLate at the end, another error when the caller must stop.
	Begin(until time.Duration) Waking
	Await() error
	// Hedge runs try(1), and try(2) and so on, up to most, each when after has passed without an answer and more agrees.
	// The first answer wins; when none succeeds, the last error is the result. Tries may run at the same time.
	Hedge(after time.Duration, most int, more func() bool, try func(i int) (any, error)) (any, error)
	// Ask asks another actor, for a fallback.
	Ask(to string, m engine.Msg, timeout time.Duration) (any, error)
}

// Waking ends a wait. It is safe to use from everywhere, at any time, more than once.
type Waking interface{ Wake() }

// ErrTooLate is returned by Env.Await when the wait ended by itself.
var ErrTooLate = errors.New("waited too long")

// Work is what a guard protects: the callee of one call. With a hedge both methods may run at the same time.
type Work interface {
	// Route settles which replica an attempt goes to, by name, among those for which open is false; "" is the callee
	// itself; a nil open is false for all. An error refuses the attempt.
	Route(n int, open func(replica string) bool) (replica string, err error)
	// Try makes one attempt, within a.Timeout when that is not 0.
	Try(a *Attempt) (any, error)
}

// Exchange is Work whose answer and question are streams. Both methods may be called while Try runs.
type Exchange interface {
	Work
	// Left tells whether whoever asked is gone, or takes nothing of the answer any more.
	Left() bool
	// Repeatable tells whether another attempt could send the whole question.
	Repeatable() bool
}

// Call is one guarded call. It goes through one guard; used again for another call it must be set anew as a whole.
type Call struct {
	rules.Call                // From, To, Message, Key, Probe, Idempotent, Priority are the caller's to fill
	Payload    any            // of the message, for expressions
	Raw        bool           // a proxied exchange: it is not hedged
	Params     map[string]any // of the generation
	Timeout    time.Duration  // of all attempts, wanted by the caller; 0 is none
	Deadline   time.Duration  // engine time by which an answer is useful; 0 is none
	Witness    Witness        // is told how it ends; nil: nobody is
	pass       pass           // of the guard that the call is in
	first      Attempt        // so that a call that needs one attempt allocates none

	// FallbackStatus is the HTTP status that the fallback wants which answered (Degraded tells that one did); 0 is none.
	FallbackStatus int
}

// Attempt is one attempt of a call.
type Attempt struct {
	N       int           // from 1
	Hedge   int           // which of several at once, from 1; 0 without a hedge
	Replica string        // as Route has settled
	Began   time.Duration // engine time
	Timeout time.Duration // from Began on; 0 is none
	Status  int           // of an HTTP answer; set by Try, or by Judge

	pass   *pass
	permit permit
	told   bool    // its end has been told to the Witness
	again  verdict // whether it is tried again, once that is known
}

// verdict is a decision that may not have been taken yet.
type verdict uint8

const (
	undecided verdict = iota
	yes
	no
)
