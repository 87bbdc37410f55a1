package consensus

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/internal/fake"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

func TestMain(m *testing.M) { calm.Main(m) }

// early is a context that tells answers in a given order and notes after how many the reply came.
type early struct {
	*fake.Context
	order   []int
	told    int
	replied int
}

func (e *early) AskUntil(to []engine.Ref, m []engine.Msg, d time.Duration, seen func(int, any, error) bool) {
	values, errs := e.AskAll(to, m, d)
	for _, i := range e.order {
		e.told++
		if !seen(i, values[i], errs[i]) {
			return
		}
	}
}

func (e *early) Reply(v any) bool { e.replied = e.told; return e.Context.Reply(v) }

func (e *early) Fail(err *engine.Error) bool { e.replied = e.told; return e.Context.Fail(err) }

// begin makes a consensus of members root/m-0 and so on that give these answers; an error is given as one.
func begin(t testing.TB, spec plan.ConsensusSpec, answers ...any) *fake.Context {
	for i, answer := range answers {
		spec.Members = append(spec.Members, fmt.Sprintf("root/m-%d", i))
		_ = answer
	}
	ctx := fake.New(&plan.Actor{Path: "root/c", Definition: &plan.Definition{Consensus: &spec}})
	for i, answer := range answers {
		ctx.Answers[spec.Members[i]] = func(engine.Msg) (any, error) {
			if err, ok := answer.(error); ok {
				return nil, err
			}
			return answer, nil
		}
	}
	return ctx
}

