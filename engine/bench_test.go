package engine

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// widePlan is a supervisor with n children and no end of restarts.
func widePlan(tb testing.TB, n int, within time.Duration) *plan.Plan {
	p := &plan.Plan{}
	p.Actors = append(p.Actors, plan.Actor{
		Name: "root", Path: "root", Parent: -1, Definition: &plan.Definition{
			Kind:       plan.Supervisor,
			Supervisor: &plan.SupervisorSpec{Strategy: plan.OneForOne, Intensity: plan.Intensity{Max: 1 << 20, Within: within}},
		}})
	for i := range n {
		name := fmt.Sprintf("a%d", i)
		p.Actors = append(p.Actors, plan.Actor{
			Name: name, Path: "root/" + name, Parent: 0, Definition: &plan.Definition{
				Order: i, Kind: plan.Script, Script: &plan.ScriptSpec{},
				Restart: plan.Restart{Policy: plan.Always, Backoff: plan.Backoff{Initial: time.Millisecond, Factor: 2, Max: time.Second, Jitter: 0.1}},
			}})
		p.Actors[0].Supervisor.Children = append(p.Actors[0].Supervisor.Children, i+1)
	}
	if err := p.Seal(); err != nil {
		tb.Fatal(err)
	}
	return p
}

// bootAll starts a plan and answers every Start.
func bootAll(m *Machine, p *plan.Plan, out []Effect) []Effect {
	out = m.Step(0, Boot{Plan: p, Seed: 1}, out[:0])
	for {
		var starts []Start
		for _, e := range out {
			if s, ok := e.(*Start); ok {
				starts = append(starts, *s)
			}
		}
		if len(starts) == 0 {
			return out
		}
		out = out[:0]
		for _, s := range starts {
			out = m.Step(0, Started{ID: s.ID, Epoch: s.Epoch}, out)
		}
	}
}

// The decision on a failure and all that follows from it allocates nothing once the pools are warm.
func TestFailureAllocatesNothing(t *testing.T) {
	m, out := NewMachine(), make([]Effect, 0, 16)
	out = bootAll(m, widePlan(t, 10, time.Millisecond), out)
	var inputs []Input
	const rounds = 1000
	for epoch := range Epoch(rounds + 2) {
		inputs = append(inputs, Failed{ID: 2, Epoch: epoch + 1, Failure: Failure{Kind: KindCrash}},
			Stopped{ID: 2, Epoch: epoch + 1}, Started{ID: 2, Epoch: epoch + 2})
	}
	dues := make([]Input, 2*rounds+10)
	for turn := range dues {
		dues[turn] = Due{Timer: TimerID(uint64(turn+1) << 32)}
	}
	now, next, turn := time.Second, 0, 0
	allocs := testing.AllocsPerRun(rounds, func() {
		now += 10 * time.Second
		out = m.Step(now, inputs[next], out[:0])
		out = m.Step(now, inputs[next+1], out[:0])
		out = m.Step(now+5*time.Second, dues[turn], out[:0])
		if _, ok := out[1].(*Start); !ok {
			t.Fatalf("effect %T, want a start", out[1])
		}
		out = m.Step(now+5*time.Second, inputs[next+2], out[:0])
		next, turn = next+3, turn+1
	})
	if allocs != 0 {
		t.Errorf("a restart allocates %v times", allocs)
	}
}

// BenchmarkFailure is a failure and the decision on it, with 100,000 children. The rest of the restart (the stopped
// incarnation, the timer, the new one's start) is driven outside the clock.
func BenchmarkFailure(b *testing.B) {
	benchmarkFailures(b, widePlan(b, 100_000, time.Millisecond))
}

