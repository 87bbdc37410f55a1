package script

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/internal/fake"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/rules"
)

func TestMain(m *testing.M) { calm.Main(m) }

// program compiles text as a handler would see it, with every name in binds the result of a call.
func program(t testing.TB, text string, want rules.Want, binds ...string) *rules.Program {
	t.Helper()
	scope := rules.Scope{Place: rules.AtHandler}
	for _, b := range binds {
		scope.Binds = append(scope.Binds, rules.Field{Name: b})
	}
	p, problems := rules.Compile(text, want, scope)
	if p == nil {
		t.Fatalf("%q: %+v", text, problems)
	}
	return p
}

func value(t testing.TB, text string, binds ...string) *rules.Template {
	return rules.Expression(program(t, text, rules.Any, binds...))
}

func condition(t testing.TB, text string, binds ...string) *rules.Program {
	return program(t, text, rules.Condition, binds...)
}

// begin makes a script with these handlers, sorted by message, and its context.
func begin(t testing.TB, spec plan.ScriptSpec) (*script, *fake.Context) {
	t.Helper()
	a := &plan.Actor{Name: "s", Path: "root/s", Definition: &plan.Definition{Kind: plan.Script, Script: &spec, Place: "t.yaml:1:1"}}
	b, err := New()(a, &plan.Plan{})
	if err != nil {
		t.Fatal(err)
	}
	return b.(*script), fake.New(a)
}

func answers(v any, err error) func(engine.Msg) (any, error) {
	return func(engine.Msg) (any, error) { return v, err }
}

func TestTheOrderOfAHandler(t *testing.T) {
	s, ctx := begin(t, plan.ScriptSpec{
		State: map[string]any{"hits": 1.0, "old": 0.0},
		Handlers: []plan.Handler{{
			Message: "get",
			Calls:   []plan.CallSpec{{To: "db", Message: "query", With: value(t, "msg.id"), As: "row"}},
			Set: []plan.Built{
				{Name: "hits", Value: value(t, "state.hits + row.n", "row")},
				{Name: "old", Value: value(t, "state.hits")},
			},
			Tell:  []plan.TellSpec{{To: "log", Message: "seen", With: value(t, "state.hits")}},
			Reply: rules.Mapping([]rules.TemplateField{{Name: "hits", Value: value(t, "state.hits")}, {Name: "who", Value: value(t, "self + caller")}}),
			Stop:  condition(t, "state.hits > 10"),
		}},
	})
	ctx.With.From = "root/c"
	ctx.Answers["db"], ctx.Answers["log"] = answers(map[string]any{"n": 5.0}, nil), answers(nil, nil)
	if err := s.Handle(ctx, engine.Msg{Type: "get", Payload: map[string]any{"id": "a"}}); err != nil || len(ctx.Failed) > 0 {
		t.Fatal(err, ctx.Failed)
	}
	if want := []fake.Sent{{To: "db", M: engine.Msg{Type: "query", Payload: "a"}}}; !reflect.DeepEqual(ctx.Asked, want) {
		t.Errorf("asked %v", ctx.Asked)
	}
	if want := map[string]any{"hits": 6.0, "old": 1.0}; !reflect.DeepEqual(s.State(), want) {
		t.Errorf("state %v: right sides must see the old state", s.State())
	}
	if want := []fake.Sent{{To: "log", M: engine.Msg{Type: "seen", Payload: 6.0}}}; !reflect.DeepEqual(ctx.Told, want) {
		t.Errorf("told %v: it must see the new state", ctx.Told)
	}
	if want := []any{map[string]any{"hits": 6.0, "who": "root/sroot/c"}}; !reflect.DeepEqual(ctx.Replied, want) {
		t.Errorf("replied %v", ctx.Replied)
	}
	if ctx.Ended {
		t.Error("stopped although the condition is false")
	}
	_ = s.Handle(ctx, engine.Msg{Type: "get", Payload: map[string]any{"id": "b"}})
	if !ctx.Ended {
		t.Error("not stopped although the condition is true")
	}
}

func TestAHandlerThatSaysNothingStillAnswers(t *testing.T) {
	s, ctx := begin(t, plan.ScriptSpec{Handlers: []plan.Handler{{Message: "quiet"}}})
	_ = s.Handle(ctx, engine.Msg{Type: "quiet"})
	if !reflect.DeepEqual(ctx.Replied, []any{nil}) {
		t.Errorf("replied %v", ctx.Replied)
	}
}