func handle(t testing.TB, ctx engine.Context) {
	t.Helper()
	b, err := New()(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Handle(ctx, engine.Msg{Type: "q"}); err != nil {
		t.Fatal(err)
	}
}

func TestWhoAgrees(t *testing.T) {
	down := &engine.Error{Kind: engine.KindTimeout, Message: "late"}
	for name, c := range map[string]struct {
		spec    plan.ConsensusSpec
		answers []any
		reply   any // nil: no consensus
		says    string
		dissent *journal.Dissent
	}{
		"all":       {plan.ConsensusSpec{Quorum: 2, Agreement: 0.6}, []any{"a", "a", "a"}, "a", "", nil},
		"majority":  {plan.ConsensusSpec{Quorum: 2, Agreement: 0.6}, []any{"a", "b", "a"}, "a", "", &journal.Dissent{Agreed: []string{"root/m-0", "root/m-2"}, Dissenters: []string{"root/m-1"}}},
		"silent":    {plan.ConsensusSpec{Quorum: 2, Agreement: 0.6}, []any{down, "a", "a"}, "a", "", &journal.Dissent{Agreed: []string{"root/m-1", "root/m-2"}, Silent: []string{"root/m-0"}}},
		"split":     {plan.ConsensusSpec{Quorum: 2, Agreement: 0.6}, []any{"a", "b", "c"}, nil, "the largest of 3 groups has 1 of 3", nil},
		"tie":       {plan.ConsensusSpec{Quorum: 2, Agreement: 0.5}, []any{"a", "b"}, nil, "the largest of 2", nil},
		"no quorum": {plan.ConsensusSpec{Quorum: 2, Agreement: 0.1}, []any{"a", down, down}, nil, "1 of 3 members answered, 2 are needed: timeout: late", nil},
		"weights":   {plan.ConsensusSpec{Quorum: 2, Agreement: 0.6, Weights: []plan.Weight{{Member: "root/m-1", Value: 4}}}, []any{"a", "b", "a"}, "b", "", &journal.Dissent{Agreed: []string{"root/m-1"}, Dissenters: []string{"root/m-0", "root/m-2"}}},
		"liars":     {plan.ConsensusSpec{Quorum: 2, Agreement: 0.5, Liars: 1}, []any{"a", down, down}, nil, "1 of 3", nil},
		"one liar":  {plan.ConsensusSpec{Quorum: 1, Agreement: 0.5, Liars: 1}, []any{"a", down, down}, nil, "the largest", nil},
		"maps":      {plan.ConsensusSpec{Quorum: 2, Agreement: 1}, []any{map[string]any{"x": 1.0, "y": nil}, map[string]any{"y": nil, "x": 1.0}}, map[string]any{"x": 1.0, "y": nil}, "", nil},
	} {
		ctx := begin(t, c.spec, c.answers...)
		handle(t, ctx)
		if c.reply != nil && !reflect.DeepEqual(ctx.Replied, []any{c.reply}) || c.reply == nil && len(ctx.Replied) > 0 {
			t.Errorf("%s: replied %v, failed %v", name, ctx.Replied, ctx.Failed)
		}
		if c.reply == nil && (len(ctx.Failed) != 1 || ctx.Failed[0].Kind != engine.KindConsensus || !strings.Contains(ctx.Failed[0].Message, c.says)) {
			t.Errorf("%s: failed %v", name, ctx.Failed)
		}
		if c.dissent == nil && len(ctx.Emitted) > 0 || c.dissent != nil && !reflect.DeepEqual(ctx.Emitted, []journal.Body{*c.dissent}) {
			t.Errorf("%s: emitted %v", name, ctx.Emitted)
		}
	}
}

func TestCompareNormalises(t *testing.T) {
	p, problems := rules.Compile("round(value.total)", rules.Any, rules.Scope{Place: rules.AtCompare})
	if p == nil {
		t.Fatal(problems)
	}
	total := func(n float64) any { return map[string]any{"total": n} }
	ctx := begin(t, plan.ConsensusSpec{Quorum: 2, Agreement: 0.6, Compare: p}, total(9.9), total(10.2), "garbled")
	handle(t, ctx)
	if !reflect.DeepEqual(ctx.Replied, []any{total(9.9)}) {
		t.Errorf("replied %v, failed %v", ctx.Replied, ctx.Failed)
	}
	if want := (journal.Dissent{Agreed: []string{"root/m-0", "root/m-1"}, Silent: []string{"root/m-2"}}); !reflect.DeepEqual(ctx.Emitted, []journal.Body{want}) {
		t.Errorf("what cannot be compared is as good as none: %v", ctx.Emitted)
	}
}

func TestDissentIsSteered(t *testing.T) {
	payload, _ := rules.Compile("msg", rules.Any, rules.Scope{Place: rules.AtRuleAction})
	spec := plan.ConsensusSpec{Quorum: 2, Agreement: 0.6, OnDissent: []plan.Action{{Verb: "quarantine", For: time.Minute, MaxShare: 0.5}, {Verb: "restart", Target: "other", Reason: "why"}}}
	if payload != nil {
		spec.OnDissent[1].Payload = rules.Expression(payload)
	}
	ctx := begin(t, spec, "a", "b", "a")
	handle(t, ctx)
	want := []engine.Steer{{Verb: "quarantine", Target: "root/m-1", For: time.Minute, MaxShare: 0.5, Reason: "dissented on q"}, {Verb: "restart", Target: "other", Reason: "why"}}
	if !reflect.DeepEqual(ctx.Steered, want) {
		t.Errorf("steered %+v", ctx.Steered)
	}
	ctx = begin(t, spec, "a", "b", "c")
	handle(t, ctx)
	if len(ctx.Steered) > 0 {
		t.Error("without agreement nobody is a dissenter")
	}
}

func TestTheAnswerComesEarlyAndTheDissentIsStillFound(t *testing.T) {
	for name, c := range map[string]struct {
		answers []any
		order   []int
		after   int
		emitted int
	}{
		"decided by three of five": {[]any{"a", "a", "a", "b", "b"}, []int{0, 1, 2, 3, 4}, 3, 1},
		"a late dissenter":         {[]any{"a", "a", "a", "a", "b"}, []int{0, 1, 2, 3, 4}, 3, 1},
		"hopeless after three":     {[]any{"a", "b", "c", "a", "a"}, []int{0, 1, 2, 3, 4}, 5, 1},
		"hopeless indeed":          {[]any{"a", "b", "c", "d", "a"}, []int{0, 1, 2, 3, 4}, 4, 0},
	} {
		e := &early{Context: begin(t, plan.ConsensusSpec{Quorum: 3, Agreement: 0.6}, c.answers...), order: c.order}
		handle(t, e)
		if e.replied != c.after || e.told != 5 || len(e.Replied)+len(e.Failed) != 1 || len(e.Emitted) != c.emitted {
			t.Errorf("%s: answered after %d of %d, %v %v, emitted %v", name, e.replied, e.told, e.Replied, e.Failed, e.Emitted)
		}
	}
}

func TestAStopEndsTheVote(t *testing.T) {
	ctx := begin(t, plan.ConsensusSpec{Quorum: 1}, engine.ErrStopped, "a")
	b, _ := New()(nil, nil)
	if err := b.Handle(ctx, engine.Msg{}); !errors.Is(err, engine.ErrStopped) {
		t.Errorf("got %v", err)
	}
	if len(ctx.Replied)+len(ctx.Failed) > 0 {
		t.Errorf("answered all the same: %v %v", ctx.Replied, ctx.Failed)
	}
}

func TestAnUnknownMemberIsNamed(t *testing.T) {
	ctx := begin(t, plan.ConsensusSpec{Quorum: 1}, "a")
	delete(ctx.Answers, "root/m-0")
	handle(t, ctx)
	if len(ctx.Failed) != 1 || !strings.Contains(ctx.Failed[0].Message, "member root/m-0") {
		t.Errorf("failed %v", ctx.Failed)
	}
}

// Whatever order answers come in, the outcome is the same, and once it is settled it never changes.
func TestAnEarlyOutcomeIsTheFinalOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "members")
		spec := plan.ConsensusSpec{
			Quorum: rapid.IntRange(1, n).Draw(t, "quorum"), Agreement: float64(rapid.IntRange(0, 10).Draw(t, "tenths")) / 10,
			Liars: rapid.IntRange(0, 2).Draw(t, "liars"),
		}
		answers := make([]string, n)
		for i := range answers {
			spec.Members = append(spec.Members, fmt.Sprint("m", i))
			answers[i] = rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(t, "answer")
			if w := rapid.IntRange(0, 3).Draw(t, "weight"); w != 1 {
				spec.Weights = append(spec.Weights, plan.Weight{Member: spec.Members[i], Value: float64(w)})
			}
		}
		order := rapid.Permutation(indexes(n)).Draw(t, "order")
		outcome := func(b *ballot) string {
			if g := b.winner(); g != nil {
				return g.key
			}
			return "none"
		}
		count := func(order []int, each func(*ballot)) *ballot {
			b := newBallot(&spec)
			for _, i := range order {
				if answers[i] == "" {
					b.silence(i, nil)
				} else {
					b.add(i, answers[i], answers[i])
				}
				each(b)
			}
			return b
		}
		early := ""
		final := outcome(count(order, func(b *ballot) {
			if early == "" && b.settled() {
				early = outcome(b)
			}
		}))
		if early != final {
			t.Fatalf("settled on %q, ended with %q", early, final)
		}
		if again := outcome(count(indexes(n), func(*ballot) {})); again != final {
			t.Fatalf("in another order %q instead of %q", again, final)
		}
	})
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
