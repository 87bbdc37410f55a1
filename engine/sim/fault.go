package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// Fault is something that goes wrong, from Inject until it is healed. Targets, From, To and the sides of a partition are
// paths, names, groups' or supervisors' paths (all below them is meant), globs, or "**"; a load is meant by what it gives as
// CallOptions.From.
type Fault struct {
	Verb   Verb
	Target string // of what befalls actors
	From   string // of what befalls messages on their way, and answers on their way back
	To     string
	Sides  [2][]string // of a partition
	Rate   float64     // 0..1 of the calls or messages; 0 is all
	By     time.Duration
	Factor float64
	Kind   string // of fail: the error's kind. Of crash: that of a failure that the supervisor decides about; "" ends the incarnation
	Status int    // of fail: the HTTP status
	What   string // of corrupt: reply, state or snapshot. Of exhaust: memory, cpu or disk_free
	Value  any    // of corrupt
	Amount float64
	Where  *rules.Program // of poison: which messages kill
}

// Verb is what a Fault does.
type Verb string

// The verbs.
const (
	Crash       Verb = "crash"        // Target's incarnations end at once; nothing to heal
	Hang        Verb = "hang"         // Target takes nothing and answers nothing
	Slow        Verb = "slow"         // Target takes Factor times as long and By longer
	Fail        Verb = "fail"         // Target answers with an error
	Drop        Verb = "drop"         // messages are lost
	Delay       Verb = "delay"        // messages arrive By later
	Duplicate   Verb = "duplicate"    // messages arrive twice
	Reorder     Verb = "reorder"      // messages arrive up to By later, each by its own draw
	Partition   Verb = "partition"    // nothing passes between the Sides
	ClockSkew   Verb = "clock_skew"   // Target's clock is off by By
	FillMailbox Verb = "fill_mailbox" // Target's mailbox is filled; nothing to heal
	Corrupt     Verb = "corrupt"      // Target answers with Value, or its state becomes Value, or its newest saved state is spoilt
	Exhaust     Verb = "exhaust"      // Target, or the node when it is "", has Amount of a resource
	Poison      Verb = "poison"       // messages Where holds for kill Target
)

// befalls are the verbs that last and befall actors.
func (v Verb) befalls() bool {
	switch v {
	case Hang, Slow, Fail, ClockSkew, Poison:
		return true
	}
	return false
}

// crosses are the verbs that befall messages on their way.
func (v Verb) crosses() bool {
	switch v {
	case Drop, Delay, Duplicate, Reorder, Partition:
		return true
	}
	return false
}

// trial is what faults do to an actor.
type trial struct {
	hangs     int
	slow      []*Fault
	fails     []*Fault
	poison    []*Fault
	corrupt   []*Fault
	skew      time.Duration
	exhausted int64 // bytes; 0 is as the model has it
}

// faults are those in force, in the order they came.
type faults struct {
	actors []*Fault
	edges  []*Fault
	node   []*Fault
	count  uint64
	rng    uint64
}

// Inject lets a fault begin. heal ends it; it does nothing for what happens at once. The error names what is wrong with the
// fault.
func (e *Engine) Inject(f Fault) (heal func(), err error) {
	if err := e.check(&f); err != nil {
		return nil, err
	}
	e.faults.count++
	if e.faults.rng == 0 {
		e.faults.rng = e.seedFor("faults")
	}
	own := &f
	list := &e.faults.actors
	switch {
	case f.Verb == Corrupt && f.What == "snapshot":
		return func() {}, e.spoil(f.Target)
	case f.Verb == Crash || f.Verb == FillMailbox || f.Verb == Corrupt && f.What == "state":
		for _, a := range e.roster.actors {
			if a != nil && a.kind != plan.Supervisor && a.answersTo(f.Target) {
				a.suffer(own)
			}
		}
		return func() {}, nil
	case f.Verb.crosses():
		list = &e.faults.edges
	case f.Verb == Exhaust && f.Target == "":
		list = &e.faults.node
	}
	*list = append(*list, own)
	e.afflictAll()
	return func() {
		*list = slices.DeleteFunc(*list, func(g *Fault) bool { return g == own })
		e.afflictAll()
	}, nil
}