func TestAnUnknownMessageIsRefusedAndNamed(t *testing.T) {
	s, ctx := begin(t, plan.ScriptSpec{Handlers: []plan.Handler{{Message: "a"}, {Message: "c"}}})
	if err := s.Handle(ctx, engine.Msg{Type: "b"}); err != nil {
		t.Errorf("an unknown message failed the actor: %v", err)
	}
	if len(ctx.Failed) != 1 || ctx.Failed[0].Kind != engine.KindInvalid || !strings.Contains(ctx.Failed[0].Message, `"b"; there are: a, c`) {
		t.Errorf("answered %v", ctx.Failed)
	}
}

func TestAFailedCallIsTheAnswerAndNotTheActorsFailure(t *testing.T) {
	call := plan.CallSpec{To: "db", Message: "q", As: "row"}
	for _, optional := range []bool{false, true} {
		for _, parallel := range []bool{false, true} {
			call.Optional = optional
			s, ctx := begin(t, plan.ScriptSpec{Handlers: []plan.Handler{{
				Message: "m", Calls: []plan.CallSpec{call}, Parallel: parallel, Reply: value(t, "row == nil", "row"),
			}}})
			ctx.Answers["db"] = answers(nil, &engine.Error{Kind: engine.KindTimeout, By: "db"})
			if err := s.Handle(ctx, engine.Msg{Type: "m"}); err != nil {
				t.Errorf("the actor failed: %v", err)
			}
			if optional && !reflect.DeepEqual(ctx.Replied, []any{true}) {
				t.Errorf("optional: replied %v, failed %v", ctx.Replied, ctx.Failed)
			}
			if !optional && (len(ctx.Failed) != 1 || ctx.Failed[0].Kind != engine.KindTimeout || ctx.Failed[0].By != "db" || !ctx.Failed[0].Delivered) {
				t.Errorf("answered %+v", ctx.Failed)
			}
		}
	}
}

func TestAStoppingActorReturnsAtOnce(t *testing.T) {
	s, ctx := begin(t, plan.ScriptSpec{Handlers: []plan.Handler{{
		Message: "m", Calls: []plan.CallSpec{{To: "a", Optional: true}, {To: "b"}},
	}}})
	ctx.Answers["a"], ctx.Answers["b"] = answers(nil, engine.ErrStopped), answers(1, nil)
	if err := s.Handle(ctx, engine.Msg{Type: "m"}); !errors.Is(err, engine.ErrStopped) {
		t.Errorf("got %v", err)
	}
	if len(ctx.Asked) != 1 || len(ctx.Replied)+len(ctx.Failed) != 0 {
		t.Errorf("went on: asked %v, replied %v, failed %v", ctx.Asked, ctx.Replied, ctx.Failed)
	}
}

// A handler's own failure comes as soon as what it reads is known, and never later.
func TestFailComesAsSoonAsPossible(t *testing.T) {
	calls := []plan.CallSpec{{To: "a", As: "first"}, {To: "b", As: "second"}}
	for _, c := range []struct {
		when, message string
		asked         int
	}{
		{"", `"always"`, 0},
		{"msg.x > 1", "", 0},
		{"first > 1", "", 1},
		{"msg.x > 1", `"because " + first`, 1},
		{"second > 1 && msg.x > 1", "", 2},
	} {
		f := &plan.FailSpec{Kind: "asked"}
		if c.when != "" {
			f.When = condition(t, c.when, "first", "second")
		}
		if c.message != "" {
			f.Message = value(t, strings.ReplaceAll(c.message, "+ first", `+ (first > 1 ? "it" : "")`), "first", "second")
		}
		s, ctx := begin(t, plan.ScriptSpec{State: map[string]any{"n": 0.0}, Handlers: []plan.Handler{{
			Message: "m", Calls: calls, Fail: f, Set: []plan.Built{{Name: "n", Value: value(t, "1")}},
		}}})
		ctx.Answers["a"], ctx.Answers["b"] = answers(2.0, nil), answers(2.0, nil)
		err := s.Handle(ctx, engine.Msg{Type: "m", Payload: map[string]any{"x": 2.0}})
		var failed *engine.Error
		if !errors.As(err, &failed) || failed.Kind != "asked" || failed.By != "root/s" {
			t.Errorf("%q: %v", c.when, err)
		}
		if len(ctx.Asked) != c.asked || len(ctx.Replied) != 0 || s.state["n"] != 0.0 {
			t.Errorf("%q: asked %d times, want %d; state %v", c.when, len(ctx.Asked), c.asked, s.state)
		}
	}
}

