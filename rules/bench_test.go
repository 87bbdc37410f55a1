package rules

import "testing"

// fourComparisons is the shape of a typical rule; the budget of the fast path is written for it.
const fourComparisons = `actor.error_rate > 0.5 && actor.calls >= 20 && actor.mailbox < 100 && actor.state == "running"`

func benchEnv() *Env {
	env := sample()
	env.Actor.State = "running"
	return env
}

func benchmarkCondition(b *testing.B, run engines, text string, scope Scope) {
	p, problems := compileFor(run, text, Condition, scope)
	if p == nil {
		b.Fatal(problems)
	}
	if (run == closuresFirst) != p.Compiled() {
		b.Fatal("the wrong engine runs")
	}
	env := benchEnv()
	if ok, err := p.Condition(env); !ok || err != nil {
		b.Fatal(ok, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = p.Condition(env)
	}
}

// BenchmarkCondition runs the same conditions in the closures and in the virtual machine.
func BenchmarkCondition(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"four comparisons", fourComparisons},
		{"one comparison", `actor.error_rate > 0.5`},
		{"params", `actor.latency.p99 > params.slow`},
		{"message", `msg.size > 2 && msg.name == "ann"`},
		{"world", `breaker("database").state == "open"`},
	} {
		b.Run(c.name+"/closures", func(b *testing.B) { benchmarkCondition(b, closuresFirst, c.text, sampleScope(AtEval)) })
		b.Run(c.name+"/machine", func(b *testing.B) { benchmarkCondition(b, machineOnly, c.text, sampleScope(AtEval)) })
	}
}

// BenchmarkCompile measures what an expression adds to validation.
func BenchmarkCompile(b *testing.B) {
	scope := sampleScope(AtRule)
	b.ReportAllocs()
	for b.Loop() {
		if p, problems := Compile(fourComparisons, Condition, scope); p == nil {
			b.Fatal(problems)
		}
	}
}

// TestTheFastPathDoesNotAllocate holds the part of the budget that does not depend on the machine it runs on.
func TestTheFastPathDoesNotAllocate(t *testing.T) {
	env := benchEnv()
	for _, text := range []string{fourComparisons, `actor.latency.p99 > params.slow`, `msg.size > 2 && msg.name == "ann"`,
		`breaker("database").state == "open"`, `share("open") > 0.2`, `status >= 500 || error.kind in ["timeout", "crash"]`} {
		p, problems := Compile(text, Condition, sampleScope(AtEval))
		if p == nil || !p.Compiled() {
			t.Fatal(text, problems)
		}
		if got := testing.AllocsPerRun(100, func() { _, _ = p.Condition(env) }); got != 0 {
			t.Errorf("%s: %v allocations", text, got)
		}
	}
}
