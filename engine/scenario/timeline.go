package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/sim"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// step is one step of the timeline at work.
type step struct {
	spec  *plan.Step
	marks [2]mark // its start and its end
}

// mark is a moment that comes once, and who waits for it.
type mark struct {
	come  bool
	at    time.Duration
	calls []waiting
}

type waiting struct {
	offset time.Duration
	call   func()
}

// reach lets a moment come.
func (r *run) reach(m *mark) {
	if m.come {
		return
	}
	m.come, m.at = true, r.eng.Now()
	for _, w := range m.calls {
		r.after(w.offset, w.call)
	}
	m.calls = nil
}

// after calls something when so much time has passed, at once when none has to.
func (r *run) after(offset time.Duration, call func()) {
	if offset <= 0 {
		call()
		return
	}
	r.eng.At(r.eng.Now()+offset, call)
}

// at calls something when a moment comes, or never.
func (r *run) at(m plan.Moment, call func()) {
	if m.Step == plan.Whole {
		at := m.Offset
		if m.End {
			at = r.spec.Duration
		}
		r.eng.At(at, call)
		return
	}
	end := 0
	if m.End {
		end = 1
	}
	own := &r.steps[m.Step].marks[end]
	if own.come {
		r.eng.At(own.at+m.Offset, call)
		return
	}
	own.calls = append(own.calls, waiting{m.Offset, call})
}

// schedule puts the steps on the agenda.
func (r *run) schedule() {
	for i := range r.steps {
		s := &r.steps[i]
		switch {
		case s.spec.At != nil:
			r.at(*s.spec.At, func() { r.start(s) })
		case s.spec.Every > 0:
			r.repeat(s)
		}
	}
}

func (r *run) repeat(s *step) {
	r.eng.At(r.eng.Now()+s.spec.Every, func() {
		r.start(s)
		r.repeat(s)
	})
}

// start lets a step begin and, when it lasts, end later. Its moments come just before what they bring: what counts from a
// moment on sees its effect, and what counts until then does not.
func (r *run) start(s *step) {
	r.note(s.spec, "")
	r.reach(&s.marks[0])
	var undo func()
	if s.spec.For > 0 { // set before the Machine sets its own timers, so that it comes before they do
		r.eng.At(r.eng.Now()+s.spec.For, func() {
			r.reach(&s.marks[1])
			if undo != nil {
				undo()
				r.note(s.spec, "over")
			}
			r.look()
		})
	}
	undo = r.act(s.spec)
	if s.spec.For <= 0 && (undo == nil || s.spec.Verb == "") {
		r.reach(&s.marks[1])
	}
	r.look()
}

// act does what a step says. What it gives takes it back, nil when there is nothing to take back.
func (r *run) act(s *plan.Step) (undo func()) {
	switch {
	case s.Fault != nil:
		return r.inject(s)
	case s.Action != nil:
		r.steer(s)
		if s.For > 0 {
			return func() {} // the Machine takes it back by itself
		}
	case s.Reload != nil:
		before := r.eng.Plan()
		if r.reload(s.Reload) {
			return func() { r.reload(&plan.Reloading{Plan: before}) }
		}
	case s.World != nil:
		before := r.models
		r.models = slices.Concat(before, s.World)
		r.furnish()
		return func() {
			r.models = before
			r.furnish()
		}
	}
	return nil
}

func (r *run) inject(s *plan.Step) func() {
	f := s.Fault
	fault := sim.Fault{
		Verb: sim.Verb(s.Verb), Target: f.Target, From: f.From, To: f.To, Rate: f.Rate, By: f.By, Factor: f.Factor, Kind: f.Kind,
		Status: f.Status, What: f.What, Where: f.Where,
	}
	switch s.Verb {
	case "fill_mailbox":
		fault.Target, fault.To = f.To, ""
	case "exhaust":
		fault.What, fault.Rate, fault.Amount = exhausted(f)
	case "clock_skew":
		fault.Target = "**"
	case "poison":
		if f.Target == "" {
			fault.Target = "**"
		}
	case "corrupt":
		if f.Value != nil {
			v, err := f.Value.Build(r.env())
			if err != nil {
				r.broken(s.Place, "corrupt", err)
			}
			fault.Value = v
		}
	}
	if len(f.Between) >= 2 {
		fault.Sides = [2][]string{f.Between[0], slices.Concat(f.Between[1:]...)}
	}
	heal, err := r.eng.Inject(fault)
	if err != nil {
		r.broken(s.Place, s.Verb, err)
		return nil
	}
	if s.For <= 0 && (s.Verb == "crash" || s.Verb == "fill_mailbox") {
		return nil
	}
	return heal
}

