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

// box is a behaviour with a state. It notes what it handles, under which incarnation and state.
type box struct {
	into  *[]string
	state any
}

func (b *box) State() any { return b.state }

func (b *box) SetState(state any) error {
	switch state {
	case "bad":
		return errors.New("a bad state")
	case "worse":
		panic("worse")
	}
	b.state = state
	return nil
}

func (b *box) Handle(ctx engine.Context, m engine.Msg) error {
	*b.into = append(*b.into, fmt.Sprintf("%s#%d:%v", m.Type, ctx.Incarnation(), b.state))
	switch m.Type {
	case "sleep":
		return ctx.Sleep(time.Second)
	case "crash":
		return errors.New("as told")
	case "sleepcrash":
		_ = ctx.Sleep(time.Second)
		return errors.New("as told")
	}
	return nil
}

// remarks are the log lines about an actor, by what they say first.
func remarks(t *testing.T, r twin, actor string) string {
	t.Helper()
	var all []string
	for _, e := range r.told() {
		if body, err := e.Body(); err == nil && e.Actor == actor {
			if line, is := body.(journal.Logged); is {
				all = append(all, strings.TrimPrefix(line.Text, "set_state: "))
			}
		}
	}
	return strings.Join(all, "; ")
}

const waits = "the actor is not up, it will be done before the next incarnation's first message"

// A state that comes while no incarnation is up is set before the first message of the next one, in both runtimes, and nothing of
// what becomes of it goes untold.
func TestAStateWaitsForTheNextIncarnation(t *testing.T) {
	const topology = `
root:
  intensity: {max: 1000, within: 1s}
  children:
    - {name: job, go: box, restart: {policy: always, backoff: {initial: 1s, max: 1s, jitter: 0}}}
`
	for _, c := range []struct {
		name, acts    string
		handled, told string
	}{
		{"between two messages", "sleep =7 after", "sleep#1:<nil> after#1:7", ""},
		{"before messages that were there", "pause sleep after resume =7", "sleep#1:<nil> after#1:7", ""},
		{"it is stopping", "sleep stop !7", "sleep#1:<nil>", ""},
		{"it is stopping to be restarted", "sleep restart =7 after", "sleep#1:<nil> after#2:7", waits + "; done, now that the actor is up"},
		{"during the backoff", "crash =7 after", "crash#1:<nil> after#2:7", waits + "; done, now that the actor is up"},
		{"behind a message that kills its actor", "sleepcrash =7 after", "sleepcrash#1:<nil> after#2:7", "done, now that the actor is up"},
		{"only the last one", "crash =7 =8 after", "crash#1:<nil> after#2:8",
			waits + "; a later one came before it was done; " + waits + "; done, now that the actor is up"},
		{"while it is paused", "pause crash =7 resume after", "crash#1:7 after#2:<nil>", ""},
		{"while it is paused and down", "crash pause =7 resume after", "crash#1:<nil> after#2:7", waits + "; done, now that the actor is up"},
		{"one that the behaviour does not take", "crash =bad after", "crash#1:<nil> after#2:<nil>", waits + "; a bad state"},
		{"one that kills the incarnation", "crash =worse after", "crash#1:<nil> after#3:<nil>", waits},
		{"it is stopped instead", "crash =7 stop restart after", "crash#1:<nil> after#2:<nil>",
			waits + "; the actor has stopped, so nothing was set"},
		{"it has stopped", "stop !7 restart after", "after#2:<nil>", ""},
		{"a restart by hand", "=7 after restart after", "after#1:7 after#2:<nil>", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBoth(t, func() play {
				var handled []string
				boxes := making{"box": func() engine.Behavior { return &box{into: &handled} }}
				return play{topology, boxes, func(t *testing.T, r twin) {
					for _, act := range strings.Fields(c.acts) {
						var err error
						value, refused := act[1:], act[0] == '!'
						switch {
						case refused, act[0] == '=':
							err = r.steer(engine.Steer{Verb: "set_state", Target: "job", Payload: value})
						case act == "stop" || act == "restart" || act == "pause" || act == "resume":
							err = r.steer(engine.Steer{Verb: act, Target: "job"})
						default:
							_ = r.tell("job", act, nil)
						}
						if (err != nil) != refused {
							t.Errorf("%s: %v", act, err)
						}
					}
					r.pass(10 * time.Second)
					if got := strings.Join(handled, " "); got != c.handled {
						t.Errorf("handled %s, want %s", got, c.handled)
					}
					if got := remarks(t, r, "root/job"); got != c.told {
						t.Errorf("told %s, want %s", got, c.told)
					}
				}}
			})
		})
	}
}

// A corrupted memory goes with its incarnation, also when that ends before it was looked at.
func TestCorruptionEndsWithItsIncarnation(t *testing.T) {
	var handled []string
	r := begin(t, `
root:
  intensity: {max: 1000, within: 1s}
  children:
    - {name: job, go: box, restart: {policy: always, backoff: {initial: 1s, max: 1s, jitter: 0}}}
`, making{"box": func() engine.Behavior { return &box{into: &handled} }})
	for _, act := range []func(){
		func() { _ = r.Tell("job", engine.Msg{Type: "sleep"}, engine.CallOptions{}) },
		func() {
			r.inject(Fault{Verb: Corrupt, What: "state", Target: "job", Value: 666})
			r.inject(Fault{Verb: Crash, Target: "job"})
		},
		func() { _ = r.Tell("job", engine.Msg{Type: "after"}, engine.CallOptions{}) },
	} {
		act()
		r.run(10 * time.Millisecond)
	}
	r.run(10 * time.Second)
	if got := strings.Join(handled, " "); got != "sleep#1:<nil> after#2:<nil>" {
		t.Errorf("handled %s", got)
	}
}
