package journal

import (
	"encoding/json"
	"time"
)

// ActorStarting tells that an incarnation of the actor is being brought up.
type ActorStarting struct {
	Incarnation uint64 `json:"incarnation"` // counted from 1
}

// ActorStarted tells that the incarnation runs; it need not be ready yet.
type ActorStarted struct {
	Incarnation uint64 `json:"incarnation"`
	PID         int    `json:"pid,omitempty"`     // of a process actor
	Address     string `json:"address,omitempty"` // where it can be reached, if anywhere
}

// ActorReady tells that the actor passed its readiness check.
type ActorReady struct {
	Incarnation uint64        `json:"incarnation"`
	Took        time.Duration `json:"took_ns"` // since it started
}

// ActorStopping tells that the actor was asked to stop.
type ActorStopping struct {
	Incarnation uint64 `json:"incarnation"`
	Why         string `json:"why"`
}

// ActorStopped tells that the actor ended as asked.
type ActorStopped struct {
	Incarnation uint64        `json:"incarnation"`
	Reason      string        `json:"reason"`
	Took        time.Duration `json:"took_ns"` // since it was asked
}

// ActorFailed is a failure report.
type ActorFailed struct {
	Incarnation uint64   `json:"incarnation"`
	Kind        string   `json:"kind"` // the error class, such as panic, exit or timeout
	Message     string   `json:"message"`
	ExitCode    int      `json:"exit_code,omitempty"`    // of a process that exited
	Signal      string   `json:"signal,omitempty"`       // that killed a process
	LastLines   []string `json:"last_lines,omitempty"`   // of a process's output
	Stack       string   `json:"stack,omitempty"`        // of a panic
	MessageType string   `json:"message_type,omitempty"` // of the message being handled
}

// ActorRestarting tells that the supervisor decided to start the actor again.
type ActorRestarting struct {
	Attempt   int           `json:"attempt"`  // in the current run of failures, from 1
	Delay     time.Duration `json:"delay_ns"` // before it starts
	Directive string        `json:"directive"`
	Restarts  uint64        `json:"restarts"` // of this actor so far, this one included
}

// SupervisorGaveUp tells that a supervisor's restart intensity was exceeded.
type SupervisorGaveUp struct {
	Max      int           `json:"max"`
	Within   time.Duration `json:"within_ns"`
	Restarts int           `json:"restarts"` // within that time
	Reason   string        `json:"reason"`
}

// ActorLeaked tells that something of the actor outlived its deadline to stop.
type ActorLeaked struct {
	Incarnation uint64 `json:"incarnation"`
	What        string `json:"what"`
}

// Paused tells that the actor takes no messages until it is resumed.
type Paused struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Resumed tells that the actor takes messages again.
type Resumed struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// DeadLetter tells of messages that no actor took.
type DeadLetter struct {
	Reason  string `json:"reason"`
	Message string `json:"message"` // its type
	Count   uint64 `json:"count"`   // at least 1
}

// Injected tells that an operator or a rule put a message into the mailbox.
type Injected struct {
	Message string `json:"message"`
	By      string `json:"by,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// StateSet tells that an operator changed the actor's state.
type StateSet struct {
	Keys   []string `json:"keys"`
	By     string   `json:"by,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// StateChanged tells how an actor's state changed. Those of an actor that is
// persisted are what its state is rebuilt from, in order, after its newest snapshot.
type StateChanged struct {
	Sequence uint64          `json:"sequence,omitempty"` // of the actor's changes, from 1 without holes; 0 when nothing is rebuilt from it
	Whole    bool            `json:"whole,omitempty"`    // Change is the state itself, not what changed of it
	Change   json.RawMessage `json:"change"`
}

// Message is one handled message, recorded when the topology asks for it.
type Message struct {
	From    string        `json:"from,omitempty"`
	Message string        `json:"message"` // its type
	Outcome string        `json:"outcome"` // ok or an error class
	Took    time.Duration `json:"took_ns"`
	Waited  time.Duration `json:"waited_ns,omitempty"` // in the mailbox

	// Payload is what it carried, when it came from outside and journal.record has payloads; of a call, at its first attempt.
	// Oversize is how many bytes that would have been, when they were too many.
	Payload  json.RawMessage `json:"payload,omitempty"`
	Oversize int             `json:"oversize,omitempty"`
}

// Type returns TypeActorStarting.
func (ActorStarting) Type() Type { return TypeActorStarting }

// Type returns TypeActorStarted.
func (ActorStarted) Type() Type { return TypeActorStarted }

// Type returns TypeActorReady.
func (ActorReady) Type() Type { return TypeActorReady }

// Type returns TypeActorStopping.
func (ActorStopping) Type() Type { return TypeActorStopping }

// Type returns TypeActorStopped.
func (ActorStopped) Type() Type { return TypeActorStopped }

// Type returns TypeActorFailed.
func (ActorFailed) Type() Type { return TypeActorFailed }

// Type returns TypeActorRestarting.
func (ActorRestarting) Type() Type { return TypeActorRestarting }

// Type returns TypeSupervisorGaveUp.
func (SupervisorGaveUp) Type() Type { return TypeSupervisorGaveUp }

// Type returns TypeActorLeaked.
func (ActorLeaked) Type() Type { return TypeActorLeaked }

// Type returns TypePaused.
func (Paused) Type() Type { return TypePaused }

// Type returns TypeResumed.
func (Resumed) Type() Type { return TypeResumed }

// Type returns TypeDeadLetter.
func (DeadLetter) Type() Type { return TypeDeadLetter }

// Type returns TypeInjected.
func (Injected) Type() Type { return TypeInjected }

// Type returns TypeStateSet.
func (StateSet) Type() Type { return TypeStateSet }

// Type returns TypeStateChanged.
func (StateChanged) Type() Type { return TypeStateChanged }

// Type returns TypeMessage.
func (Message) Type() Type { return TypeMessage }
