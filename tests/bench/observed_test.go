package bench

import (
	"context"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/live"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// BenchmarkObserved is what watching costs: a message, and a call through a guard with a breaker, a timeout, a bulkhead and
// retries, unwatched (basic), with durations (detailed), and with an event for each message (messages) or attempt of a call (calls) as well.
func BenchmarkObserved(b *testing.B) {
	for _, watched := range []struct {
		name, level string
		record      []string
	}{{"basic", "basic", nil}, {"detailed", "detailed", nil}, {"messages", "detailed", []string{"messages"}}, {"calls", "detailed", []string{"calls"}}} {
		if watched.name != "calls" { // a tell is none
			b.Run("tell/"+watched.name, func(b *testing.B) { observedTell(b, watched.level, watched.record) })
		}
		b.Run("guarded/"+watched.name, func(b *testing.B) { observedCall(b, watched.level, watched.record) })
	}
}

func observedTell(b *testing.B, level string, record []string) {
	p := tree(b, level, crew{behaviour: "receiver", n: 1}, crew{behaviour: "sender", n: 1})
	p.Journal.Record = record
	t := newToll(1, b.N)
	e := start(b, p, cast{
		"receiver": func(engine.Context, engine.Msg) error { t.pay(0); return nil },
		"sender": func(ctx engine.Context, m engine.Msg) error {
			to, _ := ctx.Ref("receiver0")
			for range b.N {
				if err := ctx.Tell(to, engine.Msg{Type: "n"}); err != nil {
					return err
				}
			}
			return nil
		},
	})
	defer stop(e)
	off := clockOn(b)
	if err := e.Tell(context.Background(), "sender0", engine.Msg{Type: "go"}, live.CallOptions{}); err != nil {
		b.Fatal(err)
	}
	t.all.Wait()
	off()
}

func observedCall(b *testing.B, level string, record []string) {
	p := tree(b, level, crew{behaviour: "callee", n: 1}, crew{behaviour: "caller", n: 1})
	p.Journal.Record = record
	p.Actors[1].Guard = &plan.Guard{
		Name: "callee", Timeout: time.Second, Bulkhead: &plan.Bulkhead{Concurrent: 8},
		Breaker: &plan.Breaker{Policy: rates()},
		Retry:   &plan.Retry{Attempts: 3, Backoff: plan.Backoff{Initial: time.Millisecond, Factor: 2, Max: time.Second}, Budget: 0.2},
	}
	e := start(b, p, cast{
		"callee": func(ctx engine.Context, m engine.Msg) error {
			deep(func() { ctx.Reply(nil) })
			return nil
		},
		"caller": func(ctx engine.Context, m engine.Msg) error {
			to, _ := ctx.Ref("callee0")
			for range b.N {
				if _, err := ctx.Ask(to, engine.Msg{Type: "n"}, 0); err != nil {
					return err
				}
			}
			return nil
		},
	})
	defer stop(e)
	off := clockOn(b)
	if _, err := e.Ask(context.Background(), "caller0", engine.Msg{Type: "go"}, live.CallOptions{Timeout: time.Hour}); err != nil {
		b.Fatal(err)
	}
	off()
}
