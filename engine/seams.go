package engine

import (
	"context"
	"net/http"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// The interfaces here are optional: a runtime asks a Behavior, or a behaviour its Context, whether it has them.

// Usage is what an actor takes of the machine outside the engine.
type Usage struct {
	CPU    time.Duration // user and system time so far
	Memory int64         // resident bytes now
}

// Metered is a Behavior whose use of the machine can be measured. Usage is safe for concurrent use and false when there
// is nothing to measure.
type Metered interface {
	Usage() (Usage, bool)
}

// Persist keeps an event in an actor's journal and then has it applied: when it returns nil the event outlives whatever the
// journal's durability says, and Apply has had it. The event is JSON-like or becomes so by encoding/json: Apply gets what
// comes back from that, now as after a restart. On an error nothing has changed, or the incarnation is about to end: return
// the error. It blocks; ctx is the context of the message at hand.
type Persist func(ctx Context, event any) error

// Sourced is a Stateful Behavior whose state changes only by events, so that it can be rebuilt from them: what
// `persist: events` needs. Where the actor is not persisted, events are applied all the same and not kept.
type Sourced interface {
	Stateful
	// Source is called once, before Start, with how to keep an event.
	Source(keep Persist)
	// Apply changes the state by an event that was kept, now or in another run, perhaps by an older program. It does
	// nothing else: no message, no clock, no random number. An error means that the event cannot be understood.
	Apply(event any) error
}

// Restorer is a Stateful Behavior that is told, before Start, that its state is as it was kept: the place to bring a state that an
// older definition has left up to date.
type Restorer interface {
	Restored() error
}

// Located is a Behavior that lives somewhere: in a process (pid 0 is none), at an address ("" is none). It may be asked
// once Start has returned.
type Located interface {
	Locate() (pid int, address string)
}

// Steerer is a Context through which a behaviour asks for steering. The action becomes an input of the Machine, as an
// operator's does; by says which rule of the behaviour wanted it. It never blocks.
type Steerer interface {
	Steer(by string, a Steer)
}

// EarlyAsker is a Context that can end an AskAll before the last answer. Seen is called on the handler's goroutine for each
// answer, in the order they come; once it returns false the rest is given up. An asker that must stop is shown ErrStopped once, whatever
// the i, and nothing after it.
type EarlyAsker interface {
	AskUntil(to []Ref, m []Msg, timeout time.Duration, seen func(i int, value any, err error) bool)
}

// Judge is told the status and headers of a proxied answer before anything is written, once for each ServeProxy that got
// an answer. Nil lets the answer through; an error gives it up, and ServeProxy returns that error with nothing written.
type Judge func(status int, header http.Header) error

type judgeKey struct{}

// WithJudge makes j the judge of the proxied exchange that runs under the context.
func WithJudge(ctx context.Context, j Judge) context.Context {
	return context.WithValue(ctx, judgeKey{}, j)
}

// JudgeOf is the context's judge, nil when it has none.
func JudgeOf(ctx context.Context) Judge {
	j, _ := ctx.Value(judgeKey{}).(Judge)
	return j
}

// TimeLeft is how long the message that ctx belongs to may still take: until its deadline, or most when it has none. It is
// never less than a nanosecond.
func TimeLeft(ctx Context, most time.Duration) time.Duration {
	deadline := ctx.Meta().Deadline
	if deadline == 0 {
		return most
	}
	return max(deadline-ctx.Now(), 1)
}

// Definer is a Life that knows the actor's definition in the running generation; nil when that has no such actor.
type Definer interface {
	Actor() *plan.Actor
}

// As finds what a Behavior can do: itself, or what it wraps (Unwrap). Runner and Initer are never looked for in what is
// wrapped: the wrapper has its own and calls those.
func As[T any](b Behavior) (T, bool) {
	for b != nil {
		if found, ok := b.(T); ok {
			return found, true
		}
		wrapper, ok := b.(interface{ Unwrap() Behavior })
		if !ok {
			break
		}
		b = wrapper.Unwrap()
	}
	var none T
	return none, false
}

// Bare is a Behavior without what is wrapped around it.
func Bare(b Behavior) Behavior {
	for {
		wrapper, ok := b.(interface{ Unwrap() Behavior })
		if !ok {
			return b
		}
		b = wrapper.Unwrap()
	}
}