func TestFailThatDoesNotApplyLetsTheHandlerGoOn(t *testing.T) {
	s, ctx := begin(t, plan.ScriptSpec{Handlers: []plan.Handler{{
		Message: "m", Parallel: true, Calls: []plan.CallSpec{{To: "a", As: "r"}},
		Fail: &plan.FailSpec{When: condition(t, "r > 5", "r"), Kind: "big"}, Reply: value(t, "r", "r"),
	}}})
	ctx.Answers["a"] = answers(2.0, nil)
	if err := s.Handle(ctx, engine.Msg{Type: "m"}); err != nil || !reflect.DeepEqual(ctx.Replied, []any{2.0}) {
		t.Errorf("%v, replied %v", err, ctx.Replied)
	}
}

func TestWhenSkipsACall(t *testing.T) {
	for _, parallel := range []bool{false, true} {
		s, ctx := begin(t, plan.ScriptSpec{Handlers: []plan.Handler{{
			Message: "m", Parallel: parallel,
			Calls: []plan.CallSpec{{To: "a", As: "r", When: condition(t, "msg.yes == true")}},
			Reply: value(t, "r == nil", "r"),
		}}})
		ctx.Answers["a"] = answers(2.0, nil)
		if err := s.Handle(ctx, engine.Msg{Type: "m", Payload: map[string]any{"yes": false}}); err != nil {
			t.Fatal(err)
		}
		if len(ctx.Asked) != 0 || !reflect.DeepEqual(ctx.Replied, []any{true}) {
			t.Errorf("asked %v, replied %v, failed %v", ctx.Asked, ctx.Replied, ctx.Failed)
		}
	}
}

func TestACallWithAGuardOfItsOwnGoesThroughTheEdge(t *testing.T) {
	s, ctx := begin(t, plan.ScriptSpec{Handlers: []plan.Handler{{
		Message: "m", Calls: []plan.CallSpec{{To: "root/db", Guard: &plan.Guard{Name: "s->db"}}},
	}}})
	ctx.Answers["s->db"] = answers(nil, nil)
	_ = s.Handle(ctx, engine.Msg{Type: "m"})
	if len(ctx.Asked) != 1 || ctx.Asked[0].To != "s->db" || ctx.Asked[0].M.Type != "m" {
		t.Errorf("asked %v, failed %v", ctx.Asked, ctx.Failed)
	}
}

func TestAnExpressionThatFailsAnswersSo(t *testing.T) {
	bad := "msg[5]"
	for name, h := range map[string]plan.Handler{
		"reply":    {Reply: value(t, bad)},
		"set.n":    {Set: []plan.Built{{Name: "k", Value: value(t, "1")}, {Name: "n", Value: value(t, bad)}}},
		"call a":   {Calls: []plan.CallSpec{{To: "a", With: value(t, bad)}}},
		"tell a":   {Tell: []plan.TellSpec{{To: "a", With: value(t, bad)}}},
		"fail.m":   {Fail: &plan.FailSpec{Message: value(t, bad)}},
		"fail.w":   {Fail: &plan.FailSpec{When: condition(t, bad+" == 1")}},
		"stop":     {Stop: condition(t, bad+" == 1")},
		"tell a: ": {Tell: []plan.TellSpec{{To: "a", When: condition(t, bad+" == 1")}}},
	} {
		h.Message = "m"
		s, ctx := begin(t, plan.ScriptSpec{State: map[string]any{"k": 0.0}, Handlers: []plan.Handler{h}})
		ctx.Answers["a"] = answers(nil, nil)
		if err := s.Handle(ctx, engine.Msg{Type: "m", Payload: []any{}}); err != nil {
			t.Errorf("%s: the actor failed: %v", name, err)
		}
		if len(ctx.Failed) != 1 || ctx.Failed[0].Kind != engine.KindExpression || !strings.Contains(ctx.Failed[0].Message, "handler m: "+name) {
			t.Errorf("%s: answered %v", name, ctx.Failed)
		}
		if s.state["k"] != 0.0 {
			t.Errorf("%s: half of the state was set", name)
		}
	}
}

func TestTimersGoOnAndCannotBeWoundTwice(t *testing.T) {
	s, ctx := begin(t, plan.ScriptSpec{
		Timers:   []plan.Tick{{Message: "tick", Every: 10 * time.Second}},
		Handlers: []plan.Handler{{Message: "tick", Fail: &plan.FailSpec{Kind: "x"}, Reply: value(t, "msg")}},
	})
	if err := s.Init(ctx); err != nil || len(ctx.Timers) != 1 || ctx.Timers[0].After != 10*time.Second {
		t.Fatal(err, ctx.Timers)
	}
	if err := s.Handle(ctx, ctx.Timers[0].M); err == nil || len(ctx.Timers) != 2 {
		t.Errorf("a failing handler stopped its timer: %v", ctx.Timers)
	}
	_ = s.Handle(ctx, engine.Msg{Type: "tick"})
	if len(ctx.Timers) != 2 {
		t.Error("somebody else's message wound the timer up again")
	}
}