// exhausted turns a share of a resource into what the node then has of it.
func exhausted(f *plan.Fault) (what string, rate, amount float64) {
	switch f.Resource {
	case "disk":
		return "disk_free", 0, float64((1-f.Rate)*float64(int64(1)<<40)) + 0
	case "memory":
		return "memory", 0, f.Rate * float64(int64(1)<<40)
	}
	return f.Resource, 0, f.Rate
}

// steer does an action as an operator would.
func (r *run) steer(s *plan.Step) {
	a := s.Action
	if a.Verb == "run" {
		r.command(s, engine.Steer{Verb: "run", Text: a.Text, Reason: a.Reason})
		return
	}
	out := engine.Steer{
		Verb: a.Verb, Target: a.Target, For: a.For, MaxShare: a.MaxShare, Message: a.Message, Text: a.Text, Level: a.Level, Count: a.Count, By: a.By, Min: a.Min, Max: a.Max,
		Reason: a.Reason, Headers: a.Headers, Timeout: a.Timeout,
	}
	if a.Payload != nil {
		v, err := a.Payload.Build(r.env())
		if err != nil {
			r.broken(s.Place, s.Verb, err)
			return
		}
		out.Payload = v
		if text, ok := v.(string); ok && a.Verb == "log" {
			out.Text, out.Payload = text, nil
		}
	}
	r.command(s, out)
}

func (r *run) command(s *plan.Step, a engine.Steer) {
	r.eng.Command(a, "scenario", func(err error) {
		if err != nil {
			r.note(s, "refused: "+err.Error())
		}
	})
}

// reload makes a plan the running one, or lets the engine refuse it, as the host of the live engine does. It reports whether
// that plan runs now.
func (r *run) reload(l *plan.Reloading) bool {
	code, problems := l.Code, l.Problems
	if l.Plan != nil {
		changes, err := r.changes(l.Plan)
		at := slices.IndexFunc(changes, func(c plan.Change) bool { return c.Class == plan.RestartEngine })
		switch {
		case err != nil:
			problems = []string{err.Error()}
		case len(changes) == 0:
			return false
		case at >= 0:
			code, problems = "LR411", []string{fmt.Sprintf("LR411 %s takes a restart of the engine", changes[at].Path)}
		case r.eng.Plan().Reload.Mode == "off":
			code, problems = "LR412", []string{"LR412 reload.mode is off"}
		case l.Plan.Digest() == r.condemned:
			code, problems = engine.CodeSameContent, []string{engine.CodeSameContent + " this was rolled back and has not changed since"}
		default:
			err = r.commit(l.Plan, "scenario", "", engine.Cause{})
			if err == nil {
				r.condemned = plan.Digest{}
				return true
			}
			problems = []string{err.Error()}
		}
	}
	r.refused = rules.Reload{Status: engine.ReloadRejected, Code: code}
	r.happened(journal.New("", journal.ReloadRejected{Diagnostics: problems, Who: "scenario"}))
	return false
}

// changes are what a reload would change, with what actions have changed since.
func (r *run) changes(next *plan.Plan) (plan.Changes, error) {
	to, err := r.eng.Plan().Successor(next)
	if err != nil {
		return nil, err
	}
	return plan.Diff(r.eng.Plan(), to), nil
}

// commit makes a plan the running one.
func (r *run) commit(p *plan.Plan, by, why string, cause engine.Cause) error {
	if err := r.eng.Reload(engine.Reloaded{Plan: p, Generation: r.eng.Generation() + 1, By: by, Why: why}, cause); err != nil {
		return err
	}
	r.refused = rules.Reload{}
	r.furnish()
	return nil
}

// rollBack makes an earlier plan the running one again.
func (r *run) rollBack(x engine.RollBack, cause engine.Cause) {
	bad := r.eng.Plan().Base().Digest()
	if err := r.commit(x.Plan, engine.ByVerification, x.Why, cause); err != nil {
		r.eng.Submit(engine.RollBackFailed{Generation: x.Generation, Why: err.Error()})
		return
	}
	r.condemned = bad
}
