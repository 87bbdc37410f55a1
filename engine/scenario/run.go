package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/consensus"
	"github.com/lukhasai/lukhas-run/engine/actors/persist"
	"github.com/lukhasai/lukhas-run/engine/actors/probe"
	"github.com/lukhasai/lukhas-run/engine/actors/script"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/sim"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// Options vary a run. The zero value runs the scenario as it is written.
type Options struct {
	Seed       uint64                    // of all randomness; 0 is the scenario's own
	Shuffle    uint64                    // seeds the choice among what can happen at the same moment; 0: first come first served
	Steps      []plan.Step               // added to the timeline
	Behaviours map[string]engine.Factory // what `go: {behaviour: NAME}` names; others are replaced by their world
	MarkEvery  time.Duration             // of Report.Marks
	Record     bool                      // fills Report.Tape
	Plain      bool                      // faster, for runs that nobody compares: the report has no digest and no marks
	Cover      bool                      // fills Report.Shown
	Witness    func(sim.Step)            // is told each step of the run, in words; nil: nobody is
}

// run is one scenario under way.
type run struct {
	spec  *plan.Scenario
	seed  uint64
	eng   *sim.Engine
	begun bool // everything was up for the first time
	again bool // a second look at this moment is on the agenda

	loads    []*load
	steps    []step
	waiting  []*step // of them, in order, those whose `when` has not been true
	monitors []*monitor
	models   []plan.World
	watching
	past  past
	cover *coverage // nil: nobody asked
	eyes  *sampler  // what the rules see

	problem error
}

// watching is what looking at the system needs, used again and again.
type watching struct {
	world       world
	scratch     rules.Env
	system      rules.System
	refused     rules.Reload // the last reload, where the engine was not even asked; else zero
	condemned   plan.Digest  // of the last plan that was rolled back, until another one is in force
	call        rules.Call
	names       map[string]string
	paramsOf    *plan.Plan
	paramValues map[string]any
	quantiles   bool // some expectation reads a load's latency
	events      bool // some expectation reads events
	whole       bool // some expression reads the system's health

}

// Run plays a scenario and judges it. An error means that it could not be played; what it finds wrong is in the Report.
func Run(s *plan.Scenario, o Options) (*Report, error) {
	r := &run{spec: s, seed: s.Seed, models: s.World}
	if o.Seed != 0 {
		r.seed = o.Seed
	}
	r.names = map[string]string{"": ""}
	r.world.run, r.world.known, r.past.run, r.past.most = r, map[string]*known{}, r, maxPast
	if o.Record {
		r.past.most = maxTape
	}
	r.watch()
	states := journal.NewStates(&journal.MemoryFS{}, "snapshots", statesKept)
	var calls func(journal.Call)
	if o.Cover {
		r.cover = newCoverage(r)
		calls = r.cover.call
	}
	r.eyes = newSampler(r)
	r.prepare(o.Steps)
	eng, err := sim.New(sim.Options{
		Plan: s.Plan, Seed: r.seed, Start: s.Clock, Factories: r.factories(o.Behaviours, states), World: r.modelsOf(s.Plan), Spoil: states.Spoil,
		Swapped:  r.supply,
		Present:  func(a *plan.Actor) bool { return o.Behaviours[a.Go.Behaviour] != nil },
		Observer: (*observer)(r), EventsOnly: !r.hearsCalls(), Sample: r.eyes.sample, RollBack: r.rollBack, Shuffle: o.Shuffle, Watch: r.programs(), MarkEvery: o.MarkEvery, Plain: o.Plain, Steps: o.Witness, Calls: calls,
	})
	if err != nil {
		return nil, err
	}
	r.eng = eng
	for i := range s.Loads {
		l := newLoad(r, &s.Loads[i])
		if o.Record {
			l.curve = newCurve(l.spec.Name, s.Duration)
		}
		r.loads = append(r.loads, l)
	}
	r.bindAll()
	eng.Start()
	if err := eng.Run(s.Duration); err != nil {
		return nil, errors.Join(err, eng.Close())
	}
	r.finish()
	report := r.report()
	if o.Record {
		report.Tape = r.tape()
	}
	if err := eng.Close(); err != nil && report.Problem == "" {
		report.Problem = err.Error()
	}
	return report, nil
}

// watch makes the monitors.
func (r *run) watch() {
	for i := range r.spec.Expect {
		m := newMonitor(&r.spec.Expect[i], paramFields(r.spec.Plan))
		r.monitors = append(r.monitors, m)
		r.events = r.events || m.sight&seesEvent != 0
		r.quantiles = r.quantiles || m.spec.Cond.NeedsQuantiles()
	}
	for _, p := range r.programs() {
		r.whole = r.whole || slices.ContainsFunc(p.Reads(), func(path string) bool { return strings.HasPrefix(path, "system.") })
	}
}