func TestATimerWhoseMessageWasRefusedComesBack(t *testing.T) {
	s, ctx := begin(t, plan.ScriptSpec{
		Timers:   []plan.Tick{{Message: "tick", Every: 10 * time.Second}},
		Handlers: []plan.Handler{{Message: "other"}, {Message: "tick", Reply: value(t, "msg == nil")}},
	})
	now := time.Duration(0)
	ctx.Clock = func() time.Duration { return now }
	_ = s.Init(ctx)
	lost := ctx.Timers[0].M
	now = 20 * time.Second
	_ = s.Handle(ctx, engine.Msg{Type: "other"})
	if len(ctx.Timers) != 1 {
		t.Error("given up for lost too early")
	}
	now++
	_ = s.Handle(ctx, engine.Msg{Type: "other"})
	if len(ctx.Timers) != 2 {
		t.Fatal("the timer is gone for good")
	}
	if _ = s.Handle(ctx, lost); len(ctx.Timers) != 2 || ctx.Replied[2] != true {
		t.Errorf("a message that was only late wound the timer up twice: %v, %v", ctx.Timers, ctx.Replied)
	}
	if _ = s.Handle(ctx, ctx.Timers[1].M); len(ctx.Timers) != 3 {
		t.Error("the timer that came back does not go on")
	}
}

func TestStateIsAMapping(t *testing.T) {
	s, _ := begin(t, plan.ScriptSpec{})
	if err := s.SetState([]any{1}); !errors.Is(err, ErrState) {
		t.Errorf("got %v", err)
	}
	given := map[string]any{"a": 1.0}
	if err := s.SetState(given); err != nil {
		t.Fatal(err)
	}
	given["a"] = 2.0
	if s.state["a"] != 1.0 {
		t.Error("the state is shared with whoever set it")
	}
	a := &plan.Actor{Path: "root/s", Definition: &plan.Definition{Place: "t.yaml:1:2", Script: &plan.ScriptSpec{State: "text"}}}
	if _, err := New()(a, nil); err == nil || !strings.HasPrefix(err.Error(), "t.yaml:1:2: actor root/s: ") {
		t.Errorf("got %v", err)
	}
}

// Sums over random handlers agree with a model that applies all right sides at once.
func TestSetAgreesWithAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := []string{"a", "b", "c"}
		model := map[string]any{}
		for i, f := range fields {
			model[f] = float64(i)
		}
		var set []plan.Built
		next := map[string]any{}
		for _, f := range fields {
			from, plus := rapid.SampledFrom(fields).Draw(t, "from"), rapid.IntRange(0, 9).Draw(t, "plus")
			p, _ := rules.Compile(fmt.Sprintf("state.%s + %d", from, plus), rules.Any, rules.Scope{Place: rules.AtHandler})
			set = append(set, plan.Built{Name: f, Value: rules.Expression(p)})
			next[f] = model[from].(float64) + float64(plus)
		}
		a := &plan.Actor{Path: "root/s", Definition: &plan.Definition{Script: &plan.ScriptSpec{State: model, Handlers: []plan.Handler{{Message: "m", Set: set}}}}}
		b, _ := New()(a, nil)
		if err := b.Handle(fake.New(a), engine.Msg{Type: "m"}); err != nil {
			t.Fatal(err)
		}
		if got := b.(*script).State(); !reflect.DeepEqual(got, next) {
			t.Fatalf("got %v, want %v", got, next)
		}
	})
}

