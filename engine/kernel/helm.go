package kernel

import (
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Machine decides; engine.Machine does.
type Machine interface {
	Step(now time.Duration, in engine.Input, out []engine.Effect) []engine.Effect
}

// Happening is one thing to tell the Machine, and the event that records it as a fact.
type Happening struct {
	In    engine.Input
	When  Moment // it happened; the zero Moment is when the Machine is told
	Cause engine.Cause
	Path  string // that the fact is about
	Fact  journal.Body
	Next  *View       // of a reload: what effects are about
	Up    Incarnation // that has started; it opens when the Machine knows
	Gone  Incarnation // whose end it is; it settles when the Machine has decided
}

// Moment is a reading of the clock.
type Moment struct {
	Now  time.Duration // engine time
	Wall int64         // the calendar's, in nanoseconds since 1970
}

// Incarnation is one life of an actor, as far as the Machine's word concerns it.
type Incarnation interface {
	Open()
	Settle()
}

// Hands carry the Machine's word out. Effects belong to the Machine: what is needed later is copied. They are called one at a
// time, by whoever takes a step, and must not take one themselves: what they cause waits until all effects are carried out.
type Hands interface {
	Lives
	Levers
	// Furnish makes the groups of a generation known that is coming.
	Furnish(v *View)
	// Stepped is told what the Machine decided, before any of it is carried out.
	Stepped(now time.Duration, in engine.Input, effects []engine.Effect)
	// Heard is told of an event that the Machine wants recorded, once it is.
	Heard(x *engine.Emit)
	// SetTimer and CancelTimer see to it that Due is told, with that cause.
	SetTimer(x *engine.SetTimer, cause engine.Cause)
	CancelTimer(id engine.TimerID)
	Answered(number uint64, failure string)
	Ended(code int, why string)
}

// Lives are what the Machine does to actors.
type Lives interface {
	Create(id engine.ID, path string)
	Move(id engine.ID, path string)
	Start(x *engine.Start)
	Continue(x *engine.Continue)
	Stop(x *engine.Stop)
	Close(x *engine.Close)
	Remove(id engine.ID)
	Pause(id engine.ID, on bool)
	Quarantine(id engine.ID, on bool)
	Inject(id engine.ID, m engine.Msg)
	SetState(id engine.ID, state any)
}

// Levers reach beyond one actor.
type Levers interface {
	Force(breaker, mode string)
	Emergency(on bool)
	Webhook(x *engine.Webhook)
	// Swap puts a generation in force; RollBack has an earlier plan reloaded.
	Swap(v *View)
	RollBack(x *engine.RollBack)
}

// Helm tells the Machine what happened and has its word carried out. It needs the control lock, where there is one.
type Helm struct {
	Unkept bool // inputs get their numbers and are not kept: for runs that nobody replays

	machine Machine
	scribe  *Scribe
	guards  *Guards
	hands   Hands
	now     time.Duration // of the step at hand
	view    *View         // in force
	next    *View         // being swapped in; nil else
	up      Incarnation   // that opens before effects are carried out; nil else
	effects []engine.Effect
	encoded []byte // of the last input, used again
	ink     journal.Ink
	wall    int64 // the calendar time that was last read
	good    int   // events that it is still good for

	// While effects are carried out: what caused them, and the last event they added, which is the nearer cause of what
	// follows for the same actor.
	cause engine.Cause
	said  string
	saidN uint64
}

// NewHelm stands at a machine under a generation.
func NewHelm(m Machine, s *Scribe, gs *Guards, h Hands, v *View) Helm {
	return Helm{machine: m, scribe: s, guards: gs, hands: h, view: v}
}

// InPortions carries out what a long step decides while it decides on more, if the machine can do that. Hands are told of the last
// portion only that it was Stepped. It must be called before the first step, and the Helm must not be copied any more.
func (h *Helm) InPortions() {
	if m, can := h.machine.(interface{ InPortions(func([]engine.Effect)) }); can {
		m.InPortions(h.carryOut)
	}
}

// carryOut has effects carried out in order.
func (h *Helm) carryOut(effects []engine.Effect) {
	if h.up != nil {
		h.up.Open()
		h.up = nil
	}
	for _, effect := range effects {
		h.apply(effect)
	}
}

// Cause is what caused the effects at hand.
func (h *Helm) Cause() engine.Cause { return h.cause }

// CauseFor is what an effect on an actor is caused by: the event that announced it, else the input.
func (h *Helm) CauseFor(path string) engine.Cause {
	if h.said == path && h.saidN > 0 {
		return engine.Cause{Correlation: h.cause.Correlation, Seq: h.saidN}
	}
	return h.cause
}

// Incoming is the generation that effects are about: the one being swapped in, else the one in force.
func (h *Helm) Incoming() *View {
	if h.next != nil {
		return h.next
	}
	return h.view
}

// mostKept bounds the buffer that is kept for the next input's effects: after the boot or shutdown of very many its memory is
// not needed again.
const mostKept = 1024

// Step takes one step at an engine time.
func (h *Helm) Step(now time.Duration, x *Happening) {
	h.now, h.cause, h.said, h.good = now, x.Cause, "", 0
	if x.When.Wall != 0 {
		h.wall, h.good = x.When.Wall, sameTime
	}
	if x.Fact != nil {
		h.cause.Seq = h.record(x.Path, x.Fact)
	}
	h.recordInput(x.In)
	if x.Next != nil {
		h.next, x.Next.Told = x.Next, true
		h.hands.Furnish(x.Next)
	}
	h.up = x.Up
	h.effects = h.machine.Step(now, x.In, h.effects[:0])
	h.hands.Stepped(now, x.In, h.effects)
	h.carryOut(h.effects)
	h.next = nil
	if x.Gone != nil {
		x.Gone.Settle()
	}
	if cap(h.effects) > mostKept {
		h.effects = nil
	}
}

// sameTime is how many events of one step share a reading of the calendar: most steps have fewer, and the boot of very many takes
// long.
const sameTime = 64

// record adds an event that the step at hand tells of.
func (h *Helm) record(path string, body journal.Body) uint64 {
	if h.good == 0 {
		h.wall, h.good = h.scribe.Wall().UnixNano(), sameTime
	}
	h.good--
	return h.scribe.RecordAt(h.wall, &h.ink, path, body, &h.cause)
}

// recordInput keeps an input for replay, where the plan wants that.
func (h *Helm) recordInput(in engine.Input) {
	if !h.view.Decisions {
		return
	}
	if h.Unkept {
		h.caused(h.scribe.Pass(&h.cause))
		return
	}
	data, err := engine.AppendInput(h.encoded[:0], in)
	if err != nil {
		h.scribe.Complain("", "an input could not be recorded, replay stops here: "+err.Error(), h.cause)
		return
	}
	h.encoded = data
	h.caused(h.record("", journal.Input{Data: slices.Clone(data)}))
}

// caused notes the input's own event as the cause of what follows, unless something caused the input.
func (h *Helm) caused(seq uint64) {
	if h.cause.Seq == 0 {
		h.cause.Seq = seq
	}
}

// apply has one effect carried out.
func (h *Helm) apply(effect engine.Effect) {
	switch x := effect.(type) {
	case *engine.Emit:
		h.said, h.saidN = x.Actor, h.record(x.Actor, x.Body)
		if x.Actor == "" {
			h.next.Refuse(x.Body)
		}
		h.hands.Heard(x)
	case *engine.Create:
		h.hands.Create(x.ID, x.Path)
	case *engine.Move:
		h.hands.Move(x.ID, x.Path)
	case *engine.Start:
		h.hands.Start(x)
	case *engine.Continue:
		h.hands.Continue(x)
	case *engine.Close:
		h.hands.Close(x)
	case *engine.Stop:
		h.hands.Stop(x)
	case *engine.Remove:
		h.hands.Remove(x.ID)
	case *engine.SetTimer:
		h.setTimer(x)
	case *engine.CancelTimer:
		h.hands.CancelTimer(x.Timer)
	case *engine.Answered:
		h.hands.Answered(x.Number, x.Error)
	case *engine.Ended:
		h.hands.Ended(x.Code, x.Why)
	default:
		h.pull(effect)
	}
}

// pull has an effect carried out that steers.
func (h *Helm) pull(effect engine.Effect) {
	switch x := effect.(type) {
	case *engine.Pause:
		h.hands.Pause(x.ID, x.On)
	case *engine.Quarantine:
		h.hands.Quarantine(x.ID, x.On)
	case *engine.Inject:
		h.hands.Inject(x.ID, x.Message)
	case *engine.SetState:
		h.hands.SetState(x.ID, x.State)
	case *engine.Force:
		h.hands.Force(x.Breaker, x.Mode)
	case *engine.EmergencyMode:
		h.hands.Emergency(x.On)
	case *engine.Webhook:
		h.hands.Webhook(x)
	case *engine.Swap:
		h.swap(x)
	case *engine.RollBack:
		h.hands.RollBack(x)
	}
}

func (h *Helm) setTimer(x *engine.SetTimer) {
	cause := h.cause
	if h.saidN > 0 && h.said != "" {
		cause.Seq = h.saidN
	}
	h.hands.SetTimer(x, cause)
}

// swap makes a plan the running one: the prepared generation, or a variant of it or of the one in force.
func (h *Helm) swap(x *engine.Swap) {
	v := h.next
	if v != nil {
		v.Taken = true
	}
	if v == nil || v.Plan != x.Plan {
		v = h.variant(x.Plan)
	}
	v.Generation = x.Generation
	h.view, h.next = v, v
	h.hands.Swap(v)
}

// variant prepares a plan that differs from a prepared one in what cannot fail. Should it fail all the same, the guards
// stay as they are, and that is told.
func (h *Helm) variant(p *plan.Plan) *View {
	v, err := h.guards.View(p, 0, h.now)
	if err != nil {
		h.scribe.Complain("", "guards stay as they are: "+err.Error(), h.cause)
	}
	return v
}

// InjectedMeta is what a message carries that the Machine injects, caused by c.
func InjectedMeta(c engine.Cause) engine.Meta {
	return engine.Meta{Correlation: c.Correlation, Causation: c.Seq, Priority: 9}
}
