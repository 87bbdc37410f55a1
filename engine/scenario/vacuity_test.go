package scenario

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// An implication that is called vacuous would have passed whatever its last part had been; one that passes would have
// failed. The premises are random, and random at each moment.
func TestVacuousMeansThatTheClaimDidNotMatter(t *testing.T) {
	fields := []rules.Field{{Name: "a"}, {Name: "b"}, {Name: "claim"}}
	rapid.Check(t, func(t *rapid.T) {
		form := rapid.SampledFrom([]struct{ kind, text string }{
			{"always", "!params.a || params.claim"}, {"always", "params.a != true || params.claim"}, {"always", "params.a ? params.claim : true"},
			{"never", "(params.a ? !params.claim : false)"}, {"always", "!params.a || !params.b || params.claim"}, {"always", "(!params.a || params.claim) && (!params.b || params.claim)"},
			{"always", "params.claim"}, {"never", "!params.claim"},
		}).Draw(t, "form")
		cond, problems := rules.Compile(form.text, rules.Condition, rules.Scope{Place: rules.AtExpect, Params: fields})
		if cond == nil {
			t.Fatal(problems)
		}
		a, b := rapid.SliceOfN(rapid.Bool(), 1, 6).Draw(t, "a"), rapid.SliceOfN(rapid.Bool(), 6, 6).Draw(t, "b")
		play := func(claim bool) Verdict {
			m := newMonitor(&plan.Expectation{Kind: form.kind, Cond: cond}, fields)
			m.begin(0)
			for i := range a {
				m.judge(time.Duration(i), &rules.Env{Params: map[string]any{"a": a[i], "b": b[i], "claim": claim}})
			}
			m.end(time.Minute)
			return m.verdict
		}
		holds, breaks := play(true), play(false)
		switch {
		case holds == Fail:
			t.Fatalf("%s fails although its claim holds", form.text)
		case holds == Vacuous && breaks != Vacuous:
			t.Fatalf("%s is vacuous, and yet %s when its claim does not hold", form.text, breaks)
		case holds == Pass && breaks != Fail && strings.Count(form.text, "!params.a || !params.b") == 0: // there both premises may hold, at different times
			t.Fatalf("%s passes, and is %s when its claim does not hold", form.text, breaks)
		}
	})
}

// A measurement says nothing before there has been a call.
func TestMeasurementsOfNobody(t *testing.T) {
	for text, want := range map[string]Verdict{
		`actor("a").error_rate < 0.1`:                                  Vacuous,
		`actor("a").latency.p99 < 1s && actor("b").error_rate < 0.1`:   Pass, // somebody called b
		`actor("b").error_rate < 0.1`:                                  Pass,
		`actor("a").calls == 0`:                                        Pass, // how many there were means something
		`actor("a").error_rate < 0.1 && actor("a").restarts == 0`:      Pass,
		`breaker("a").error_rate < 0.1`:                                Vacuous,
		`breaker("b").error_rate < 0.1`:                                Pass,
		`breaker("keyed").error_rate < 0.1`:                            Pass, // there is no such breaker but for keys
		`load("a").failed == 0`:                                        Vacuous,
		`load("a").sent == 0`:                                          Pass,
		`load("b").failed == 0`:                                        Pass,
		`system.health > -1`:                                           Pass,
		`actor("a").error_rate < params.limit`:                         Vacuous,
		`share("open") < 0.5`:                                          Pass,
		`breaker("a").state == "closed" || actor("a").error_rate == 0`: Pass,
	} {
		cond, problems := rules.Compile(text, rules.Condition, rules.Scope{Place: rules.AtExpect, Params: []rules.Field{{Name: "limit"}}})
		if cond == nil {
			t.Fatal(text, problems)
		}
		m := newMonitor(&plan.Expectation{Kind: "always", Cond: cond}, []rules.Field{{Name: "limit"}})
		m.begin(0)
		env := &rules.Env{World: people{}, System: &rules.System{}, Params: map[string]any{"limit": 0.5}}
		if strings.Contains(text, "keyed") { // it cannot be judged without a key; only what it looks at is of interest
			m.judged++
			m.relevance.look(env)
		} else {
			m.judge(0, env)
		}
		if m.conclude(0); m.verdict == Vacuous != (want == Vacuous) {
			t.Errorf("%s: %s (%s), expected %s", text, m.verdict, m.why, want)
		}
	}
}

// people is a world in which b has been called, and a has not.
type people struct{ rules.World }

func (people) calls(name string) float64 { return map[string]float64{"b": 5}[name] }

func (p people) Actor(name string) *rules.Actor { return &rules.Actor{Calls: p.calls(name)} }

func (p people) Breaker(name, _ string) *rules.Breaker {
	if name == "keyed" {
		return nil
	}
	return &rules.Breaker{State: "closed", Calls: p.calls(name)}
}

func (p people) Load(name string) *rules.Load { return &rules.Load{OK: p.calls(name)} }

func (people) Share(string, string) float64 { return 0 }