// benchmarkFailures lets the children of the root fail one after the other, each in an incident of its own.
func benchmarkFailures(b *testing.B, p *plan.Plan) {
	children := len(p.Actors) - 1
	m, out := NewMachine(), make([]Effect, 0, 16)
	out = bootAll(m, p, out)
	incidents := make([]string, children)
	for i := range incidents {
		incidents[i] = fmt.Sprintf("i-%d", i)
	}
	inputs := make([]Input, children)
	now, epoch := time.Second, Epoch(1)
	timers := make([]TimerID, children)
	worked := time.Duration(0)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		b.StopTimer()
		for i := range inputs {
			inputs[i] = Failed{ID: ID(i + 2), Epoch: epoch, Failure: Failure{
				Kind: KindCrash, Message: "boom", By: p.Actors[i+1].Path, Correlation: incidents[i],
			}}
		}
		b.StartTimer()
		began := processor()
		for i := 0; i < children && n < b.N; i, n = i+1, n+1 {
			now += time.Microsecond
			out = m.Step(now, inputs[i], out[:0])
			timers[i] = out[1].(*SetTimer).Timer
		}
		worked += processor() - began
		b.StopTimer()
		now += time.Minute
		for i, t := range timers {
			m.Step(now, Stopped{ID: ID(i + 2), Epoch: epoch}, out[:0])
			m.Step(now, Due{Timer: t}, out[:0])
			m.Step(now, Started{ID: ID(i + 2), Epoch: epoch + 1}, out[:0])
		}
		epoch++
		b.StartTimer()
	}
	b.ReportMetric(float64(worked)/float64(b.N), "cpu-ns/op")
}

// processor is the time that this process has been running on processors: neighbours disturb it less than the wall's.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRestart is everything that the Machine does for one restart: Failed, Stopped, Due, Started.
func BenchmarkRestart(b *testing.B) {
	m, out := NewMachine(), make([]Effect, 0, 16)
	out = bootAll(m, widePlan(b, 1000, time.Millisecond), out)
	now := time.Second
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n++ {
		id, epoch := ID(n%1000+2), Epoch(n/1000+1)
		now += time.Millisecond
		out = m.Step(now, Exited{ID: id, Epoch: epoch, Failure: &Failure{Kind: KindExit}}, out[:0])
		timer := out[1].(*SetTimer).Timer
		out = m.Step(now, Due{Timer: timer}, out[:0])
		out = m.Step(now, Started{ID: id, Epoch: epoch + 1}, out[:0])
	}
}

// BenchmarkBoot is the decision to start 100,000 actors, one after the other.
func BenchmarkBoot(b *testing.B) {
	p := widePlan(b, 100_000, time.Second)
	out := make([]Effect, 0, 1<<18)
	b.ReportAllocs()
	for b.Loop() {
		bootAll(NewMachine(), p, out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/actor")
}

// BenchmarkRules is one tick of 1,000 rules over 10,000 actors of which 1% changed.
func BenchmarkRules(b *testing.B) {
	p := widePlan(b, 10_000, time.Second)
	for i := range 1000 {
		when, err := compile(fmt.Sprintf("actor.error_rate > 0.5 && actor.calls >= 20 && actor.mailbox < 100 && actor.anomaly < %d", i+2),
			rules.Condition, rules.Scope{Place: rules.AtRule})
		if err != nil {
			b.Fatal(err)
		}
		p.Rules = append(p.Rules, plan.Rule{Name: fmt.Sprintf("r%d", i), Enabled: true, When: when, OnError: "ignore"})
	}
	if err := p.Seal(); err != nil {
		b.Fatal(err)
	}
	m, out := NewMachine(), make([]Effect, 0, 16)
	out = bootAll(m, p, out)
	var in Sampled
	for i := range 100 {
		in.Actors = append(in.Actors, rules.Actor{Path: p.Actors[i*100+1].Path, Calls: 50, ErrorRate: 0.1})
	}
	now := time.Second
	out = m.Step(now, in, out[:0])
	b.ReportAllocs()
	for b.Loop() {
		now += time.Second
		out = m.Step(now, in, out[:0])
	}
}
