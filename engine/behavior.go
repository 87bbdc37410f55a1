package engine

import (
	"context"
	"net/http"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// ID is an actor's number in one run of the engine. The Machine hands them out in plan order and never uses one twice,
// so an ID from before a reload still means the same actor or nobody. 0 is nobody.
type ID uint32

// Epoch counts an actor's incarnations from 1. What carries an older epoch than the actor's own is void.
type Epoch uint32

// Ref is where a message goes: an actor or a replica group, through the guard of an edge when Edge is set. Comparable.
type Ref struct {
	ID   ID     // of the actor or group; 0 is nobody
	Edge uint32 // index of the edge guard to pass first; 0 is none
}

// Msg is one message. Payload is JSON-like (map[string]any, []any, string, float64, bool, nil) where it may reach
// scripts, processes, upstreams or expressions; between Go actors it may be any value, which nobody changes after sending.
type Msg struct {
	Type    string
	Payload any
}

// Meta is what a message carries beside its content.
type Meta struct {
	Correlation string // the incident or request that this message belongs to, at most 64 bytes
	Causation   uint64 // sequence number of the event that caused it; 0 is none
	From        string // path of the sender; "" is outside
	Key         string // for keyed limits, breakers and hash routing
	Priority    int    // 0..9, 5 is usual
	Idempotent  bool
	Probe       bool          // a health probe: passes quarantine
	Attempt     int           // from 1
	Deadline    time.Duration // engine time by which an answer is useful; 0 is none
}

// Behavior is what an actor does with messages; a new value per incarnation, written once for the live and the simulated
// runtime. Handle runs for one message at a time unless the actor's concurrency says otherwise.
//
// An error that Handle returns is a failure: the supervisor decides, by the error, whether the incarnation goes on
// (resume), is replaced (restart), stops, or the failure goes up (escalate). The asker gets the error as its answer. To
// refuse one request without failing, answer with ctx.Fail.
type Behavior interface {
	Handle(ctx Context, m Msg) error
}

// Initer is a Behavior with work to do before its first message. Init may block; until it returns the next sibling does
// not start. An error is a failed start.
type Initer interface {
	Init(ctx Context) error
}

// Runner is a Behavior that owns something outside the engine: a process, a pool of connections. Start is called once,
// before Init, and must return soon; life stays valid until Stop has returned. Stop ends what Start began: gracefully
// until ctx is done, then by force, and returns when nothing is left. Its error or panic goes to the log. In a simulation
// ctx is done from the beginning, with an *Error as its cause when the incarnation has crashed.
type Runner interface {
	Start(life Life) error
	Stop(ctx context.Context) error
}

// Life is how a Runner tells the engine what becomes of it. Safe for concurrent use; calls after Stop returned do nothing.
type Life interface {
	// Exited says that the incarnation has ended by itself: a normal end when failure is nil.
	Exited(failure *Failure)
	// Emit adds an event about this actor to the stream.
	Emit(body journal.Body)
	// Healthy reports a change seen by a health check; then says what an unhealthy actor causes (report, open, restart).
	Healthy(ok bool, why string)
	// Path is the actor's path, Now the engine's time.
	Path() string
	Now() time.Duration
}

// Proxy is a Behavior that can pass a raw HTTP exchange through. ServeProxy writes the answer and returns a non-nil
// error, with nothing written, when no answer came or when the context's Judge gave the answer up: the guard may then try
// again or fall back. An answer that breaks off after its headers were written panics with http.ErrAbortHandler, so that
// the client's connection breaks too: callers record a failure and let the panic pass. A second try sends the body that
// r.GetBody gives.
type Proxy interface {
	ServeProxy(w http.ResponseWriter, r *http.Request) error
}

// Stateful is a Behavior whose state can be looked at and replaced between messages: by an operator, and to keep it. State values
// are JSON-like. Where the actor's concurrency is above 1 both are called beside handlers, and State gives a value that
// nobody changes any more.
type Stateful interface {
	State() any
	SetState(state any) error
}

// Context is all that a behaviour may touch. It belongs to one incarnation and one message, and only to the goroutine
// that runs the handler, until the handler returns. What uses it later, such as a goroutine of one's own, is mostly told
// ErrStopped, but may speak for the next message, or end the program with a panic: take what is needed out of it before, and
// tell the actor from outside, through the engine.
type Context interface {
	Self() Ref
	Path() string
	Incarnation() Epoch
	Actor() *plan.Actor // the definition in the generation this message is pinned to
	Plan() *plan.Plan   // that generation
	Meta() Meta
	Now() time.Duration           // since the engine's start; constant within a segment (between blocking calls)
	Rand() uint64                 // the actor's own seeded stream
	Ref(name string) (Ref, error) // by path, or by name where unique; "caller->callee" names a guarded edge

	Tell(to Ref, m Msg) error // never blocks longer than the receiver's overflow policy says
	Reply(payload any) bool   // first answer wins; false when nobody waits any more
	Fail(err *Error) bool     // answers with an error without failing the actor
	// After tells the actor itself m when d has passed, unless cancel was called in time, which it reports. It is the
	// incarnation's own: one that comes due later never reaches the next incarnation.
	After(d time.Duration, m Msg) (cancel func() bool)
	// Stash puts the message at hand aside, with its asker and deadline, once the handler has returned without an error;
	// until then nothing else is taken. Unstash puts all that is aside back at the head of the mailbox, in order, and tells
	// how many. What is aside survives a restart: the next incarnation finds it at the head of its mailbox. At most the
	// mailbox's capacity can be aside: ErrStashFull. ErrNoStash says that this message cannot be: it was answered, the actor
	// handles several at once, or there is none.
	Stash() error
	Unstash() int
	// Watch asks for one message Terminated when an actor has stopped for good: not at a restart, nor while its supervisor may
	// still bring it back. It comes once, after the last message that the actor sent, also when the mailbox is full, and at once
	// when the actor is stopped or unknown already. Watching twice is watching once. The watch is the incarnation's own: the
	// next one watches again, in Init. An error says that there is nothing to watch: itself, a group, a supervisor. Unwatch
	// takes it back; what has come of it and was not handled yet is dropped.
	Watch(of Ref) error
	Unwatch(of Ref)
	Emit(body journal.Body)

	Ask(to Ref, m Msg, timeout time.Duration) (any, error) // may block: ends a segment; 0 is the guard's timeout
	AskAll(to []Ref, m []Msg, timeout time.Duration) ([]any, []error)
	Sleep(d time.Duration) error
	// Call runs fn outside the engine's time: the one door to I/O. In simulation the world model answers instead.
	Call(timeout time.Duration, fn func(context.Context) (any, error)) (any, error)
	Stop() // a normal stop of this actor after this message
	Stopping() bool
}

// MessageTerminated is the type of the message that Watch asks for; its payload is a Terminated.
const MessageTerminated = "terminated"

// Terminated tells a watcher that an actor has stopped and that nothing is under way to start it again. An operator, or a
// restart of the group it belongs to, may; whoever wants to know of the next end watches again.
type Terminated struct {
	Actor       Ref    // as it was watched; Edge is 0
	Path        string // "" when the actor was unknown
	Incarnation Epoch  // its last; 0 when it never started
	Reason      string // why it stopped: by whom, or the failure's text
	Kind        string // of the failure that ended it, as Error.Kind; "" for a normal end
	Removed     bool   // the plan does not have it any more
}

// Factory makes the behaviour of one incarnation.
type Factory func(a *plan.Actor, p *plan.Plan) (Behavior, error)
