package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func seeds() []string {
	return []string{
		`latency.p99 > params.slow && calls > 50`, `status >= 500 || error.kind in ["timeout", "crash"] ? "failure" : "success"`,
		`any(msg.items, .price > 5)`, `msg?.a?.b ?? 1`, `{a: [msg.n % 3, -1.5], "b": !true}`, `over(actor, 1m).error_rate`, `predict(actor.mailbox, 5m)`,
		`breaker(msg.s).state`, `keys({b: 1})[0] + "x"`, `hash(msg) % 2 == 0`, `msg.s matches "^a" and not (msg.n in [1, 2])`, `1 < msg.n <= 3`,
		`"a" + msg.s contains "b"`, `((now ?: 1) ?: 2) == 3`, `msg.l[1:-1]`, `sum(msg.l, # * 2)`, `let x = 1; x`, `1m30s > t`, `'\x00' == "ß"`, `::len("a")`, `$env["x"]`,
		`all(all(msg.l, #), #)`, `msg.l | map(# + 1) | first()`, `#`, `.x`, `{(msg.s): 1}`, `if now > 1 {2} else {3}`, "`raw`", `b"x"`, `a.b()`, `1 ?? 2 || 3`, `5 .. 1e99`,
	}
}

// agree compiles text for both engines and evaluates it on env.
func agree(fatal func(string, ...any), text string, env *Env) {
	scope := sampleScope(AtEval)
	fast, problems := compileFor(closuresFirst, text, Any, scope)
	slow, others := compileFor(machineOnly, text, Any, scope)
	if !cmp.Equal(problems, others) {
		fatal("%q: problems differ: %v, %v", text, problems, others)
	}
	if fast == nil || !fast.Compiled() {
		return
	}
	a, errA := fast.Value(env)
	b, errB := slow.Value(env)
	if (errA == nil) != (errB == nil) || !cmp.Equal(a, b, cmpopts.EquateNaNs()) {
		fatal("%q: closures give %#v (%v), the machine %#v (%v)", text, a, errA, b, errB)
	}
}

func fuzzEnv(n float64, i int64, s string, flag bool) *Env {
	env := sample()
	env.Msg = map[string]any{"n": n, "i": i, "s": s, "f": flag, "o": map[string]any{s: n}, "l": []any{n, i, s, flag, nil}}
	env.Actor.Mailbox, env.Error.Kind, env.Actor.Ready, env.Took = n, s, flag, float64(i)
	return env
}

func FuzzClosuresAgreeWithVM(f *testing.F) {
	for i, seed := range seeds() {
		f.Add(seed, float64(i)-2, int64(i)-1, "a", i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, text string, n float64, i int64, s string, flag bool) {
		agree(t.Fatalf, text, fuzzEnv(n, i, s, flag))
	})
}

func FuzzCompile(f *testing.F) {
	for i, seed := range seeds() {
		f.Add(seed, uint8(i), uint8(i))
	}
	f.Fuzz(func(t *testing.T, text string, place, want uint8) {
		p, problems := Compile(text, Want(want%4), sampleScope(Place(place%uint8(AtEval+1))))
		failed := false
		for _, problem := range problems {
			failed = failed || !problem.Warning
			if problem.Offset < 0 || problem.Len < 0 || problem.Offset+problem.Len > len(text) || problem.Len == 0 && problem.Offset < len(text) {
				t.Fatalf("%q: problem outside the text: %+v", text, problem)
			}
			if problem.Code == "" || problem.Message == "" || strings.HasPrefix(problem.Message, "cannot be compiled") {
				t.Fatalf("%q: %+v", text, problem)
			}
		}
		if (p == nil) != failed {
			t.Fatalf("%q: program %v with %v", text, p, problems)
		}
		if p != nil {
			_, _ = p.Value(&Env{})
		}
	})
}

// expressions draws well-formed text of a depth, typed loosely enough that some evaluations fail.
func expressions(depth int) *rapid.Generator[string] {
	leaves := rapid.SampledFrom([]string{
		"1", "2.5", "0", "-3", "1m", `"a"`, `""`, "true", "false", "nil", "msg.n", "msg.i", "msg.s", "msg.f", "msg.l", "msg.o", "msg.o.a", "msg.l[0]",
		"actor.mailbox", "actor.ready", "error.kind", "took", "status", "params.slow", "params.region", "actor.labels.tier", "now", "system.health",
		`breaker("database").state`, `share("open")`, `actor("nobody").calls`,
	})
	if depth == 0 {
		return leaves
	}
	inner := rapid.Deferred(func() *rapid.Generator[string] { return expressions(depth - 1) })
	operators := rapid.SampledFrom([]string{"+", "-", "*", "/", "%", "**", "<", "<=", ">", ">=", "==", "!=", "&&", "||", "in", "contains", "startsWith", "endsWith", "??"})
	calls := rapid.SampledFrom([]string{"abs", "round", "len", "string", "int", "upper", "hash", "first", "max", "mean", "not", "-", "keys"})
	return rapid.OneOf(leaves,
		rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("(%s %s %s)", inner.Draw(t, "left"), operators.Draw(t, "operator"), inner.Draw(t, "right"))
		}),
		rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("(%s ? %s : %s)", inner.Draw(t, "if"), inner.Draw(t, "then"), inner.Draw(t, "else"))
		}),
		rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("%s(%s)", calls.Draw(t, "call"), inner.Draw(t, "of"))
		}),
		rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("[%s, %s]", inner.Draw(t, "first"), inner.Draw(t, "second"))
		}),
		rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("{x: %s, y: %s}", inner.Draw(t, "x"), inner.Draw(t, "y"))
		}),
	)
}

func TestClosuresAgreeWithTheMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		env := fuzzEnv(rapid.Float64().Draw(t, "n"), rapid.Int64Range(-9, 9).Draw(t, "i"), rapid.SampledFrom([]string{"", "a", "timeout"}).Draw(t, "s"), rapid.Bool().Draw(t, "f"))
		agree(t.Fatalf, expressions(4).Draw(t, "text"), env)
	})
}

// TestMostOfTheGrammarIsCompiled keeps the differential tests from passing because nothing is compared.
func TestMostOfTheGrammarIsCompiled(t *testing.T) {
	compiled, evaluated, total := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p, _ := Compile(expressions(2).Draw(t, "text"), Any, sampleScope(AtEval))
		total++
		if p == nil {
			return
		}
		if p.Compiled() {
			compiled++
		}
		if _, err := p.Value(fuzzEnv(1, 2, "a", true)); err == nil {
			evaluated++
		}
	})
	if compiled*4 < total || evaluated*5 < total {
		t.Errorf("of %d expressions %d are compiled and %d evaluate", total, compiled, evaluated)
	}
}
