package sim

import (
	"fmt"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/rules"
)

// Model stands in for a process, an upstream or a Go behaviour that is not there, and answers a Go behaviour's
// Context.Call. The zero value takes a millisecond, makes no errors, has no limit and answers with an empty mapping.
type Model struct {
	Latency Latency
	// Concurrency is how many calls are served at once; 0 is without bound. More of them queue, first come first served.
	Concurrency int
	// Cancelled gives up the work for an asker that has gone away. Otherwise such work is done to its end and costs its
	// time, as most servers do.
	Cancelled bool
	ErrorRate float64 // 0..1 of the calls fail
	// ErrorKind and ErrorStatus are what failed calls answer: by default status 500 for an upstream, kind "failed"
	// otherwise.
	ErrorKind   string
	ErrorStatus int
	Startup     time.Duration // until it is ready
	Shutdown    time.Duration // from the end of its last call until it is gone; a hung one takes the whole kill time
	Memory      Memory
	Replies     []Reply // the first for the message counts; without one the answer is an empty mapping
}

// Reply is what a model answers to a message.
type Reply struct {
	Message string          // "" is any
	Value   *rules.Template // sees call and msg
}

// Memory is how a model's memory grows, in bytes.
type Memory struct {
	Base, PerCall, PerSecond int64
	Limit                    int64 // at which it is killed; 0 is none
}

// maxQueue bounds the calls that queue at a model.
const maxQueue = 1 << 20

// server is an incarnation whose behaviour is a model.
type server struct {
	inc       *incarnation
	model     *Model
	quantiles *quantiles
	rng       uint64
	working   int
	queue     []*job // waits for a place; from head
	head      int
	jobs      []*job // all that are queued or served
	served    int64
	hung      bool
	startup   clock.Alarm
	check     clock.Alarm // of the health check
	tally     health
}

// health counts the health checks in a row.
type health struct {
	bad, good int
	sick      bool
}

// job is one call at a server.
type job struct {
	s     *server
	env   envelope
	at    int // place in s.jobs
	began time.Duration
	alarm clock.Alarm
	done  func() // finish, bound once
	fails *engine.Error
	busy  bool // has a place
	left  time.Duration
	due   time.Duration
}

func newServer(inc *incarnation, m *Model) *server {
	return &server{inc: inc, model: m, quantiles: inc.a.eng.quantilesOf(m.Latency), rng: inc.rng, hung: inc.a.hangs > 0}
}

// modelFor is the model that stands in for an actor, nil when its behaviour runs.
func (e *Engine) modelFor(spec *plan.Actor) *Model {
	m := e.world[spec.Path]
	if m == nil && spec.Group != "" {
		m = e.world[spec.Group]
	}
	switch spec.Kind {
	case plan.Process, plan.Upstream:
	case plan.Go:
		if e.options.Factories(plan.Go) != nil && (m == nil || e.options.Present != nil && e.options.Present(spec)) {
			return nil
		}
	default:
		return nil
	}
	if m == nil {
		return &Model{}
	}
	return m
}

// quantilesOf tabulates a latency once for each engine.
func (e *Engine) quantilesOf(l Latency) *quantiles {
	q := e.tables[l]
	if q == nil {
		q = newQuantiles(l)
		e.tables[l] = q
	}
	return q
}

func (s *server) random() uint64 {
	s.rng += guard.Golden
	return guard.Mix(s.rng)
}

// chance is true for a share of the draws.
func chance(random uint64, share float64) bool {
	return share > 0 && float64(random>>11)/(1<<53) < share
}

// bring starts the model; it is ready after its startup, unless that takes longer than its ready probe allows.
func (s *server) bring() {
	inc, e := s.inc, s.inc.a.eng
	inc.announce()
	takes := s.model.Startup
	var failure *engine.Failure
	if p := inc.a.spec.Ready; p != nil && p.Within > 0 && (takes > p.Within || s.hung) {
		takes = p.Within
		failure = &engine.Failure{Kind: engine.KindStart, Message: fmt.Sprintf("not ready within %s", p.Within), By: inc.a.path, ExitCode: -1}
	}
	if inc.a.kind == plan.Process && e.full() {
		takes, failure = 0, &engine.Failure{Kind: engine.KindStart, Message: noDescriptor, By: inc.a.path, ExitCode: -1}
	}
	e.loop.alarms.Set(&s.startup, int64(e.Now()+takes), func() {
		inc.risen(failure)
		if failure == nil && inc.ending == kernel.NotEnding {
			s.watch()
		}
	})
}

