package live

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// answering is a plan of two actors: front asks back, which fails, refuses or answers as the message says.
func answering(t *testing.T, record ...string) (*plan.Plan, making) {
	p := tree(t, leaf("back"), leaf("front"))
	p.Journal.Record = record
	return p, making{
		"back": simple(func(ctx engine.Context, m engine.Msg) error {
			switch m.Type {
			case "boom":
				panic("boom")
			case "refuse":
				ctx.Fail(&engine.Error{Kind: "denied", Message: "no"})
			}
			return nil
		}),
		"front": simple(func(ctx engine.Context, m engine.Msg) error {
			to, _ := ctx.Ref("back")
			_, _ = ctx.Ask(to, m, 0)
			return nil
		}),
	}
}

// Where the plan wants messages recorded, each handled one is an event, in the order of their handling, before what its
// failure causes.
func TestHandledMessagesAreRecordedWhereThePlanWantsIt(t *testing.T) {
	p, m := answering(t, "lifecycle", "messages")
	run(t, p, m, func(t *testing.T, r rig) {
		for _, kind := range []string{"read", "refuse", "boom"} {
			_, _ = r.Ask(context.Background(), "front", engine.Msg{Type: kind}, CallOptions{Correlation: "c-" + kind})
		}
		r.ask(t, "back", "read", nil)
		synctest.Wait() // an answer comes before the activation that gave it is over
		want := []journal.Message{
			{From: "root/front", Message: "read", Outcome: "ok"},
			{From: "root/front", Message: "refuse", Outcome: "denied"},
			{From: "root/front", Message: "boom", Outcome: engine.KindCrash},
			{Message: "read", Outcome: "ok"},
		}
		events := r.book.of(journal.TypeMessage, "root/back")
		if len(events) != len(want) {
			t.Fatalf("%d messages are recorded, want %d", len(events), len(want))
		}
		for i, e := range events {
			body, err := e.Body()
			if err != nil {
				t.Fatal(err)
			}
			got := body.(journal.Message)
			if got.Took < 0 {
				t.Errorf("message %d took %v", i, got.Took)
			}
			got.Took = 0
			if !reflect.DeepEqual(got, want[i]) {
				t.Errorf("message %d is %+v, want %+v", i, got, want[i])
			}
			if i < 3 && e.Correlation != "c-"+got.Message {
				t.Errorf("message %d has the correlation %q", i, e.Correlation)
			}
		}
		if failed := r.book.of(journal.TypeActorFailed, "root/back"); failed[0].Seq < events[2].Seq {
			t.Error("the failure stands before the message that caused it")
		}
		if got := r.book.of(journal.TypeMessage, "root/front"); len(got) != 3 || got[0].Correlation != "c-read" {
			t.Errorf("%d messages of front are recorded, want 3", len(got))
		}
	})
}

func TestMessagesAreNotRecordedUnlessWanted(t *testing.T) {
	p, m := answering(t, "lifecycle", "decisions")
	run(t, p, m, func(t *testing.T, r rig) {
		r.ask(t, "back", "read", nil)
		synctest.Wait()
		if got := r.book.of(journal.TypeMessage, ""); len(got) != 0 {
			t.Errorf("%d messages are recorded", len(got))
		}
	})
}

