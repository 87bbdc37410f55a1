package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// below is a plan of leaves below root/pool, a supervisor of one_for_one that allows no restart.
func below(t testing.TB, policy plan.RestartPolicy, leaves ...plan.Actor) *plan.Plan {
	t.Helper()
	p := tree(t, leaf("pool", func(a *plan.Actor) {
		a.Kind, a.Go, a.Restart.Policy = plan.Supervisor, nil, policy
		a.Supervisor = &plan.SupervisorSpec{Strategy: plan.OneForOne, Intensity: plan.Intensity{Max: 0, Within: time.Minute}, AutoShutdown: "never"}
	}))
	for i, a := range leaves {
		a.Path, a.Parent, a.Order = "root/pool/"+a.Name, 1, i
		p.Actors = append(p.Actors, a)
		p.Actors[1].Supervisor.Children = append(p.Actors[1].Supervisor.Children, i+2)
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

// logs is a behaviour that notes what it handles with its incarnation: it crashes on "crash" and sleeps on "sleep".
func logs(into *[]string) func(*plan.Actor) (engine.Behavior, error) {
	return simple(func(ctx engine.Context, m engine.Msg) error {
		switch m.Type {
		case "crash":
			return errors.New("as told")
		case "sleep":
			return ctx.Sleep(m.Payload.(time.Duration))
		}
		*into = append(*into, fmt.Sprintf("%s#%d", m.Type, ctx.Incarnation()))
		ctx.Reply(m.Type)
		return nil
	})
}

func TestWhatWaitsBelowASupervisorThatGaveUpSurvivesItsRestart(t *testing.T) {
	var w, s []string
	run(t, below(t, plan.Always, leaf("w"), leaf("s")), making{"w": logs(&w), "s": logs(&s)}, func(t *testing.T, r rig) {
		for _, m := range []string{"sleep", "one", "two"} {
			r.tellOK(t, "s", m, time.Hour)
		}
		for _, m := range []string{"sleep", "crash", "one", "two"} {
			r.tellOK(t, "w", m, time.Second)
		}
		answer := make(chan error, 1)
		go func() {
			_, err := r.Ask(context.Background(), "s", engine.Msg{Type: "three"}, CallOptions{Timeout: time.Minute})
			answer <- err
		}()
		if err := <-answer; err != nil {
			t.Errorf("the ask that waited: %v", err)
		}
		synctest.Wait()
		if got := strings.Join(s, " "); got != "one#2 two#2 three#2" {
			t.Errorf("the sibling handled %s", got)
		}
		if got := strings.Join(w, " "); got != "one#2 two#2" {
			t.Errorf("the failed one handled %s", got)
		}
		if n := len(r.book.of(journal.TypeSupervisorGaveUp, "root/pool")); n != 1 {
			t.Errorf("the pool gave up %d times", n)
		}
	})
}

func TestWhatWaitsBelowASupervisorThatEndsForGoodIsADeadLetter(t *testing.T) {
	var w, s []string
	delayed := leaf("d", func(a *plan.Actor) {
		a.Restart.Backoff = plan.Backoff{Initial: time.Hour, Factor: 1, Max: time.Hour}
	})
	p := below(t, plan.OnFailure, leaf("w"), leaf("s"), delayed)
	p.Actors[1].Supervisor.Intensity.Max = 1
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	run(t, p, making{"w": logs(&w), "s": logs(&s), "d": logs(&s)}, func(t *testing.T, r rig) {
		r.tellOK(t, "d", "crash", nil) // the one restart that is allowed waits for an hour
		synctest.Wait()
		failures := make(chan error, 2)
		for _, name := range []string{"d", "s"} {
			r.tellOK(t, "s", "sleep", time.Hour)
			go func() {
				_, err := r.Ask(context.Background(), name, engine.Msg{Type: "late"}, CallOptions{Timeout: time.Hour})
				failures <- err
			}()
		}
		synctest.Wait()
		r.tellOK(t, "w", "crash", nil)
		const why = "supervisor ended: restart intensity exceeded by root/pool/w"
		for range 2 {
			if err := <-failures; kindOf(err) != engine.KindUnreachable || !strings.Contains(err.Error(), why) {
				t.Errorf("an ask that waited got %v", err)
			}
		}
		synctest.Wait()
		at := time.Now()
		for _, name := range []string{"w", "s", "d"} {
			path := "root/pool/" + name
			if st := r.actorStatus(path); st.State != "stopped" || st.Mailbox != 0 {
				t.Errorf("%s is %s with %d waiting", path, st.State, st.Mailbox)
			}
			if _, err := r.Ask(context.Background(), name, engine.Msg{Type: "m"}, CallOptions{}); kindOf(err) != engine.KindUnreachable {
				t.Errorf("asking %s gave %v", path, err)
			}
		}
		if time.Since(at) != 0 {
			t.Errorf("being refused took %s", time.Since(at))
		}
		told := slices.ContainsFunc(r.book.of(journal.TypeActorStopped, "root/pool/d"), func(e journal.Event) bool {
			return strings.Contains(string(e.Payload), why)
		})
		if !told || len(w)+len(s) > 0 {
			t.Errorf("the restart that was announced was taken back: %v; handled: %v %v", told, w, s)
		}
	})
}