// programs are the expressions that are not the plan's.
func (r *run) programs() []*rules.Program {
	var out []*rules.Program
	for _, m := range r.monitors {
		out = append(out, m.spec.Cond)
	}
	for i := range r.spec.Steps {
		if w := r.spec.Steps[i].When; w != nil {
			out = append(out, w)
		}
	}
	return out
}

// prepare lists the steps.
func (r *run) prepare(more []plan.Step) {
	all := make([]step, len(r.spec.Steps)+len(more))
	for i := range r.spec.Steps {
		all[i].spec = &r.spec.Steps[i]
	}
	for i := range more {
		all[len(r.spec.Steps)+i].spec = &more[i]
	}
	r.steps = all
	for i := range all {
		if all[i].spec.When != nil {
			r.waiting = append(r.waiting, &all[i])
		}
	}
}

// hearsCalls tells whether anything may ever be judged on a call, or with every call.
func (r *run) hearsCalls() bool {
	return r.busy() || slices.ContainsFunc(r.monitors, func(m *monitor) bool { return m.sight&(seesSent|seesEnded) != 0 })
}

// busy tells whether there is something to look at with every call: what changes with each is read by an expectation that can
// still go either way. One that is judged at the end only is looked at for the steps that wait for a condition.
func (r *run) busy() bool {
	for _, m := range r.monitors {
		if m.busy && m.verdict == "" && (m.spec.Kind != "finally" || len(r.waiting) > 0) {
			return true
		}
	}
	return false
}

// bindAll puts everything on the agenda that hangs on a moment.
func (r *run) bindAll() {
	for _, m := range r.monitors {
		r.bind(m)
	}
	r.schedule()
}

// bind ties a monitor to its moments.
func (r *run) bind(m *monitor) {
	e := m.spec
	open := func() {
		if e.Kind == "eventually" {
			if by := r.eng.Now() + e.Within; by <= r.spec.Duration {
				r.eng.At(by, func() { r.decided(m, m.expire(r.eng.Now())) })
			}
		}
		if m.sight&seesState == 0 {
			m.begin(r.eng.Now())
			return
		}
		r.eng.At(r.eng.Now(), func() { // once all that this moment brings has been done
			m.begin(r.eng.Now())
			r.judge(m, r.env())
		})
	}
	switch {
	case e.Kind == "holds":
		r.at(*e.At, open)
	case e.Kind == "finally":
	case e.After != nil:
		r.at(*e.After, open)
	default:
		r.past.onUp = append(r.past.onUp, open)
	}
	if e.Until != nil {
		r.at(*e.Until, func() { r.decided(m, m.shut(r.eng.Now())) })
	}
}

// up is called once, when everything is up for the first time: loads begin, and expectations without `after` count.
func (r *run) up() {
	for _, open := range r.past.onUp {
		open()
	}
	r.past.onUp = nil
	for _, l := range r.loads {
		r.at(l.spec.From, func() { l.begin() })
	}
}

// look judges what is judged on the state of the system, and starts the steps that have waited for it.
func (r *run) look() { r.lookAt(func(*monitor) bool { return true }) }

func (r *run) lookAt(which func(*monitor) bool) {
	env := r.env()
	for _, m := range r.monitors {
		if m.sight&seesState != 0 && m.verdict == "" && which(m) {
			r.judge(m, env)
		}
	}
	r.waiting = slices.DeleteFunc(r.waiting, func(s *step) bool {
		ok, err := s.spec.When.Condition(env)
		if !ok || err != nil {
			return false
		}
		r.eng.At(r.eng.Now(), func() { r.start(s) })
		return true
	})
}

// served is told that a load has had an answer.
func (r *run) served(*load) {
	if len(r.waiting) > 0 || r.busy() {
		r.lookAt(func(m *monitor) bool { return m.busy })
	}
}

func (r *run) judge(m *monitor, env *rules.Env) {
	if m.spec.Kind == "finally" {
		return // at the end only
	}
	m.judge(r.eng.Now(), env)
	r.decided(m, m.verdict == Fail && m.seen == nil)
}

// decided keeps what a failure was about while it can still be seen.
func (r *run) decided(m *monitor, failed bool) {
	if !failed {
		return
	}
	m.seq = r.past.last
	m.parts = r.parts(m)
	m.seen = r.values(m)
	m.chain = r.past.chain(m)
}

// finish judges what is judged at the end.
func (r *run) finish() {
	now := r.spec.Duration
	r.eng.Submit(r.eyes.sample(now))
	env := r.env()
	for _, m := range r.monitors {
		if m.spec.Kind == "finally" && m.verdict == "" {
			m.open = true
			m.judge(now, env)
			r.decided(m, m.verdict == Fail)
		}
		r.decided(m, m.end(now))
	}
}

