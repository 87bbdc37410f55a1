package live

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

func echo(ctx engine.Context, m engine.Msg) error {
	ctx.Reply(m.Payload)
	return nil
}

func TestAnAskIsAnswered(t *testing.T) {
	run(t, tree(t, leaf("echo")), making{"echo": simple(echo)}, func(t *testing.T, r rig) {
		for _, name := range []string{"echo", "root/echo"} {
			if got := r.ask(t, name, "say", 7.0); got != 7.0 {
				t.Errorf("%s answered %v", name, got)
			}
		}
		_, err := r.Ask(context.Background(), "ecco", engine.Msg{Type: "say"}, CallOptions{})
		if !errors.Is(err, engine.ErrUnknownActor) {
			t.Errorf("an unknown name gave %v", err)
		}
	})
}

func TestAFailureRestartsAndIsOneIncident(t *testing.T) {
	boom := func(ctx engine.Context, m engine.Msg) error {
		if m.Type == "boom" {
			panic("at the disco")
		}
		ctx.Reply(uint64(ctx.Incarnation()))
		return nil
	}
	run(t, tree(t, leaf("a")), making{"a": simple(boom)}, func(t *testing.T, r rig) {
		_, err := r.Ask(context.Background(), "a", engine.Msg{Type: "boom"}, CallOptions{})
		var e *engine.Error
		if !errors.As(err, &e) || e.Kind != engine.KindCrash || e.Message != "panic: at the disco" {
			t.Fatalf("the asker got %v", err)
		}
		if got := r.ask(t, "a", "which", nil); got != uint64(2) {
			t.Errorf("incarnation %v answered", got)
		}
		failed := r.book.of(journal.TypeActorFailed, "root/a")
		ready := r.book.of(journal.TypeActorReady, "root/a")
		if len(failed) != 1 || len(ready) != 2 {
			t.Fatalf("%d failures, %d times ready", len(failed), len(ready))
		}
		if failed[0].Correlation == "" || failed[0].Correlation != ready[1].Correlation {
			t.Errorf("failure %q and new readiness %q are two incidents", failed[0].Correlation, ready[1].Correlation)
		}
		body, _ := failed[0].Body()
		if stack := body.(journal.ActorFailed).Stack; !strings.HasPrefix(stack, "github.com/lukhasai/lukhas-run/engine/live.TestAFailure") || strings.Contains(stack, "protect") {
			t.Errorf("the stack does not show the handler alone:\n%s", stack)
		}
		at := ready[1]
		for at.Causation != 0 {
			at = r.book.all()[at.Causation-1]
		}
		if at.Seq != failed[0].Seq {
			t.Errorf("the chain of causes ends at %s", journal.Describe(at))
		}
	})
}