// activate takes the next message and serves it or queues it. The activation lasts until the call has ended.
func (s *server) activate() {
	inc, a := s.inc, s.inc.a
	j := a.eng.job(s)
	switch gate := inc.gate; {
	case gate&gateDown != 0:
	case a.setting != nil:
		a.setting = nil // a model has no state to look at
		j.free()
		inc.release()
		a.rouse()
		return
	case gate&gatePaused != 0:
	case a.again.pop(&j.env), a.back.pop(&j.env):
		if len(a.parked) > 0 {
			a.admit()
		}
		s.accept(j)
		return
	}
	j.free()
	inc.release()
}

// job gives a blank job.
func (e *Engine) job(s *server) *job {
	if n := len(e.jobs); n > 0 {
		j := e.jobs[n-1]
		e.jobs = e.jobs[:n-1]
		j.s = s
		return j
	}
	j := &job{s: s}
	j.done = j.finish
	return j
}

// free gives the job back. One that is still in a queue is left to the collector.
func (j *job) free() {
	e := j.s.inc.a.eng
	j.env, j.fails, j.busy, j.s = envelope{}, nil, false, nil
	e.jobs = append(e.jobs, j)
}

// accept takes a call in.
func (s *server) accept(j *job) {
	a, e := s.inc.a, s.inc.a.eng
	if j.env.reply.w != nil && !j.env.reply.waits() {
		a.deadLetter(kernel.Expired, &j.env, nil)
		j.free()
		s.depart()
		return
	}
	j.began = e.Now()
	e.digest.message(j.began, a, &j.env)
	if p := a.poisons(&j.env); p != nil {
		a.count(0, true)
		s.crash(&j.env)
		j.free()
		return
	}
	if j.env.reply.w != nil {
		j.env.reply.w.job = j
	}
	j.at = len(s.jobs)
	s.jobs = append(s.jobs, j)
	switch {
	case s.model.Concurrency <= 0 || s.working < s.model.Concurrency:
		s.serve(j)
	case len(s.queue)-s.head < maxQueue:
		s.queue = append(s.queue, j)
	default:
		j.fails = a.refuse("the queue of its model is full")
		j.settle()
	}
}

// crash ends the incarnation by the message that poisons it.
func (s *server) crash(env *envelope) {
	a := s.inc.a
	failure := engine.Failure{Kind: engine.KindExit, Message: "killed by a message", By: a.path, MessageType: env.msg.Type,
		Correlation: env.meta.Correlation, ExitCode: -1, Signal: "SEGV"}
	a.poisoned(&envelope{msg: env.msg, meta: env.meta, reply: env.reply, tries: env.tries + 1}, failure.Answer())
	s.inc.exited(&failure)
	s.inc.release()
}

// serve gives a call its place.
func (s *server) serve(j *job) {
	a, e := s.inc.a, s.inc.a.eng
	s.working++
	j.busy = true
	var takes time.Duration
	j.fails, takes = s.outcome(j)
	if s.hung {
		j.left = takes
		return
	}
	j.due = e.Now() + takes
	e.loop.alarms.Set(&j.alarm, int64(j.due), j.done)
	s.served++
	if m := &s.model.Memory; m.Limit > 0 && s.memory() > m.Limit {
		e.push(task{kind: taskBrief, job: func() {
			s.inc.exited(&engine.Failure{Kind: engine.KindExit, Message: "out of memory", By: a.path, ExitCode: -1, Signal: "KILL"})
		}})
	}
}