// check says what is wrong with a fault.
func (e *Engine) check(f *Fault) error {
	known := f.Verb.befalls() || f.Verb.crosses() || slices.Contains([]Verb{Crash, FillMailbox, Corrupt, Exhaust}, f.Verb)
	switch {
	case !known:
		return fmt.Errorf("unknown fault %q", f.Verb)
	case f.Rate < 0 || f.Rate > 1 || f.Rate != f.Rate:
		return fmt.Errorf("%s: rate %v is not between 0 and 1", f.Verb, f.Rate)
	case f.Verb == Slow && (f.Factor < 0 || f.Factor == 0 && f.By <= 0):
		return fmt.Errorf("slow: give a factor above 0, or by how much")
	case (f.Verb == Delay || f.Verb == Reorder) && f.By <= 0:
		return fmt.Errorf("%s: by how much? %s is not a span of time", f.Verb, f.By)
	case f.Verb == Poison && f.Where == nil:
		return fmt.Errorf("poison: where is missing")
	case f.Verb == Corrupt && (f.What != "reply" && f.What != "state" && f.What != "snapshot" || f.What == "snapshot" && e.options.Spoil == nil):
		return fmt.Errorf("corrupt: %q cannot be corrupted here", f.What)
	case f.Verb == Exhaust && f.What != "memory" && (f.Target != "" || f.What != "cpu" && f.What != "disk_free" && f.What != Descriptors):
		return fmt.Errorf("exhaust: %q is no resource of %q", f.What, f.Target)
	case f.Verb == Partition && (len(f.Sides[0]) == 0 || len(f.Sides[1]) == 0):
		return fmt.Errorf("partition: both sides need a name")
	}
	if f.Verb.crosses() || f.Verb == Exhaust && f.Target == "" {
		return nil
	}
	for _, a := range e.roster.actors {
		if a != nil && a.answersTo(f.Target) {
			return nil
		}
	}
	return fmt.Errorf("%s: %w %q", f.Verb, engine.ErrUnknownActor, f.Target)
}

// answersTo tells whether a fault's target means the actor.
func (a *actor) answersTo(target string) bool {
	if target == "" {
		return false
	}
	group := ""
	if a.group != nil {
		group = a.group.Path()
	}
	return target == a.name || meant(target, a.path) || group != "" && (meant(target, group) || target == group[strings.LastIndexByte(group, '/')+1:])
}

// meant tells whether a target means a path, by being it, lying above it or matching it.
func meant(target, path string) bool {
	if target == path || target == "**" {
		return true
	}
	if plan.IsGlob(target) {
		return plan.Match(target, path)
	}
	return strings.HasPrefix(path, target) && len(path) > len(target) && path[len(target)] == '/'
}

// afflictAll lets the faults in force act on every actor.
func (e *Engine) afflictAll() {
	for _, a := range e.roster.actors {
		if a != nil {
			e.afflict(a)
		}
	}
}

// afflict lets the faults in force act on an actor.
func (e *Engine) afflict(a *actor) {
	hung := a.hangs > 0
	a.trial = trial{}
	for _, f := range e.faults.actors {
		if !a.answersTo(f.Target) {
			continue
		}
		switch f.Verb {
		case Hang:
			a.hangs++
		case Slow:
			a.slow = append(a.slow, f)
		case Fail:
			a.fails = append(a.fails, f)
		case Poison:
			a.poison = append(a.poison, f)
		case Corrupt:
			a.corrupt = append(a.corrupt, f)
		case ClockSkew:
			a.skew += f.By
		case Exhaust:
			a.exhausted = int64(f.Amount)
		}
	}
	if now := a.hangs > 0; now != hung && a.inc != nil {
		a.inc.hang(now)
	}
}

// hang lets an incarnation hang, or go on.
func (inc *incarnation) hang(on bool) {
	switch {
	case inc.server != nil:
		inc.server.hang(on)
	case on:
		inc.gate |= gateHung
	default:
		inc.gate &^= gateHung
		inc.a.rouse()
	}
}

