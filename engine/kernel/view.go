package kernel

import (
	"errors"
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// View is one generation. It is immutable once it is in force; a message is handled under the one that was in force when it
// was taken.
type View struct {
	Plan       *plan.Plan
	Generation uint64
	Params     map[string]any // the plan's, as expressions see them
	Commit     func()         // puts its guards in force
	Decisions  bool           // inputs of the Machine are recorded
	Messages   bool           // handled messages are
	Calls      bool           // attempts of guarded calls are
	Payloads   bool           // and what those from outside carried; see Carried

	Told    bool   // the Machine has been told of it; this, Taken and Refused belong to whoever tells the Machine
	Taken   bool   // by the Machine
	Refused string // why the Machine did not take it

	repeatable map[string]struct{} // types of messages that may be handled twice; nil when there are none
}

// NewView is the generation of a plan whose guards need nothing yet.
func NewView(p *plan.Plan, generation uint64) *View {
	v := &View{Plan: p, Generation: generation, Params: p.ParamValues(), Commit: func() {},
		Decisions: records(p, "decisions"), Messages: records(p, "messages"), Calls: records(p, "calls"),
		Payloads: slices.Contains(p.Journal.Record, "payloads")}
	for i := range p.Messages {
		if d := &p.Messages[i]; d.Idempotent {
			if v.repeatable == nil {
				v.repeatable = map[string]struct{}{}
			}
			v.repeatable[d.Name] = struct{}{}
		}
	}
	return v
}

// Verdict is why the Machine did not take a generation; nil when it did, and while it has not been told.
func (v *View) Verdict() error {
	switch {
	case v.Taken || !v.Told:
		return nil
	case v.Refused != "":
		return errors.New(v.Refused)
	}
	return errors.New("the engine took no new plan: it is stopping")
}

// Refuse notes what the Machine says about a generation that it does not take. There may be none.
func (v *View) Refuse(body journal.Body) {
	if no, ok := body.(*journal.ReloadRejected); ok && v != nil && len(no.Diagnostics) > 0 {
		v.Refused = no.Diagnostics[0]
	}
}

// Records tells whether the journal of this generation keeps events of a kind that is off unless wanted.
func (v *View) Records(kind string) bool { return records(v.Plan, kind) }

// records tells whether the journal of p keeps events of a kind that is off unless wanted.
func records(p *plan.Plan, kind string) bool {
	return slices.Contains(p.Journal.Record, kind) || slices.Contains(p.Journal.Record, "all")
}

// Env is what an expression sees of a message on its way to an actor or group, by path.
func (v *View) Env(now time.Duration, to string, m engine.Msg, meta *engine.Meta) *rules.Env {
	call := new(rules.Call)
	describe(call, to, m, meta)
	return &rules.Env{Params: v.Params, Now: now.Seconds(), Msg: m.Payload, Caller: meta.From, Call: call}
}

// describe makes call what expressions know of it.
func describe(call *rules.Call, to string, m engine.Msg, meta *engine.Meta) {
	*call = rules.Call{
		From: meta.From, To: to, Message: m.Type, Key: meta.Key, Attempt: meta.Attempt,
		Probe: meta.Probe, Idempotent: meta.Idempotent, Priority: meta.Priority,
	}
}

// Follow makes of what a message carries what the one does that an actor, by path, sends while it handles it.
func Follow(m *engine.Meta, from string) {
	m.From, m.Attempt, m.Idempotent, m.Probe = from, 1, false, false
}
