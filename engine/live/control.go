package live

import (
	"slices"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// Machine decides; engine.Machine does.
type Machine interface {
	Step(now time.Duration, in engine.Input, out []engine.Effect) []engine.Effect
}

// happening is one thing to tell the Machine, and the event that records it as a fact (nil: none).
type happening struct {
	in    engine.Input
	cause engine.Cause
	actor string // that the fact is about
	fact  journal.Body
	next  *kernel.View // of a reload: what effects are about
	up    *incarnation // that has started; it opens when the Machine knows
	gone  *incarnation // whose end it is; settled when the Machine has decided
}

// control is the control plane: all of it is guarded by its mutex.
type control struct {
	mu      sync.Mutex
	machine Machine
	now     time.Duration
	queue   []happening
	effects []engine.Effect
	timers  map[engine.TimerID]alarm
	answers map[uint64]chan string
	// supervisors are those that exist, by path: the Machine tells of them only in what it emits.
	supervisors map[string]*actor
	reports     reports
	encoded     []byte // of the last input, used again
	numbers     uint64

	volunteer volunteer

	// While effects are carried out: what caused them, and the last event they added, which is the nearer cause of what
	// follows for the same actor.
	cause engine.Cause
	said  string
	saidN uint64
}

type alarm struct {
	timer clock.Timer
	cause engine.Cause
}

// happen tells the Machine what happened and carries out what it decides. It must not be called under any lock.
func (e *Engine) happen(h happening) {
	c := &e.control
	c.mu.Lock()
	c.queue = append(c.queue, h)
	e.work()
	c.mu.Unlock()
	e.drain()
}

// volunteer is the frame of the worker that holds the control lock and has nothing else to do afterwards, if such a one
// holds it. It takes on what comes of its report, so that a restart needs no other goroutine.
type volunteer struct{ *frame }

// launches reports whether the worker will go to the launcher.
func (v volunteer) launches() bool {
	if v.frame == nil || v.frame.launches || v.frame.launching {
		return false
	}
	v.frame.launches = true
	return true
}

// takes reports whether the worker will run an activation of inc.
func (v volunteer) takes(inc *incarnation) bool {
	if v.frame == nil || v.frame.ahead != nil {
		return false
	}
	v.frame.ahead = inc
	return true
}

// happenLast is happen by a worker that has nothing else to do: see frame.oblige.
func (e *Engine) happenLast(f *frame, h happening) {
	c := &e.control
	c.mu.Lock()
	c.queue = append(c.queue, h)
	e.workFor(f)
	c.mu.Unlock()
	e.drain()
}

// reportLast is report by a worker that has nothing else to do. When many reports wait, the worker waits for the lock
// itself: a pile of all that starts at a boot would cost more than the waiting.
func (e *Engine) reportLast(f *frame, h happening) {
	c := &e.control
	n := c.reports.add(h)
	if n >= manyReports {
		c.mu.Lock()
	} else if !c.mu.TryLock() {
		e.drain()
		return
	}
	e.workFor(f)
	c.mu.Unlock()
	e.drain()
}

// workFor is work on behalf of f's worker.
func (e *Engine) workFor(f *frame) {
	if !f.dying {
		e.control.volunteer.frame = f
	}
	e.work()
	e.control.volunteer.frame = nil
}

// report tells the Machine what happened, from anywhere: when somebody else holds the control lock, or the caller does,
// it is told by the holder. Reports keep their order.
func (e *Engine) report(h happening) {
	e.control.reports.add(h)
	e.drain()
}

// drain sees to it that no report stays behind. Whoever holds the lock drains after giving it up, so a report that
// came meanwhile is not lost when TryLock fails here.
func (e *Engine) drain() {
	for e.control.reports.any() && e.control.mu.TryLock() {
		e.work()
		e.control.mu.Unlock()
	}
}

// work steps through all that is queued. It needs the control lock.
func (e *Engine) work() {
	c := &e.control
	c.queue = c.reports.take(c.queue)
	for i := 0; i < len(c.queue); i++ {
		next := c.queue[i]
		c.queue[i] = happening{}
		e.step(next)
		c.queue = c.reports.take(c.queue)
	}
	c.queue = c.queue[:0]
	if cap(c.queue) > mostKept { // a boot or shutdown of very many: their memory is not needed again
		c.queue = nil
	}
	if cap(c.effects) > mostKept {
		c.effects = nil
	}
}

// manyReports is how many reports of starts wait at most for somebody else to tell them.
const manyReports = 64

// mostKept bounds the buffers that are kept for the next input.
const mostKept = 1024

// reports are happenings from those who cannot wait for the control lock.
type reports struct {
	mu      sync.Mutex
	waiting []happening
}

// add reports how many wait.
func (r *reports) add(h happening) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, h)
	return len(r.waiting)
}

