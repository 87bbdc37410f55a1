package sim

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

const below = `
root:
  strategy: one_for_one
  children:
    - name: pool
      %s
      children:
        - {name: w, go: {behaviour: logs}}
        - {name: s, go: {behaviour: logs}, shutdown: {drain: 1s, kill: 1s}}
        - {name: d, go: {behaviour: logs}, restart: {policy: always, backoff: {initial: 1h, max: 1h, jitter: 0}}}
`

// logs is a behaviour that notes what it handles with its incarnation: it crashes on "crash" and sleeps on "sleep".
func logs(into *[]string) making {
	return making{"logs": simple(func(ctx engine.Context, m engine.Msg) error {
		switch m.Type {
		case "crash":
			return errors.New("as told")
		case "sleep":
			return ctx.Sleep(m.Payload.(time.Duration))
		}
		*into = append(*into, fmt.Sprintf("%s %s#%d", ctx.Path(), m.Type, ctx.Incarnation()))
		ctx.Reply(m.Type)
		return nil
	})}
}

func (r *rig) tell(name, msg string, payload any) {
	r.t.Helper()
	if err := r.Tell(name, engine.Msg{Type: msg, Payload: payload}, engine.CallOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

func TestWhatWaitsBelowALeavingSupervisorSurvivesItsRestart(t *testing.T) {
	for name, how := range map[string]string{
		"gave up":   "intensity: {max: 0, within: 1m}\n      restart: {policy: always, backoff: {initial: 1ms, max: 1ms, jitter: 0}}",
		"escalated": "on_failure: '\"escalate\"'\n      restart: {policy: on_failure, backoff: {initial: 1ms, max: 1ms, jitter: 0}}",
	} {
		t.Run(name, func(t *testing.T) {
			var handled []string
			r := begin(t, fmt.Sprintf(below, how), logs(&handled))
			for _, m := range []string{"sleep", "one", "two"} {
				r.tell("s", m, time.Hour)
			}
			for _, m := range []string{"sleep", "crash", "one"} {
				r.tell("w", m, time.Second)
			}
			if a := r.ask("s", "three", nil, engine.CallOptions{Timeout: time.Minute}); a.Err != nil {
				t.Errorf("the ask that waited: %v", a.Err)
			}
			want := "root/pool/w one#2 root/pool/s one#2 root/pool/s two#2 root/pool/s three#2"
			if got := strings.Join(handled, " "); got != want {
				t.Errorf("handled %s", got)
			}
		})
	}
}

func TestWhatWaitsBelowASupervisorThatEndsForGoodIsADeadLetter(t *testing.T) {
	var handled []string
	r := begin(t, fmt.Sprintf(below, "intensity: {max: 1, within: 1m}\n      restart: {policy: on_failure}"), logs(&handled))
	r.tell("d", "crash", nil) // the one restart that is allowed waits for an hour
	r.run(0)
	r.tell("s", "sleep", time.Hour)
	failures := map[string]error{}
	for _, name := range []string{"d", "s"} {
		r.Ask(name, engine.Msg{Type: "late"}, engine.CallOptions{Timeout: time.Hour}, func(a Answer) { failures[name] = a.Err })
	}
	r.tell("w", "crash", nil)
	r.run(2 * time.Second)
	const why = "supervisor ended: restart intensity exceeded by root/pool/w"
	for _, name := range []string{"d", "s"} {
		if err := failures[name]; kindOf(err) != engine.KindUnreachable || !strings.Contains(err.Error(), why) {
			t.Errorf("the ask to %s that waited got %v", name, err)
		}
	}
	for _, name := range []string{"w", "s", "d"} {
		if v, _ := r.Actor(name); v.State != "stopped" || v.Mailbox != 0 {
			t.Errorf("%s is %s with %d waiting", name, v.State, v.Mailbox)
		}
		if a := r.ask(name, "m", nil); kindOf(a.Err) != engine.KindUnreachable || a.Took != 0 {
			t.Errorf("asking %s gave %v after %s", name, a.Err, a.Took)
		}
	}
	if told := r.story(journal.TypeActorStopped); !strings.Contains(told, "root/pool/d") || len(handled) > 0 {
		t.Errorf("handled %v; stopped:\n%s", handled, told)
	}
}