// suffer carries out a fault that happens at once.
func (a *actor) suffer(f *Fault) {
	switch f.Verb {
	case Corrupt: // in memory: nobody keeps it
		a.set(&kernel.Setting{State: f.Value, Bare: true})
	case FillMailbox:
		for a.back.n < int(a.box.Capacity) && a.phase.Closed(a.path) == nil {
			_ = a.offer(&envelope{msg: engine.Msg{Type: fillerType}, meta: engine.Meta{Priority: engine.UsualPriority}}, nil)
		}
	case Crash:
		if a.inc == nil || a.inc.end.Stage == kernel.StageGone {
			return
		}
		failure := &engine.Failure{Kind: engine.KindCrash, Message: "crashed", By: a.path, ExitCode: -1}
		switch {
		case f.Kind != "" && a.inc.behavior != nil && a.phase == kernel.PhaseRunning:
			a.stumble(&engine.Failure{Kind: f.Kind, Message: "failed", By: a.path})
			return
		case f.Kind != "":
			failure.Kind, failure.Message = f.Kind, "failed"
		case a.kind == plan.Process:
			failure.Kind, failure.Message, failure.Signal = engine.KindExit, "killed", "KILL"
		case a.kind == plan.Upstream:
			failure.Kind, failure.Message = engine.KindUnreachable, "gone"
		}
		a.inc.exited(failure)
	}
}

// spoil spoils the newest saved states of the actors that a target means and that have one.
func (e *Engine) spoil(target string) error {
	var first error
	spoilt := false
	for _, a := range e.roster.actors {
		if a == nil || a.kind == plan.Supervisor || !a.answersTo(target) {
			continue
		}
		err := e.options.Spoil(a.path)
		spoilt = spoilt || err == nil
		if first == nil {
			first = err
		}
	}
	if spoilt {
		return nil
	}
	return first
}

// fillerType is the type of the messages that fill a mailbox.
const fillerType = "filler"

// slowed is how long something takes under the faults in force.
func (a *actor) slowed(d time.Duration) time.Duration {
	for _, f := range a.slow {
		if f.Factor > 0 {
			d = time.Duration(float64(d) * f.Factor)
		}
		d += f.By
	}
	return d
}

// failing is the fault by which a call fails, nil for none.
func (a *actor) failing(random uint64) *Fault {
	for i, f := range a.fails {
		if f.happens(guard.Mix(random + uint64(i)*guard.Golden)) {
			return f
		}
	}
	return nil
}

// happens draws whether a fault befalls this call.
func (f *Fault) happens(random uint64) bool { return f.Rate == 0 || chance(random, f.Rate) }

// poisons is the fault by which a message kills the actor, nil for none. A condition that cannot be evaluated is false.
func (a *actor) poisons(env *envelope) *Fault {
	for _, f := range a.poison {
		e := a.eng
		if ok, err := f.Where.Condition(e.view.Env(e.Now(), a.path, env.msg, &env.meta)); ok && err == nil {
			return f
		}
	}
	return nil
}

// tried lets faults befall a message in a behaviour's place. It reports whether they have settled it.
func (f *frame) tried() bool {
	a := f.actor
	if len(a.poison)+len(a.fails)+len(a.slow) == 0 {
		return false
	}
	if len(a.slow) > 0 {
		f.user = true
		err := f.caller.Sleep(a.slowed(0))
		f.user = false
		if err != nil {
			f.answered = true
			f.respond(nil, kernel.CutShort(a.path, "stopped while it handled the message"))
			return true
		}
	}
	if a.poisons(&f.env) != nil {
		f.failure = &engine.Failure{Kind: engine.KindCrash, Message: "killed by a message", By: a.path}
		return true
	}
	if fault := a.failing(f.eng.faults.draw()); fault != nil {
		f.answered, f.faulty = true, true
		f.respond(nil, a.failure(fault.Kind, fault.Status))
		return true
	}
	return false
}

// draw is the next random number of the faults' own stream.
func (x *faults) draw() uint64 {
	x.rng += guard.Golden
	return guard.Mix(x.rng)
}

