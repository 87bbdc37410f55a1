package sim

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

const worker = `
root:
  intensity: {max: 1000, within: 1s}
  children:
    - {name: job, go: job, restart: {policy: always, backoff: {initial: 1s, max: 1s, jitter: 0}}}
    - {name: left, go: sender}
    - {name: right, go: sender}
`

// jobs is a behaviour that notes what it handles with its incarnation; senders tell it a number of messages.
func jobs(into *[]string) making {
	return making{
		"job": simple(func(ctx engine.Context, m engine.Msg) error {
			switch m.Type {
			case "sleep":
				return ctx.Sleep(time.Second)
			case "timer":
				ctx.After(m.Payload.(time.Duration), engine.Msg{Type: "due"})
				return nil
			}
			*into = append(*into, fmt.Sprintf("%s#%d", m.Type, ctx.Incarnation()))
			if m.Type == "crash" {
				return errors.New("as told")
			}
			return nil
		}),
		"sender": simple(func(ctx engine.Context, m engine.Msg) error {
			to, err := ctx.Ref("job")
			for i := 0; err == nil && i < 3; i++ {
				err = ctx.Tell(to, engine.Msg{Type: fmt.Sprint(m.Type, i)})
			}
			return err
		}),
	}
}

// What is done to an actor while it restarts or is paused, in both runtimes.
func TestNothingIsLostBetweenIncarnations(t *testing.T) {
	steer := func(t *testing.T, r twin, s engine.Steer) {
		t.Helper()
		s.Target = "job"
		if err := r.steer(s); err != nil {
			t.Fatal(err)
		}
	}
	tell := func(r twin, msgs ...string) {
		for _, m := range msgs {
			_ = r.tell("job", m, 1500*time.Millisecond)
		}
	}
	for _, c := range []struct {
		name, want string
		story      func(t *testing.T, r twin)
	}{
		{"a restart during a pause", "after#2", func(t *testing.T, r twin) {
			steer(t, r, engine.Steer{Verb: "pause"})
			tell(r, "after")
			steer(t, r, engine.Steer{Verb: "restart"})
			r.pass(10 * time.Second)
			if state, waiting := r.look("root/job"); state != "running" || waiting != 1 {
				t.Errorf("paused, it is %s with %d waiting", state, waiting)
			}
			steer(t, r, engine.Steer{Verb: "resume"})
		}},
		{"a pause during a restart", "crash#1 after#2", func(t *testing.T, r twin) {
			tell(r, "crash", "after")
			steer(t, r, engine.Steer{Verb: "pause"})
			r.pass(10 * time.Second)
			if state, waiting := r.look("root/job"); state != "running" || waiting != 1 {
				t.Errorf("paused, it is %s with %d waiting", state, waiting)
			}
			steer(t, r, engine.Steer{Verb: "resume"})
		}},
		{"an injection during a restart", "crash#1 injected#2", func(t *testing.T, r twin) {
			tell(r, "crash")
			steer(t, r, engine.Steer{Verb: "inject", Message: "injected"})
		}},
		{"a timer that comes due during the restart", "crash#1 after#2", func(t *testing.T, r twin) {
			tell(r, "timer")
			r.pass(time.Second)
			tell(r, "crash", "after")
		}},
		{"a timer that comes due after the restart", "crash#1 after#2", func(t *testing.T, r twin) {
			tell(r, "timer", "crash", "after")
		}},
		{"a timer whose message waits at the restart", "crash#1 after#2", func(t *testing.T, r twin) {
			tell(r, "timer")
			r.pass(time.Second)
			tell(r, "sleep", "crash", "after")
		}},
		{"a timer of the present incarnation", "crash#1 due#2", func(t *testing.T, r twin) {
			tell(r, "crash", "timer")
		}},
		{"the order of each sender", "crash#1 l0#2 l1#2 l2#2 r0#2 r1#2 r2#2", func(t *testing.T, r twin) {
			tell(r, "sleep", "crash")
			_ = r.tell("left", "l", nil)
			_ = r.tell("right", "r", nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBoth(t, func() play {
				var handled []string
				return play{worker, jobs(&handled), func(t *testing.T, r twin) {
					c.story(t, r)
					r.pass(10 * time.Second)
					if got := strings.Join(handled, " "); got != c.want {
						t.Errorf("handled %s, want %s", got, c.want)
					}
				}}
			})
		})
	}
}
