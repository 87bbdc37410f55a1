package scenario

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// watching makes a monitor of an expectation that is judged on system.emergency.
func monitorOf(t testing.TB, e plan.Expectation) *monitor {
	p, problems := rules.Compile("system.emergency", rules.Condition, rules.Scope{Place: rules.AtExpect})
	if p == nil {
		t.Fatal(problems)
	}
	e.Cond = p
	return newMonitor(&e, nil)
}

// A step of a trace: b begins, u ends its time, 1 and 0 are judged true and false, x is the end of `within`, $ the end.
func follow(m *monitor, trace string) Verdict {
	for i, c := range trace {
		now := time.Duration(i) * time.Second
		switch c {
		case 'b':
			m.begin(now)
		case 'u':
			m.shut(now)
		case '0', '1':
			m.judge(now, &rules.Env{System: &rules.System{Emergency: c == '1'}})
		case 'x':
			m.expire(now)
		case '$':
			m.end(now)
		}
	}
	return m.verdict
}

func TestVerdicts(t *testing.T) {
	moment := &plan.Moment{}
	for _, c := range []struct {
		kind    string
		until   bool
		trace   string
		verdict Verdict
	}{
		{"always", false, "b111$", Pass},
		{"always", false, "0b11$", Pass}, // before it counts
		{"always", false, "b101$", Fail},
		{"always", true, "b11u0$", Pass},
		{"always", true, "b1110$", Fail},
		{"always", true, "b111$", Undecided},
		{"always", true, "u11$", Vacuous},
		{"always", false, "11$", Vacuous},
		{"never", false, "b000$", Pass},
		{"never", false, "b010$", Fail},
		{"sometimes", false, "b001", Pass},
		{"sometimes", false, "b000$", Fail},
		{"sometimes", true, "b00u1$", Fail},
		{"sometimes", true, "b00$", Undecided},
		{"eventually", false, "b001x$", Pass},
		{"eventually", false, "b00x1$", Fail},
		{"eventually", false, "b00$", Undecided},
		{"eventually", false, "00$", Vacuous},
		{"holds", false, "0b1$", Pass},
		{"holds", false, "1b0$", Fail},
		{"holds", false, "11$", Vacuous},
	} {
		e := plan.Expectation{Kind: c.kind, Within: 5 * time.Second}
		if c.until {
			e.Until = moment
		}
		if got := follow(monitorOf(t, e), c.trace); got != c.verdict {
			t.Errorf("%s (until %v) of %q: %s, expected %s", c.kind, c.until, c.trace, got, c.verdict)
		}
	}
}

// A verdict, once given, stays; and every run ends with one.
func TestAVerdictStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"always", "never", "sometimes", "eventually", "holds"}).Draw(t, "kind")
		e := plan.Expectation{Kind: kind, Within: time.Second}
		p, _ := rules.Compile("system.emergency", rules.Condition, rules.Scope{Place: rules.AtExpect})
		e.Cond = p
		m := newMonitor(&e, nil)
		trace := rapid.StringOfN(rapid.RuneFrom([]rune("bu01x")), 0, 12, -1).Draw(t, "trace")
		var first Verdict
		for i := range trace {
			follow(m, trace[i:i+1])
			if first == "" {
				first = m.verdict
			}
			if m.verdict != first {
				t.Fatalf("%s then %s in %q", first, m.verdict, trace)
			}
		}
		if follow(m, "$"); m.verdict == "" {
			t.Fatalf("no verdict at the end of %q", trace)
		}
	})
}

func TestWhatAnExpectationIsJudgedOn(t *testing.T) {
	for source, want := range map[string]sight{
		`system.emergency`:                                     seesState,
		`call.to == "a"`:                                       seesSent,
		`call.to == "a" && call.took > 1`:                      seesEnded,
		`call.error.kind == "timeout"`:                         seesEnded,
		`event.type == "failed"`:                               seesEvent,
		`call.attempt > 1 && system.level == "healthy"`:        seesSent,
		`event.type == "failed" || event.type == "gave_up"`:    seesEvent,
		`share("open") > 0.5 && load("l").success_rate > 0.99`: seesState,
	} {
		p, problems := rules.Compile(source, rules.Condition, rules.Scope{Place: rules.AtExpect})
		if p == nil {
			t.Fatal(source, problems)
		}
		if m := newMonitor(&plan.Expectation{Kind: "never", Cond: p}, nil); m.sight != want {
			t.Errorf("%s: judged on %b, expected %b", source, m.sight, want)
		}
	}
}

func BenchmarkMonitor(b *testing.B) {
	m := monitorOf(b, plan.Expectation{Kind: "always"})
	m.begin(0)
	env := &rules.Env{System: &rules.System{Emergency: true}}
	b.ReportAllocs()
	for b.Loop() {
		m.judge(0, env)
	}
}