// receive lets a message come to the actor, past the faults on its way.
func (a *actor) receive(env *envelope, from *caller) error {
	e := a.eng
	e.sent(a, env)
	if len(e.faults.edges) == 0 {
		return a.offer(env, from)
	}
	late, twice, lost := e.cross(env.meta.From, a, true)
	if lost {
		return nil // an asker waits in vain
	}
	if late == 0 {
		if err := a.offer(env, from); err != nil || !twice {
			return err
		}
		a.echo(env)
		return nil
	}
	copied := *env
	e.after(late, func() {
		if err := a.offer(&copied, nil); err != nil {
			copied.reply.settle(nil, err)
			return
		}
		if twice {
			a.echo(&copied)
		}
	})
	return nil
}

// echo offers a message a second time. Its answer goes nowhere; without room it is a dead letter.
func (a *actor) echo(env *envelope) {
	second := *env
	second.reply = ticket{}
	_ = a.offer(&second, nil)
}

// respond sends an answer back, past the faults on its way. It reports whether somebody still waited.
func (a *actor) respond(env *envelope, value any, err error) bool {
	e, t := a.eng, env.reply
	if !t.waits() {
		return false
	}
	if err == nil {
		for _, f := range a.corrupt {
			if f.happens(e.faults.draw()) {
				value = f.Value
			}
		}
	}
	e.digest.answer(e.Now(), a, value, err)
	if len(e.faults.edges) == 0 {
		return t.settle(value, err)
	}
	late, _, lost := e.cross(env.meta.From, a, false)
	switch {
	case lost:
	case late > 0:
		e.after(late, func() { t.settle(value, err) })
	default:
		return t.settle(value, err)
	}
	return true
}

// cross draws what befalls a message between a sender and an actor, or its answer.
func (e *Engine) cross(from string, a *actor, there bool) (late time.Duration, twice, lost bool) {
	for _, f := range e.faults.edges {
		if !f.between(from, a, there) || !f.happens(e.faults.draw()) {
			continue
		}
		switch f.Verb {
		case Drop, Partition:
			lost = true
		case Delay:
			late += f.By
		case Duplicate:
			twice = true
		case Reorder:
			late += time.Duration(e.faults.draw() % uint64(f.By))
		}
	}
	return late, twice, lost
}

// between tells whether a fault lies on the way from a sender to an actor, or on the way back.
func (f *Fault) between(from string, a *actor, there bool) bool {
	if f.Verb == Partition {
		return f.side(0, from, nil) && f.side(1, a.path, a) || f.side(1, from, nil) && f.side(0, a.path, a)
	}
	if there {
		return (f.From == "" || names(f.From, from)) && (f.To == "" || a.answersTo(f.To))
	}
	return f.From != "" && a.answersTo(f.From) && (f.To == "" || names(f.To, from))
}

func (f *Fault) side(i int, path string, a *actor) bool {
	for _, s := range f.Sides[i] {
		if a != nil && a.answersTo(s) || a == nil && names(s, path) {
			return true
		}
	}
	return false
}

// names tells whether a target means a sender.
func names(target, path string) bool {
	return meant(target, path) || target == path[strings.LastIndexByte(path, '/')+1:]
}

// Descriptors is what Exhaust takes from the node so that the Amount, 0..1, of new connections to upstreams and of starts of
// processes fail.
const Descriptors = "descriptors"

// full draws whether there is no descriptor left for something new.
func (e *Engine) full() bool {
	for _, f := range e.faults.node {
		if f.What == Descriptors && chance(e.faults.draw(), f.Amount) {
			return true
		}
	}
	return false
}

// noDescriptor is why nothing new could be opened.
const noDescriptor = "too many open files"

// Node is the machine as rules see it, with what faults have exhausted.
func (e *Engine) Node() rules.Node {
	n := rules.Node{Name: "sim", DiskFree: 1 << 40}
	for _, a := range e.roster.actors {
		if a != nil && a.inc != nil && a.inc.server != nil {
			n.Memory += float64(a.inc.server.memory())
		}
	}
	for _, f := range e.faults.node {
		switch f.What {
		case "cpu":
			n.CPU = f.Amount
		case "memory":
			n.Memory = f.Amount
		case "disk_free":
			n.DiskFree = f.Amount
		}
	}
	return n
}