func (r *reports) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting) > 0
}

// take moves what waits to the end of queue.
func (r *reports) take(queue []happening) []happening {
	r.mu.Lock()
	defer r.mu.Unlock()
	queue = append(queue, r.waiting...)
	clear(r.waiting)
	if r.waiting = r.waiting[:0]; cap(r.waiting) > mostKept {
		r.waiting = nil
	}
	return queue
}

// raise queues a happening while effects are carried out: it is told to the Machine when they all are.
func (e *Engine) raise(h happening) { e.control.queue = append(e.control.queue, h) }

// step needs the control lock.
func (e *Engine) step(h happening) {
	c := &e.control
	c.cause, c.said = h.cause, ""
	if h.fact != nil {
		c.cause.Seq = e.scribe.record(h.actor, h.fact, &c.cause)
	}
	e.recordInput(h.in)
	if h.next != nil {
		e.next = h.next
		e.furnish(h.next)
	}
	c.now = max(c.now, e.now())
	c.effects = c.machine.Step(c.now, h.in, c.effects[:0])
	if h.up != nil {
		h.up.open()
	}
	for _, effect := range c.effects {
		e.apply(effect)
	}
	e.next = nil
	if h.gone != nil {
		h.gone.settle()
	}
}

// recordInput keeps an input for replay, where the plan wants that.
func (e *Engine) recordInput(in engine.Input) {
	c := &e.control
	if !e.view.Load().Decisions {
		return
	}
	data, err := engine.AppendInput(c.encoded[:0], in)
	if err != nil {
		cause := c.cause
		e.scribe.record("", journal.Logged{Level: "error", Text: "an input could not be recorded, replay stops here: " + err.Error()}, &cause)
		return
	}
	c.encoded = data
	seq := e.scribe.record("", journal.Input{Data: slices.Clone(data)}, &c.cause)
	if c.cause.Seq == 0 {
		c.cause.Seq = seq
	}
}

// causeFor is what an effect on an actor is caused by: the event that announced it, else the input.
func (c *control) causeFor(path string) engine.Cause {
	if c.said == path && c.saidN > 0 {
		return engine.Cause{Correlation: c.cause.Correlation, Seq: c.saidN}
	}
	return c.cause
}

// apply carries one effect out. Effects belong to the Machine: what is needed later is copied.
func (e *Engine) apply(effect engine.Effect) {
	switch x := effect.(type) {
	case *engine.Emit:
		e.control.said, e.control.saidN = x.Actor, e.scribe.record(x.Actor, x.Body, &e.control.cause)
		e.heard(x)
	case *engine.Create:
		e.create(x.ID, x.Path)
	case *engine.Start:
		e.begin(x)
	case *engine.Continue:
		e.resume(x)
	case *engine.Close:
		e.close(x)
	case *engine.Stop:
		e.halt(x)
	case *engine.Remove:
		e.remove(x.ID)
	case *engine.SetTimer:
		e.setTimer(x)
	case *engine.CancelTimer:
		if a, ok := e.control.timers[x.Timer]; ok {
			a.timer.Stop()
			delete(e.control.timers, x.Timer)
		}
	case *engine.Pause:
		e.pause(x)
	case *engine.Quarantine:
		if a := e.actor(x.ID); a != nil {
			a.mark(unfitQuarantined, x.On)
		}
	case *engine.Inject:
		e.inject(x)
	case *engine.SetState:
		e.setState(x)
	case *engine.Answered:
		e.answer(x.Number, x.Error)
	case *engine.Ended:
		e.ended(x.Code, x.Why)
	default:
		e.applyWide(effect)
	}
}