// outcome draws how a call will end and how long it takes.
func (s *server) outcome(j *job) (*engine.Error, time.Duration) {
	a, m := s.inc.a, s.model
	takes := a.slowed(s.quantiles.draw(s.random()))
	if a.kind == plan.Upstream && a.eng.full() {
		return &engine.Error{Kind: engine.KindUnreachable, Message: noDescriptor, By: a.path}, 0
	}
	if f := a.failing(s.random()); f != nil {
		err := a.failure(f.Kind, f.Status)
		if err.Kind == engine.KindUnreachable {
			takes = 0
			err.Delivered = false
		}
		return err, takes
	}
	if chance(s.random(), m.ErrorRate) {
		return a.failure(m.ErrorKind, m.ErrorStatus), takes
	}
	return nil, takes
}

// failure is a failed call's answer.
func (a *actor) failure(kind string, status int) *engine.Error {
	if kind == "" && (status != 0 || a.kind == plan.Upstream) {
		kind = engine.KindStatus
	}
	if kind == engine.KindStatus && status == 0 {
		status = 500
	}
	if kind == "" {
		kind = "failed"
	}
	return &engine.Error{Kind: kind, Message: "as the world has it", By: a.path, Status: status, Delivered: true}
}

// finish ends a call: its answer is sent and the next in the queue gets its place.
func (j *job) finish() {
	a := j.s.inc.a
	if f := j.fails; f != nil {
		j.settle()
		return
	}
	v, err := j.s.reply(j)
	if err != nil {
		j.fails = &engine.Error{Kind: engine.KindExpression, Message: "world reply: " + err.Error(), By: a.path, Delivered: true}
		j.settle()
		return
	}
	j.forget()
	a.respond(&j.env, v, nil)
	j.leave(false)
}

// settle answers a call with its failure.
func (j *job) settle() {
	j.forget()
	j.s.inc.a.respond(&j.env, nil, j.fails)
	j.leave(true)
}

// forget unties the call from its asker.
func (j *job) forget() {
	if w := j.env.reply.w; w != nil && w.job == j {
		w.job = nil
	}
}

// leave gives the call's place to the next.
func (j *job) leave(failed bool) {
	s, a := j.s, j.s.inc.a
	a.count(a.eng.Now()-j.began, failed)
	queued := !j.busy
	s.drop(j)
	if !queued {
		j.free()
	}
	s.depart()
}

// drop takes a call off the server's books.
func (s *server) drop(j *job) {
	s.inc.a.eng.loop.alarms.Cancel(&j.alarm)
	last := s.jobs[len(s.jobs)-1]
	s.jobs[j.at], last.at = last, j.at
	s.jobs = s.jobs[:len(s.jobs)-1]
	j.at = -1
	if !j.busy {
		return
	}
	s.working--
	s.promote()
}

// promote gives free places to those who queue for one.
func (s *server) promote() {
	for s.head < len(s.queue) && (s.model.Concurrency <= 0 || s.working < s.model.Concurrency) {
		next := s.queue[s.head]
		s.queue[s.head] = nil
		s.head++
		if next.at >= 0 {
			s.serve(next)
		}
	}
	if s.head == len(s.queue) {
		s.queue, s.head = s.queue[:0], 0
	}
}

// depart gives the activation back and takes the next message, where the actor's own limit has held it.
func (s *server) depart() {
	s.inc.release()
	if s.inc.gate == 0 && s.inc.limit > 0 && s.inc.a.back.n+s.inc.a.again.n > 0 {
		s.inc.a.enlist()
	}
}

// abandoned is told that the call's asker has gone away.
func (j *job) abandoned(ticket) {
	if !j.s.model.Cancelled || j.at < 0 {
		return
	}
	j.leave(true)
}

// reply builds the answer.
func (s *server) reply(j *job) (any, error) { return s.inc.a.reply(s.model, &j.env) }

func (a *actor) reply(m *Model, env *envelope) (any, error) {
	for i := range m.Replies {
		r := &m.Replies[i]
		if r.Message != "" && r.Message != env.msg.Type || r.Value == nil {
			continue
		}
		e := a.eng
		return r.Value.Build(e.view.Env(e.Now(), a.path, env.msg, &env.meta))
	}
	return a.eng.nothing, nil
}

// hang stops all work, or lets it go on.
func (s *server) hang(on bool) {
	if s.hung == on {
		return
	}
	e := s.inc.a.eng
	s.hung = on
	for _, j := range s.jobs {
		switch {
		case !j.busy:
		case on:
			e.loop.alarms.Cancel(&j.alarm)
			j.left = max(j.due-e.Now(), 0)
		default:
			j.due = e.Now() + j.left
			e.loop.alarms.Set(&j.alarm, int64(j.due), j.done)
		}
	}
}