// Where the plan wants calls recorded, each attempt through a guard is an event about the callee, and each refusal.
func TestAttemptsOfGuardedCallsAreRecordedWhereThePlanWantsIt(t *testing.T) {
	breaking := guarded("back", func(g *plan.Guard) { g.Breaker = opensAfter(1) })
	p := tree(t, leaf("back", breaking), leaf("front"))
	p.Journal.Record = []string{"calls"}
	_, m := answering(t)
	run(t, p, m, func(t *testing.T, r rig) {
		for _, kind := range []string{"read", "refuse", "read"} {
			_, _ = r.Ask(context.Background(), "front", engine.Msg{Type: kind}, CallOptions{Correlation: "c"})
		}
		if err := r.Command(t.Context(), engine.Steer{Verb: "quarantine", Target: "back"}, "me"); err != nil {
			t.Fatal(err)
		}
		_, _ = r.Ask(context.Background(), "front", engine.Msg{Type: "read"}, CallOptions{})
		synctest.Wait()
		want := []journal.Call{
			{From: "root/front", Message: "read", Breaker: "back", Outcome: "success", Attempt: 1},
			{From: "root/front", Message: "refuse", Breaker: "back", Outcome: "failure", Class: "denied", Attempt: 1},
			{From: "root/front", Message: "read", Breaker: "back", Outcome: "rejected", Class: "breaker", Attempt: 1},
			{From: "root/front", Message: "read", Outcome: "rejected", Class: "quarantine", Attempt: 1},
		}
		events := r.book.of(journal.TypeCall, "root/back")
		if len(events) != len(want) {
			t.Fatalf("%d calls are recorded, want %d", len(events), len(want))
		}
		for i, e := range events {
			body, err := e.Body()
			if err != nil {
				t.Fatal(err)
			}
			got := body.(journal.Call)
			got.Duration = 0
			if !reflect.DeepEqual(got, want[i]) {
				t.Errorf("call %d is %+v, want %+v", i, got, want[i])
			}
			if i < 3 && e.Correlation != "c" {
				t.Errorf("call %d has the correlation %q", i, e.Correlation)
			}
		}
		if got := r.book.of(journal.TypeMessage, ""); len(got) != 0 {
			t.Errorf("%d messages are recorded, and nobody wants them", len(got))
		}
	})
}

// What messages and calls from outside carry is recorded as it was sent, whatever a handler makes of it, and only theirs.
func TestWhatComesFromOutsideIsRecordedAsItCame(t *testing.T) {
	p, m := answering(t, "messages", "calls", "payloads")
	p.Actors[2].Guard = &plan.Guard{Name: "front"}
	m["back"] = simple(func(_ engine.Context, m engine.Msg) error {
		if sent, ok := m.Payload.(map[string]any); ok {
			sent["n"] = "changed"
		}
		return nil
	})
	run(t, p, m, func(t *testing.T, r rig) {
		r.ask(t, "front", "read", map[string]any{"n": 1})
		r.ask(t, "back", "read", map[string]any{"n": 2})
		r.ask(t, "back", "read", nil)
		synctest.Wait()
		var got []string
		for _, path := range []string{"root/front", "root/back"} {
			for _, e := range r.book.of(journal.TypeMessage, path) {
				body, err := e.Body()
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, path+" "+string(body.(journal.Message).Payload))
			}
		}
		for _, e := range r.book.of(journal.TypeCall, "root/front") {
			body, err := e.Body()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, "call "+string(body.(journal.Call).Payload))
		}
		want := []string{`root/front {"n":1}`, "root/back ", `root/back {"n":2}`, "root/back ", `call {"n":1}`}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
	})
}

// What messages carry is recorded as long as the plan says so: a worker's last payload goes with it.
func TestPayloadsEndWithTheirPlan(t *testing.T) {
	p, m := answering(t, "messages", "payloads")
	next, _ := answering(t, "messages")
	run(t, p, m, func(t *testing.T, r rig) {
		r.ask(t, "back", "read", map[string]any{"n": 1})
		synctest.Wait()
		if err := r.Reload(engine.Reloaded{Plan: next, Generation: 2}, engine.Cause{}); err != nil {
			t.Fatal(err)
		}
		r.ask(t, "back", "read", map[string]any{"n": 2})
		synctest.Wait()
		var got []string
		for _, e := range r.book.of(journal.TypeMessage, "root/back") {
			body, err := e.Body()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(body.(journal.Message).Payload))
		}
		if want := []string{`{"n":1}`, ""}; !reflect.DeepEqual(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
	})
}