// applyWide carries out the effects that reach beyond one actor.
func (e *Engine) applyWide(effect engine.Effect) {
	switch x := effect.(type) {
	case *engine.Force:
		e.force(x)
	case *engine.EmergencyMode:
		e.emergency.Store(x.On)
	case *engine.Webhook:
		e.webhook(x)
	case *engine.Swap:
		e.swap(x)
	case *engine.RollBack:
		e.takeBack(x)
	}
}

// heard lets status follow what the Machine announces and no other effect says.
func (e *Engine) heard(x *engine.Emit) {
	if x.Actor == "" {
		e.trial.heard(x.Body)
		e.next.Refuse(x.Body)
		return
	}
	_, again := x.Body.(*journal.ActorRestarting)
	a := e.control.supervisors[x.Actor]
	if again && a == nil {
		a = e.byPath(x.Actor)
	}
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if again {
		a.counts().restarts.Add(1)
	}
	if a.kind == plan.Supervisor {
		e.follow(a, x.Body)
	}
}

// follow keeps the state of a supervisor, of which nothing else is heard. It needs the actor's lock.
func (e *Engine) follow(a *actor, body journal.Body) {
	switch body.(type) {
	case *journal.ActorStarting:
		a.phase = phaseStarting
	case *journal.ActorReady:
		a.phase = phaseRunning
		a.mark(unfitDown, false)
		if a.path == e.options.Plan.Actors[0].Path {
			e.upOnce.Do(func() { close(e.up) })
		}
	case *journal.ActorRestarting:
		a.phase = phaseRestarting
	case *journal.ActorStopping:
		a.phase = phaseStopping
		a.mark(unfitDown, true)
	case *journal.ActorStopped, *journal.SupervisorGaveUp:
		a.phase = phaseStopped
		a.mark(unfitDown, true)
	}
}

func (e *Engine) setTimer(x *engine.SetTimer) {
	id := x.Timer
	cause := e.control.cause
	if e.control.saidN > 0 && e.control.said != "" {
		cause.Seq = e.control.saidN
	}
	t := e.clock.AfterFunc(x.At-e.now(), func() { e.due(id) })
	e.control.timers[id] = alarm{t, cause}
}

// due tells the Machine that a timer has come, unless it was taken back in the meantime.
func (e *Engine) due(id engine.TimerID) {
	c := &e.control
	c.mu.Lock()
	a, ok := c.timers[id]
	delete(c.timers, id)
	c.mu.Unlock()
	e.drain()
	if ok {
		e.happen(happening{in: engine.Due{Timer: id}, cause: a.cause})
	}
}

func (e *Engine) answer(number uint64, failure string) {
	if ch, ok := e.control.answers[number]; ok {
		delete(e.control.answers, number)
		ch <- failure
	}
}

// pause closes or opens an actor's mailbox for its handlers.
func (e *Engine) pause(x *engine.Pause) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	a.mark(unfitPaused, x.On)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = x.On
	if a.inc == nil {
		return
	}
	if x.On {
		a.inc.gate.Or(gatePaused)
		return
	}
	a.inc.gate.And(^gatePaused)
	a.rouse()
}

func (e *Engine) inject(x *engine.Inject) {
	if a := e.actor(x.ID); a != nil {
		c := e.control.causeFor(a.path)
		_ = a.offer(&envelope{msg: x.Message, meta: engine.Meta{Correlation: c.Correlation, Causation: c.Seq, Priority: 9}}, nil)
	}
}

func (e *Engine) setState(x *engine.SetState) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	state := x.State
	a.system(func(b engine.Behavior) {
		s, ok := engine.As[engine.Stateful](b)
		if !ok {
			return
		}
		if err := s.SetState(state); err != nil {
			e.scribe.record(a.path, journal.Logged{Level: "error", Text: "set_state: " + err.Error()}, &engine.Cause{})
		}
	})
}
