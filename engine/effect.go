package engine

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Effect is one thing the Machine wants done: a pointer to one of the structs below. The set is closed. Effects are
// carried out in order; none is optional. The structs belong to the Machine and are used again by its next Step, so
// whoever needs a field later copies it; that is what keeps the decision on a failure free of allocations.
type Effect interface{ effect() }

// TimerID numbers a timer of the Machine; a number is used once.
type TimerID uint64

// The effects of the Machine.
type (
	// Create makes an actor known under its ID, before its first Start. Its mailbox takes messages from now on.
	// Supervisors are created too, so that IDs and paths are complete, and that is all: they are the Machine's own
	// and no Start, Stop or other effect but Remove ever names one. When a reload turns a supervisor into another
	// kind or back, the new actor is created under the old one's path before the old one is removed.
	Create struct {
		ID   ID
		Path string
	}
	// Move gives an actor another path: another supervisor has adopted it. Its incarnation, mailbox and state stay. It comes
	// before the Swap of the plan that has it there, and messages for its old path still reach it.
	Move struct {
		ID   ID
		Path string
	}
	// Start begins an incarnation; Started, Failed or Exited will answer.
	Start struct {
		ID    ID
		Epoch Epoch
		Why   string // boot, restart, reload, scale, operator, rule
	}
	// Continue lets an incarnation that reported Failed go on with its next message; the one it failed on is dropped.
	Continue struct {
		ID    ID
		Epoch Epoch
	}
	// Close says that no incarnation follows one that ended, or that was stopped with Again: what waits in the mailbox
	// becomes dead letters with this reason, and nothing is taken any more until another Start. An incarnation that was
	// stopped without Again closes its mailbox itself; of one that ended by itself the mailbox stays open until the Machine
	// says Start or Close.
	Close struct {
		ID  ID
		Why string
	}
	// Stop ends an incarnation: drain, then cancel, then fence. Stopped will answer.
	Stop struct {
		ID          ID
		Epoch       Epoch
		Drain, Kill time.Duration
		Why         string
		Again       bool // another incarnation may follow: Start or Close tells
	}
	// Remove forgets an actor: what its mailbox holds becomes dead letters.
	Remove struct {
		ID  ID
		Why string
	}
	// SetTimer asks for Due at an engine time.
	SetTimer struct {
		Timer TimerID
		At    time.Duration
	}
	// CancelTimer takes a SetTimer back.
	CancelTimer struct{ Timer TimerID }
	// Pause keeps an actor from taking messages; they wait.
	Pause struct {
		ID ID
		On bool
	}
	// Quarantine lets only probes through to an actor.
	Quarantine struct {
		ID ID
		On bool
	}
	// Force overrides breakers: mode is forced_open, forced_closed, disabled, shadow, normal or reset.
	Force struct {
		Breaker string
		Mode    string
	}
	// Inject puts a message into an actor's mailbox.
	Inject struct {
		ID      ID
		Message Msg
	}
	// SetState replaces an actor's state between messages.
	SetState struct {
		ID    ID
		State any
	}
	// EmergencyMode admits only what the plan's emergency.admit lets pass.
	EmergencyMode struct{ On bool }
	// Webhook posts a body; failures are only reported.
	Webhook struct {
		URL     string
		Headers []plan.Label
		Body    any
		Timeout time.Duration // 0 is the runtime's own
	}
	// Swap makes a plan the running generation.
	Swap struct {
		Plan       *plan.Plan
		Generation uint64
	}
	// RollBack asks for a Reloaded with an earlier plan, because the generation in force does not hold: by the same way as
	// any reload, unless another one has come in between. RollBackFailed answers when it cannot be done.
	RollBack struct {
		Generation uint64 // in force, and not to stay
		To         uint64 // whose plan it is
		Plan       *plan.Plan
		Why        string
	}
	// Emit adds to the event stream what has been decided. Actor is a path, "" for the system. Body is a pointer to
	// one of journal's structs and, like the effect, good until the next Step: encode it at once.
	Emit struct {
		Actor string
		Body  journal.Body
	}
	// Answered is the verdict on a Commanded input with that number; "" is done.
	Answered struct {
		Number uint64
		Error  string
	}
	// Ended says that everything has stopped: 0 after a Shutdown, 70 when the root gave up.
	Ended struct {
		Code int
		Why  string
	}
)

func (*Create) effect()        {}
func (*Move) effect()          {}
func (*Start) effect()         {}
func (*Continue) effect()      {}
func (*Close) effect()         {}
func (*Stop) effect()          {}
func (*Remove) effect()        {}
func (*SetTimer) effect()      {}
func (*CancelTimer) effect()   {}
func (*Pause) effect()         {}
func (*Quarantine) effect()    {}
func (*Force) effect()         {}
func (*Inject) effect()        {}
func (*SetState) effect()      {}
func (*EmergencyMode) effect() {}
func (*Webhook) effect()       {}
func (*Swap) effect()          {}
func (*RollBack) effect()      {}
func (*Emit) effect()          {}
func (*Answered) effect()      {}
func (*Ended) effect()         {}