// A change of the state is kept before it is made and before anything leaves; what stays as it was is no change; one that is not kept
// is not made, and the request hears why.
func TestAChangeIsKeptFirst(t *testing.T) {
	s, ctx := begin(t, plan.ScriptSpec{
		State: map[string]any{"n": 1.0, "same": "x"},
		Handlers: []plan.Handler{{
			Message: "hit",
			Set:     []plan.Built{{Name: "n", Value: value(t, "state.n + msg.by")}, {Name: "same", Value: value(t, `"x"`)}},
			Tell:    []plan.TellSpec{{To: "log", Message: "seen"}},
			Reply:   value(t, "state.n"),
		}},
	})
	ctx.Answers["log"] = answers(nil, nil)
	var kept []any
	refuse := error(nil)
	s.Source(func(_ engine.Context, event any) error {
		if s.now()["n"] != 1.0 || len(ctx.Told)+len(ctx.Replied) > 0 {
			t.Error("the change is made, or something left, before it is kept")
		}
		if refuse != nil {
			return refuse
		}
		kept = append(kept, event)
		return s.Apply(event)
	})
	hit := func(by float64) error {
		return s.Handle(ctx, engine.Msg{Type: "hit", Payload: map[string]any{"by": by}})
	}
	refuse = &engine.Error{Kind: engine.KindRefused, Message: "full"}
	if err := hit(1); err != nil || len(ctx.Failed) != 1 || ctx.Failed[0].Message != "full" {
		t.Errorf("a refused change: %v, answered %v", err, ctx.Failed)
	}
	refuse = engine.ErrStopped
	if err := hit(1); err != engine.ErrStopped {
		t.Errorf("a stop while it is kept: %v", err)
	}
	if len(ctx.Told)+len(ctx.Replied) > 0 || s.now()["n"] != 1.0 {
		t.Errorf("told %v, replied %v, state %v", ctx.Told, ctx.Replied, s.now())
	}
	refuse = nil
	if err := hit(2); err != nil || !reflect.DeepEqual(kept, []any{map[string]any{"n": 3.0}}) || !reflect.DeepEqual(ctx.Replied, []any{3.0}) || len(ctx.Told) != 1 {
		t.Errorf("%v, kept %v, replied %v, told %v", err, kept, ctx.Replied, ctx.Told)
	}
	if err := hit(0); err != nil || len(kept) != 1 || len(ctx.Replied) != 2 {
		t.Errorf("what stays as it was: %v, kept %v, replied %v", err, kept, ctx.Replied)
	}
	if err := s.Apply("text"); !errors.Is(err, ErrState) {
		t.Errorf("a change that is no mapping: %v", err)
	}
}

// A state that an older definition has left gets the fields that came since, and keeps its own.
func TestARestoredStateHasNewFields(t *testing.T) {
	s, _ := begin(t, plan.ScriptSpec{State: map[string]any{"n": 1.0, "more": 42.0}})
	if err := errors.Join(s.SetState(map[string]any{"n": 7.0, "old": true}), s.Restored()); err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"n": 7.0, "old": true, "more": 42.0}; !reflect.DeepEqual(s.State(), want) {
		t.Errorf("%v, want %v", s.State(), want)
	}
}

// A plan that was built in Go may let handlers of a script run at once: none of their changes is lost.
func TestHandlersAtOnceLoseNoChange(t *testing.T) {
	s, first := begin(t, plan.ScriptSpec{State: map[string]any{"n": 0.0}, Handlers: []plan.Handler{{
		Message: "hit", Set: []plan.Built{{Name: "n", Value: value(t, "state.n + 1")}},
	}}})
	s.Source(func(_ engine.Context, event any) error {
		runtime.Gosched() // the journal takes its time
		return s.Apply(event)
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			ctx := fake.New(first.Def)
			for range 200 {
				if err := s.Handle(ctx, engine.Msg{Type: "hit"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if s.now()["n"] != 1600.0 {
		t.Errorf("%v, want 1600", s.now()["n"])
	}
}

// What one request was answered is not known to the next, although they take turns with what they keep it in; two at once
// have one each.
func TestARunUsedAgainKnowsNothingOfTheOneBefore(t *testing.T) {
	s, ctx := begin(t, plan.ScriptSpec{Handlers: []plan.Handler{
		{Message: "learn", Calls: []plan.CallSpec{{To: "db", Message: "query", As: "row"}}, Reply: value(t, "[row, msg]", "row")},
		{Message: "tell", Reply: value(t, "[row, msg]", "row")},
	}})
	inside := 0
	ctx.Answers["db"] = func(engine.Msg) (any, error) {
		if inside++; inside == 1 {
			return "outer", s.Handle(ctx, engine.Msg{Type: "learn", Payload: 2.0})
		}
		return "inner", nil
	}
	if err := s.Handle(ctx, engine.Msg{Type: "learn", Payload: 1.0}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Handle(ctx, engine.Msg{Type: "tell"}); err != nil {
			t.Fatal(err)
		}
	}
	want := []any{[]any{"inner", 2.0}, []any{"outer", 1.0}, []any{nil, nil}, []any{nil, nil}}
	if !reflect.DeepEqual(ctx.Replied, want) || len(s.idle) != 2 {
		t.Errorf("replied %v, want %v; %d runs are kept", ctx.Replied, want, len(s.idle))
	}
}