// broken notes that the scenario itself cannot be played as it is written. The first such thing counts.
func (r *run) broken(place plan.Place, what string, err error) {
	if r.problem == nil {
		r.problem = fmt.Errorf("%s: at %s: %s: %w", place, r.eng.Now(), what, err)
	}
}

// note keeps what a step did, for people.
func (r *run) note(s *plan.Step, how string) {
	text := s.Verb
	if text == "" {
		text = "moment"
	}
	if s.ID != "" {
		text += " " + s.ID
	}
	if w := about(s); w != "" {
		text += " on " + w
	}
	if how != "" {
		text += " " + how
	}
	r.past.keep(Entry{At: r.eng.Now(), Step: s, Text: text, Over: how == "over"})
}

// about names whom a step befalls.
func about(s *plan.Step) string {
	switch {
	case s.Fault != nil && s.Fault.Target != "":
		return s.Fault.Target
	case s.Fault != nil && s.Fault.To != "":
		return s.Fault.To
	case s.Fault != nil && s.Fault.From != "":
		return s.Fault.From
	case s.Action != nil:
		return s.Action.Target
	}
	return ""
}

// statesKept is how many saved states of an actor a run has: as many as a real one.
const statesKept = 3

// factories gives the behaviours that run in a scenario as in production, and keeps their states on a disk of the run's own.
func (r *run) factories(behaviours map[string]engine.Factory, states *journal.States) func(plan.Kind) engine.Factory {
	keeper := persist.New(&persist.Memory{}, states, func(actor string, body journal.Body) { r.past.add(journal.New(actor, body)) })
	registered := func(a *plan.Actor, p *plan.Plan) (engine.Behavior, error) {
		f := behaviours[a.Go.Behaviour]
		if f == nil {
			return nil, fmt.Errorf("no behaviour %q is registered", a.Go.Behaviour)
		}
		return f(a, p)
	}
	kinds := map[plan.Kind]engine.Factory{plan.Script: r.probed(keeper.Wrap(script.New())), plan.Consensus: r.probed(consensus.New())}
	if len(behaviours) > 0 {
		kinds[plan.Go] = r.probed(keeper.Wrap(registered))
	}
	return func(k plan.Kind) engine.Factory { return kinds[k] }
}

// probed gives behaviours the probes that ask them by a message. What would ask past them, by HTTP or a command, is left out.
func (r *run) probed(f engine.Factory) engine.Factory {
	return func(a *plan.Actor, p *plan.Plan) (engine.Behavior, error) {
		if asks := func(q *plan.Probe) bool { return q == nil || q.Message != "" }; !asks(a.Ready) || !asks(a.Health) {
			return f(a, p)
		}
		return probe.Wrap(f, r.eng.Clock(), nil)(a, p)
	}
}

// observer feeds the monitors. It is the run under another name, so that its methods do not stand among the run's own.
type observer run

// Event implements sim.Observer.
func (o *observer) Event(e journal.Event) { (*run)(o).happened(e) }

// happened takes in one event.
func (r *run) happened(e journal.Event) {
	r.past.add(e)
	if r.eng == nil {
		return
	}
	if r.cover != nil {
		r.cover.event(e)
	}
	if r.events && e.Type != journal.TypeInput {
		if seen := seenEvent(e, r.named); seen != nil {
			env := r.env()
			env.Event = seen
			r.each(seesEvent, env)
		}
	}
	if e.Type == journal.TypeActorReady && !r.begun && e.Actor == r.eng.Plan().Actors[0].Path {
		r.begun = true
		r.eng.At(r.eng.Now(), r.up)
	}
	if e.Type != journal.TypeInput {
		r.look() // states that last no time are seen now
		if !r.again {
			r.again = true // and what the Machine makes of a fact afterwards
			r.eng.At(r.eng.Now(), r.lookAgain)
		}
	}
}

func (r *run) lookAgain() {
	r.again = false
	r.look()
}

// each judges the monitors that look at something.
func (r *run) each(at sight, env *rules.Env) {
	for _, m := range r.monitors {
		if m.sight&at != 0 && m.verdict == "" {
			r.judge(m, env)
		}
	}
}

// Sent implements sim.Observer.
func (o *observer) Sent(c *sim.Call) { (*run)(o).passed(c, seesSent) }

// Ended implements sim.Observer.
func (o *observer) Ended(c *sim.Call) { (*run)(o).passed(c, seesEnded) }

func (r *run) passed(c *sim.Call, at sight) {
	wanted, busy := false, r.busy()
	for _, m := range r.monitors {
		wanted = wanted || m.sight&at != 0 && m.verdict == ""
	}
	if wanted {
		env := r.env()
		env.Call = r.called(c)
		r.each(at, env)
	}
	if busy {
		r.lookAt(func(m *monitor) bool { return m.busy })
	}
}
