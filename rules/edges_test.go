package rules

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestComparisonsAtTheBoundary puts each operator on, below and above equality, for every way operands may be known.
func TestComparisonsAtTheBoundary(t *testing.T) {
	truth := map[string][3]bool{"<": {true, false, false}, "<=": {true, true, false}, ">": {false, false, true}, ">=": {false, true, true}, "==": {false, true, false}, "!=": {true, false, true}}
	pairs := []struct{ left, right string }{
		{"took", "2"}, {"took", "now"}, {"msg.n", "2"}, {"2", "msg.low"}, {"msg.n", "msg.two"}, {"now", "msg.low"}, {"params.slow", "2"}, {"msg.text", `"b"`}, {"self", `"b"`}, {"self", "caller"},
	}
	for operator, want := range truth {
		for _, pair := range pairs {
			text := pair.left + " " + operator + " " + pair.right
			for i, n := range []float64{1, 2, 3} {
				env := &Env{Took: n, Now: 2, Params: map[string]any{"slow": n}, Self: string(rune('a' + i)), Caller: "b",
					Msg: map[string]any{"n": n, "two": int64(2), "low": 4 - n, "text": string(rune('a' + i))}}
				if strings.HasPrefix(text, "now") {
					env.Now = 2
				}
				got, err := both(t, text, Condition, sampleScope(AtEval), env)
				if got != want[i] || err != nil {
					t.Errorf("%s with %v = %v (%v), want %v", text, n, got, err, want[i])
				}
			}
		}
	}
}

func TestLongChains(t *testing.T) {
	for n := 2; n < 9; n++ {
		for _, operator := range []string{"&&", "||"} {
			for odd := range n {
				parts := make([]string, n)
				for i := range parts {
					parts[i] = fmt.Sprintf("took == %d", map[bool]int{true: 1, false: 2}[(i == odd) != (operator == "&&")])
				}
				got, err := both(t, strings.Join(parts, operator), Condition, sampleScope(AtEval), &Env{Took: 1})
				if got != (operator == "||") || err != nil {
					t.Errorf("%v: %v %v", parts, got, err)
				}
			}
		}
	}
}

func TestEqualValues(t *testing.T) {
	type object = map[string]any
	for _, tt := range []struct {
		a, b any
		want bool
	}{
		{1.0, int64(1), true}, {int32(3), uint8(3), true}, {1.0, "1", false}, {nil, nil, true}, {nil, 0.0, false}, {nil, false, false}, {true, true, true},
		{[]any{1.0, object{"a": int64(2)}}, []any{int64(1), object{"a": 2.0}}, true}, {object{"a": 1.0}, object{"a": 1.0, "b": 2.0}, false},
		{object{"a": nil}, object{"b": nil}, false}, {object{}, []any{}, false}, {math.NaN(), math.NaN(), false}, {"", nil, false},
	} {
		if equal(tt.a, tt.b) != tt.want || equal(tt.b, tt.a) != tt.want {
			t.Errorf("%v equals %v: want %v", tt.a, tt.b, tt.want)
		}
	}
}

// TestLimitsAtRunTime gives each bounded operation a little too much, and then just enough.
func TestLimitsAtRunTime(t *testing.T) {
	items := func(n int) []any {
		l := make([]any, n)
		for i := range l {
			l[i] = "x"
		}
		return l
	}
	for _, tt := range []struct {
		text     string
		bad, fit any
		part     string
	}{
		{`len(map(msg, upper(#)))`, items(maxMap + 1), items(maxMap), "longer than 1000"},
		{`count(msg, # == "x")`, items(maxLoop + 1), items(maxLoop), "longer than 10000"},
		{`len(join(msg, "y"))`, items(maxText/2 + 2), items(maxText / 2), "text longer"},
		{`len(upper(msg))`, strings.Repeat("x", maxText+1), strings.Repeat("x", maxText), "text longer"},
		{`len(replace(msg, "x", "xx"))`, strings.Repeat("x", maxText/2+1), strings.Repeat("x", maxText/2), "text longer"},
		{`len(msg + msg)`, strings.Repeat("x", maxText/2+1), strings.Repeat("x", maxText/2), "text longer"},
		{`len(take(["x"], msg))`, -1.0, 1.0, "must be 0 or more"},
		{`max(msg, 1)`, math.NaN(), 2.0, "not a number"},
		{`["x"][msg] == "x"`, 0.5, 0.0, "whole number"},
		{`"abc"[msg:] == "c"`, 0.5, 2.0, "whole number"},
		{`1 / msg`, 0.0, 2.0, "finite"},
		{`msg - msg`, math.Inf(1), 2.0, "finite"},
		{`5 % msg`, 0.0, 2.0, "no result"},
		{`first(msg) in msg`, 3.0, items(1), "list expected"},
		{`-msg`, "x", 3.0, "number expected"},
	} {
		scope := Scope{Place: AtEval}
		_, err := both(t, tt.text, Any, scope, &Env{Msg: tt.bad})
		if err == nil || !strings.Contains(err.Error(), tt.part) {
			t.Errorf("%s on too much: %v, want %q", tt.text, err, tt.part)
		}
		if _, err := both(t, tt.text, Any, scope, &Env{Msg: tt.fit}); err != nil {
			t.Errorf("%s on what fits: %v", tt.text, err)
		}
	}
}

func TestTheMachineHasAMemoryBudget(t *testing.T) {
	items := make([]any, maxMap)
	text := `len(map(msg, [` + strings.Repeat("#, ", 150) + `#]))`
	p, problems := Compile(text, Number, Scope{Place: AtEval})
	if p == nil {
		t.Fatal(problems)
	}
	if _, err := p.Number(&Env{Msg: items}); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("150,000 items were built: %v", err)
	}
}

