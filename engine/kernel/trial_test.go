package kernel

import (
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// counted is an engine of which only the counts are known.
type counted struct {
	guards []guard.Snapshot
	actors []engine.Vitals
}

func (c *counted) Guards() []guard.Snapshot { return c.guards }

func (c *counted) Actors(visit func(engine.Vitals) bool) {
	for _, a := range c.actors {
		if !visit(a) {
			return
		}
	}
}

// tried is a plan of two actors, the first of them guarded, that wants figures.
func tried(t *testing.T, window time.Duration) *plan.Plan {
	t.Helper()
	abort, problems := rules.Compile("new.calls > 0", rules.Condition, rules.Scope{Place: rules.AtAbortIf})
	if abort == nil {
		t.Fatal(problems)
	}
	def := func(g *plan.Guard) *plan.Definition { return &plan.Definition{Guard: g} }
	return &plan.Plan{
		Observe: plan.Observe{Window: window}, Reload: plan.Reload{AbortIf: abort},
		Actors: []plan.Actor{
			{Path: "root/db", Definition: def(&plan.Guard{Name: "db", Timeout: time.Second})},
			{Path: "root/worker", Definition: def(nil)},
		},
	}
}

// A call through a guard counts at the guard and not again at the actor; latency is of all actors.
func TestFiguresCompareTheWindowBeforeWithWhatCameSince(t *testing.T) {
	p := tried(t, 4*time.Second)
	var hist engine.Histogram
	e := &counted{guards: []guard.Snapshot{{Name: "db"}}, actors: []engine.Vitals{{Path: "root/db", Latency: &hist}, {Path: "root/worker"}}}
	count := func(calls, failures, messages uint64) {
		e.guards[0].Calls, e.guards[0].Failures, e.actors[0].Calls, e.actors[1].Calls = calls, failures, calls, messages
	}
	var trial Trial
	for second := range uint64(10) {
		count(10*second, second, 5*second)
		hist.Add(time.Millisecond)
		if f := trial.Sample(time.Duration(second)*time.Second, p, e); f.Generation != 0 {
			t.Fatalf("nothing is on probation, and there are figures: %+v", f)
		}
	}
	count(95, 10, 50)
	before := trial.Before(9500*time.Millisecond, p, e)
	if before.Span < 4*time.Second || before.Span > 5*time.Second {
		t.Errorf("the figures before cover %s", before.Span)
	}
	if calls := 15 * before.Span.Seconds(); before.Rates.Calls < calls-8 || before.Rates.Calls > calls+8 || before.Rates.ErrorRate < 0.06 || before.Rates.ErrorRate > 0.1 {
		t.Errorf("before: %+v", before)
	}
	if before.Rates.Latency.P99 < 0.001 {
		t.Errorf("before: latency %+v", before.Rates.Latency)
	}
	trial.Begin(9500*time.Millisecond, 2, true, p, e)
	count(105, 16, 60)
	since := trial.Sample(10*time.Second, p, e)
	if since.Generation != 2 || since.Span != 500*time.Millisecond || since.Rates.Calls != 20 || since.Rates.ErrorRate != 0.3 {
		t.Errorf("since: %+v", since)
	}
	trial.End()
	if f := trial.Sample(11*time.Second, p, e); f.Generation != 0 {
		t.Errorf("after the end: %+v", f)
	}
}

// What a reload removes takes its counts along, and neither figure is wrong for that.
func TestFiguresOutliveWhatIsRemoved(t *testing.T) {
	p := tried(t, 10*time.Second)
	e := &counted{actors: []engine.Vitals{{Path: "root/worker", Calls: 100}, {Path: "root/gone", Calls: 1000}}}
	var trial Trial
	trial.Sample(0, p, e)
	e.actors[0].Calls = 110
	trial.Before(time.Second, p, e)
	e.actors = e.actors[:1]
	trial.Begin(time.Second, 2, true, p, e)
	e.actors[0].Calls = 113
	if f := trial.Sample(2*time.Second, p, e); f.Rates.Calls != 3 {
		t.Errorf("since: %+v", f)
	}
	if f := trial.Before(3*time.Second, p, e); f.Rates.Calls != 13 {
		t.Errorf("before the next: %+v", f)
	}
}

// Without an abort_if in force nothing is measured, and one that the generation on probation drops is still asked.
func TestFiguresAreTakenOnlyForAbortIf(t *testing.T) {
	with, without := tried(t, time.Second), &plan.Plan{Observe: plan.Observe{Window: time.Second}}
	e := &counted{actors: []engine.Vitals{{Path: "root/worker", Calls: 1}}}
	var trial Trial
	trial.Sample(0, without, e)
	trial.Before(0, without, e)
	trial.Begin(0, 2, true, with, e)
	if f := trial.Sample(time.Second, with, e); f.Generation != 0 {
		t.Errorf("nobody asked: %+v", f)
	}
	trial.Before(time.Second, with, e)
	trial.Begin(time.Second, 3, true, without, e)
	if f := trial.Sample(2*time.Second, without, e); f.Generation != 3 {
		t.Errorf("the last that passed asks: %+v", f)
	}
}