// cancel ends all calls because the incarnation ends.
func (s *server) cancel() {
	a := s.inc.a
	if a.eng.loop.alarms.Cancel(&s.startup) {
		s.inc.release()
	}
	for len(s.jobs) > 0 {
		j := s.jobs[len(s.jobs)-1]
		j.forget()
		j.busy = false
		s.drop(j)
		a.deadLetter(kernel.InFlight, &j.env, kernel.CutShort(a.path, "stopped while it handled the message"))
		s.inc.release()
	}
	s.queue, s.head, s.working = nil, 0, 0
}

// down ends the model, after its shutdown or, hung, by force at the kill time.
func (s *server) down(gone func()) {
	e, takes := s.inc.a.eng, s.model.Shutdown
	if e.loop.alarms.Cancel(&s.check) {
		e.loop.own--
	}
	switch {
	case s.inc.ending == kernel.EndExited:
		takes = 0
	case s.hung && s.inc.a.kind == plan.Process:
		takes = s.inc.end.Kill
	}
	if takes <= 0 {
		gone()
		return
	}
	e.after(takes, gone)
}

// memory is what the model takes now.
func (s *server) memory() int64 {
	if s.inc.a.exhausted > 0 {
		return s.inc.a.exhausted
	}
	m := &s.model.Memory
	return m.Base + m.PerCall*s.served + int64(float64(m.PerSecond)*(s.inc.a.eng.Now()-s.inc.began).Seconds())
}

// watch checks the model's health, as its probe says.
func (s *server) watch() {
	p := s.inc.a.spec.Health
	if p == nil || p.Interval <= 0 {
		return
	}
	e := s.inc.a.eng
	e.loop.own++
	e.loop.alarms.Set(&s.check, int64(e.Now()+p.Interval), func() {
		e.loop.own--
		if s.inc.ending == kernel.NotEnding {
			s.examine(p)
			s.watch()
		}
	})
}

// examine is one health check.
func (s *server) examine(p *plan.Probe) {
	a := s.inc.a
	why := ""
	fails := a.failing(s.random())
	switch takes := a.slowed(s.quantiles.draw(s.random())); {
	case s.hung || p.Timeout > 0 && takes > p.Timeout:
		why = "no answer in time"
	case a.kind == plan.Upstream && a.eng.full():
		why = noDescriptor
	case fails != nil:
		why = a.failure(fails.Kind, fails.Status).Kind
	}
	h := &s.tally
	if why == "" {
		h.good, h.bad = h.good+1, 0
	} else {
		h.good, h.bad = 0, h.bad+1
	}
	switch {
	case !h.sick && h.bad >= max(p.Fail, 1):
		h.sick = true
		a.eng.healthy(s.inc, false, why)
	case h.sick && h.good >= max(p.Pass, 1):
		h.sick = false
		a.eng.healthy(s.inc, true, "")
	}
}

// outside is a Go behaviour's Context.Call, answered by its actor's model.
func (f *frame) outside(timeout time.Duration) (any, error) {
	if err := f.Blocks(); err != nil {
		return nil, err
	}
	e, a := f.eng, f.actor
	m := e.world[a.path]
	if m == nil {
		m = &Model{}
	}
	takes, late := a.slowed(e.quantilesOf(m.Latency).draw(f.Rand())), false
	var err error
	if fault := a.failing(f.Rand()); fault != nil {
		err = a.failure(fault.Kind, fault.Status)
	} else if chance(f.Rand(), m.ErrorRate) {
		err = a.failure(m.ErrorKind, m.ErrorStatus)
	}
	if timeout > 0 && (takes > timeout || a.hangs > 0) {
		takes, late = timeout, true
	}
	if stop := f.caller.Sleep(takes); stop != nil {
		return nil, stop
	}
	f.fresh = false
	switch {
	case late:
		return nil, kernel.Late(a.path)
	case err != nil:
		return nil, err
	}
	return a.reply(m, &f.env)
}