func TestDeclaredMetricsAreChecked(t *testing.T) {
	scope := Scope{Place: AtRule, Metrics: []string{"depth"}}
	if _, problems := Compile("actor.metrics.dept > 1", Condition, scope); show("actor.metrics.dept > 1", problems) !=
		`LR303 [dept] unknown field "dept" of actor.metrics; did you mean "depth"?` {
		t.Error(problems)
	}
	if p, problems := Compile("actor.metrics.depth > 1", Condition, scope); p == nil {
		t.Error(problems)
	}
}

// TestDeclaredKindsAreTestedAtRunTime sends data that breaks its declaration.
func TestDeclaredKindsAreTestedAtRunTime(t *testing.T) {
	shape := &Shape{Fields: []Field{{Name: "n", Kind: NumberKind}, {Name: "s", Kind: TextKind}, {Name: "b", Kind: BoolKind}}}
	scope := Scope{Place: AtHandler, Msg: shape}
	lie := &Env{Msg: map[string]any{"n": "x", "s": 1.0, "b": "true"}}
	for _, text := range []string{`-msg.n`, `msg.n + 1`, `msg.n > 1`, `upper(msg.s)`, `msg.s startsWith "a"`, `msg.b ? 1 : 2`, `!msg.b`, `msg.b && true`, `{(msg.s): 1}`} {
		if v, err := both(t, text, Any, scope, lie); err == nil {
			t.Errorf("%s = %v", text, v)
		}
	}
	ints := &Env{Msg: map[string]any{"n": int64(3), "s": "a", "b": true}}
	for text, want := range map[string]any{`-msg.n`: -3.0, `msg.n + msg.n`: 6.0, `msg.n == 3`: true, `msg.n in [3]`: true, `msg.n == msg.n`: true, `msg.n ?? 1`: int64(3)} {
		if got, err := both(t, text, Any, scope, ints); !cmp.Equal(got, want) || err != nil {
			t.Errorf("%s = %#v (%v), want %#v", text, got, err, want)
		}
	}
}

func TestPredictionsOfZeroCount(t *testing.T) {
	env := sample()
	env.World = &fakeWorld{trend: map[string]float64{"mailbox": 0}}
	if got, err := both(t, "predict(actor.mailbox, 5m)", Number, sampleScope(AtRule), env); got != 0.0 || err != nil {
		t.Errorf("%v (%v), want the known prediction 0", got, err)
	}
}

func TestHotSubjectsMayBeAbsent(t *testing.T) {
	for text, want := range map[string]any{`calls`: 0.0, `latency.p99`: 0.0, `breaker.state`: "", `breaker.calls`: 0.0, `actor.state`: "", `actor.calls`: 0.0, `actor.ready`: false} {
		if got, err := both(t, text, Any, sampleScope(AtEval), &Env{}); got != want || err != nil {
			t.Errorf("%s = %v (%v), want %v", text, got, err, want)
		}
	}
}

func TestHashOfZeroHasNoSign(t *testing.T) {
	if hash(math.Copysign(0, -1)) != hash(0.0) || hash(int64(5)) != hash(5.0) || hash("1") == hash(1.0) || hash(nil) == hash("") {
		t.Error("equal values hash apart, or unequal ones together")
	}
	// The values are part of what a recorded run means: they may never change.
	if got, want := []float64{hash("tenant-7"), hash(7.0)}, []float64{hashOfTenant7, hashOf7}; !cmp.Equal(got, want) {
		t.Errorf("hashes are %.0f", got)
	}
}

const (
	hashOfTenant7 = 187872235384448
	hashOf7       = 1192309817655386
)

func TestNeedsQuantiles(t *testing.T) {
	for text, want := range map[string]bool{
		"actor.latency.p99 > 1": true, "latency.p50 > 1": true, "actor.latency.mean > 1": false, `len(string(len(call.from))) > 0`: false,
		`over(actor, 1m).latency.p999 > 1`: true, `predict(actor.latency.p95, 1m) > 1`: true, `{l: actor.latency} == nil`: true, `{a: actor} == nil`: true,
	} {
		p, problems := Compile(text, Any, Scope{Place: AtEval})
		if p == nil || p.NeedsQuantiles() != want {
			t.Errorf("%s: %v, want %v", text, problems, want)
		}
	}
}

func TestBadBytes(t *testing.T) {
	if _, problems := Compile("1 > \xff", Condition, Scope{}); len(problems) != 1 || problems[0].Message != "not valid UTF-8" || problems[0].Offset != 4 {
		t.Error(problems)
	}
}

func TestLoopsDoNotWalkOtherLists(t *testing.T) {
	for _, text := range []string{`any(msg.items, sort(msg.items)[0] == #)`, `any(msg.items, first(msg.items) == #)`, `count(msg.items, any(msg.items, true)) > 1`} {
		if _, problems := Compile(text, Condition, Scope{Place: AtEval}); len(problems) != 1 || problems[0].Code != "LR309" {
			t.Errorf("%s: %v", text, problems)
		}
	}
	if p, problems := Compile(`count(filter(msg.items, # > 1), # < 3) > 0`, Condition, Scope{Place: AtEval}); p == nil {
		t.Error(problems)
	}
}

func TestSubjectsByName(t *testing.T) {
	for s := ActorSubject; s <= SystemSubject; s++ {
		if back, ok := ParseSubject(s.String()); back != s || !ok {
			t.Errorf("%s comes back as %s (%v)", s, back, ok)
		}
	}
	if _, ok := ParseSubject("robot"); ok || Subject(9).String() != "subject(9)" {
		t.Error("an unknown subject is known")
	}
}
