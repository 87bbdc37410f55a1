package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

const withJob = `
root:
  children:
    - {name: other, go: job}
    - {name: job, go: job, shutdown: {drain: 10s, kill: 1s}}
`

const withoutJob = `
root:
  children:
    - {name: other, go: job}
`

// lives are the starts and stops of an actor, in order.
func lives(r twin, path string) string {
	var all []string
	for _, e := range r.told() {
		if e.Actor == path && slices.Contains([]journal.Type{journal.TypeActorStarted, journal.TypeActorStopped, journal.TypeActorLeaked}, e.Type) {
			all = append(all, strings.TrimPrefix(e.Type.String(), "actor_"))
		}
	}
	return strings.Join(all, " ")
}

func TestAPathThatIsAddedAgainStartsWhenTheOldActorIsGone(t *testing.T) {
	onBoth(t, func() play {
		var handled []string
		m := making{"job": func() engine.Behavior {
			count := 0
			return handler(func(ctx engine.Context, m engine.Msg) error {
				if m.Type == "slow" {
					return ctx.Sleep(5 * time.Second)
				}
				count++
				handled = append(handled, fmt.Sprint(m.Type, count))
				ctx.Reply(nil)
				return nil
			})
		}}
		return play{withJob, m, func(t *testing.T, r twin) {
			_ = r.tell("root/job", "first", nil)
			_ = r.tell("root/job", "slow", nil)
			waits := r.ask("root/job", "old", nil, time.Hour)
			if err := r.reload(compiled(t, withoutJob)); err != nil {
				t.Fatal(err)
			}
			if err := r.reload(compiled(t, withJob)); err != nil {
				t.Fatal(err)
			}
			fresh := r.ask("root/job", "new", nil, time.Hour)
			r.pass(time.Second)
			if got := lives(r, "root/job"); got != "started" || fresh.over {
				t.Errorf("while the old one stops: %s, %+v", got, *fresh)
			}
			r.pass(5 * time.Second)
			if got := lives(r, "root/job"); got != "started stopped started" {
				t.Errorf("then: %s", got)
			}
			if !fresh.over || fresh.err != nil || fresh.at != 5*time.Second {
				t.Errorf("the new one's first ask: %+v", *fresh)
			}
			if !waits.over || kindOf(waits.err) != engine.KindUnreachable {
				t.Errorf("what waited for the old one: %+v", *waits)
			}
			if got := deadLetters(r, "root/job"); got != "actor removed: 1" || strings.Join(handled, " ") != "first1 new1" {
				t.Errorf("dead letters %s, handled %v", got, handled)
			}
		}}
	})
}

// A handler that never returns is cut off at the kill deadline: only then does the one in its place start, and what the old
// one does afterwards gets nowhere.
func TestAPathThatIsAddedAgainWaitsForTheFence(t *testing.T) {
	topology, without := compiled(t, withJob), compiled(t, withoutJob)
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var late error
		m := making{"job": simple(func(ctx engine.Context, m engine.Msg) error {
			if m.Type == "stuck" {
				<-gate
				to, _ := ctx.Ref("root/other")
				late = ctx.Tell(to, engine.Msg{Type: "late"})
			}
			ctx.Reply(nil)
			return nil
		})}
		r := newLiveTwin(t, topology, m)
		_ = r.tell("root/job", "stuck", nil)
		if err := errors.Join(r.reload(without), r.reload(topology)); err != nil {
			t.Fatal(err)
		}
		fresh := r.ask("root/job", "new", nil, time.Hour)
		r.pass(10 * time.Second)
		if got := lives(r, "root/job"); got != "started" || fresh.over {
			t.Errorf("while the old one stops: %s, %+v", got, *fresh)
		}
		r.pass(2 * time.Second)
		if got := lives(r, "root/job"); got != "started stopped leaked started" || fresh.err != nil || fresh.at != 11*time.Second {
			t.Errorf("then: %s, %+v", got, *fresh)
		}
		close(gate)
		synctest.Wait()
		if !errors.Is(late, engine.ErrStopped) {
			t.Errorf("the old one's late tell: %v", late)
		}
		r.end()
	})
}
