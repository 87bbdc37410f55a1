package engine

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// Input is one thing that happened, told to the Machine. The set is closed.
type Input interface{ input() }

// Cause ties what happens to what made it happen.
type Cause struct {
	Correlation string // the incident or request
	Seq         uint64 // sequence number of the causing event in the journal; 0 is none
}

// The inputs of the Machine.
type (
	// Boot starts the plan. It is the first input, once.
	Boot struct {
		Plan *plan.Plan
		Seed uint64
	}
	// Started says that an incarnation is up and ready. A pointer says the same: of those that start together the inputs are made together.
	Started struct {
		ID    ID
		Epoch Epoch
	}
	// Failed says that a running incarnation failed on a message and waits for Continue, Stop or Start of the next one.
	Failed struct {
		ID      ID
		Epoch   Epoch
		Failure Failure
	}
	// Exited says that an incarnation is gone by itself: normally when Failure is nil, else by it (Starting: it never came up).
	Exited struct {
		ID      ID
		Epoch   Epoch
		Failure *Failure
	}
	// Stopped answers a Stop effect: nothing of the incarnation is left, unless Leaked.
	Stopped struct {
		ID     ID
		Epoch  Epoch
		Leaked bool
	}
	// Due says that the timer set under this number has come.
	Due struct{ Timer TimerID }
	// BreakerChanged reports a transition that a breaker made on its own, in generation order.
	BreakerChanged struct {
		Breaker    string
		From, To   string
		Generation uint64
		Reason     string
		Until      time.Duration // engine time; 0 when not open
	}
	// Probed reports a health check's change.
	Probed struct {
		ID      ID
		Epoch   Epoch
		Healthy bool
		Why     string
	}
	// Sampled feeds measurements: the rules, health and emergency are decided on them.
	Sampled struct {
		Actors   []rules.Actor   // by path; only those that changed since the last sample
		Breakers []rules.Breaker // by name; only those that changed
		System   rules.System
		Node     rules.Node
		Since    Figures // since the commit of the generation on probation; the zero Figures when there is none
	}
	// Commanded is an operator's or program's wish.
	Commanded struct {
		Number uint64 // echoed in the Answered effect; 0: nobody waits
		Action Steer
		By     string // who
	}
	// Reloaded commits a new plan.
	Reloaded struct {
		Plan       *plan.Plan
		Generation uint64
		By, Why    string
		Before     Figures // of the window until now; the zero Figures when nobody measured
	}
	// RollBackFailed says that the RollBack of a generation could not be carried out: it stays.
	RollBackFailed struct {
		Generation uint64
		Why        string
	}
	// Shutdown stops everything in reverse start order.
	Shutdown struct{ Why string }
)

// Steer is one steering action with its target settled: a path or glob, and built values.
type Steer struct {
	Verb     string
	Target   string
	For      time.Duration
	MaxShare float64
	Message  string
	Payload  any
	Text     string
	Level    string
	Count    int // of scale: so many replicas; 0: By says how many more
	By       int // of scale: so many more, or fewer, within Min and Max (0: the plan's own bounds)
	Min, Max int
	Reason   string
	Headers  []plan.Label  // of webhook
	Timeout  time.Duration // of webhook
}

// Report is the event of somebody's wish for an action.
func (s Steer) Report(by string) journal.Commanded {
	args := journal.Values{}
	if s.For > 0 {
		args["for"] = s.For.String()
	}
	if s.Message != "" {
		args["message"] = s.Message
	}
	if s.Text != "" {
		args["text"] = s.Text
	}
	if s.Count != 0 {
		args["replicas"] = s.Count
	}
	if s.By != 0 {
		args["by"] = s.By
	}
	if s.Min != 0 {
		args["min"] = s.Min
	}
	if s.Max != 0 {
		args["max"] = s.Max
	}
	if s.MaxShare != 0 {
		args["max_share"] = s.MaxShare
	}
	if s.Verb == "set_param" {
		args["value"] = s.Payload
	}
	return journal.Commanded{Verb: s.Verb, Target: s.Target, Who: by, Why: s.Reason, Args: args}
}

// Report is the event of a transition. now is the engine's time and wall the calendar's at that moment.
func (b BreakerChanged) Report(now time.Duration, wall time.Time) journal.Body {
	body := journal.BreakerChanged{Breaker: b.Breaker, From: b.From, To: b.To, Generation: b.Generation, Reason: b.Reason}
	if b.Until > 0 {
		body.Until = wall.Add(b.Until - now).UnixNano()
	}
	return body
}

func (Boot) input()           {}
func (Started) input()        {}
func (Failed) input()         {}
func (Exited) input()         {}
func (Stopped) input()        {}
func (Due) input()            {}
func (BreakerChanged) input() {}
func (Probed) input()         {}
func (Sampled) input()        {}
func (Commanded) input()      {}
func (Reloaded) input()       {}
func (RollBackFailed) input() {}
func (Shutdown) input()       {}
