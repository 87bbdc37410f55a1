package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

const watched = `
root:
  intensity: {max: 1000, within: 1s}
  children:
    - {name: watcher, go: watcher, mailbox: {capacity: 3, overflow: drop_oldest}}
    - {name: always, go: worker, restart: {policy: always, backoff: {initial: 10ms, max: 10ms, jitter: 0}}}
    - {name: never, go: worker, restart: {policy: never}}
    - name: pool
      intensity: {max: 0, within: 1m}
      restart: {policy: on_failure}
      children:
        - {name: left, go: worker, restart: {policy: always}}
        - {name: right, go: worker, restart: {policy: always}}
    - {name: many, go: worker, replicas: 2}
`

// watchers is a behaviour that watches whom it is told to, and workers that do what they are told.
func watchers(notes *[]string) making {
	note := func(format string, args ...any) { *notes = append(*notes, fmt.Sprintf(format, args...)) }
	ref := func(ctx engine.Context, m engine.Msg) engine.Ref {
		if to, is := m.Payload.(engine.Ref); is {
			return to
		}
		to, err := ctx.Ref(m.Payload.(string))
		if err != nil {
			note("%v", err)
		}
		return to
	}
	return making{
		"watcher": simple(func(ctx engine.Context, m engine.Msg) error {
			switch m.Type {
			case "watch":
				to := ref(ctx, m)
				if err := ctx.Watch(to); err != nil {
					note("%v", err)
				}
				ctx.Reply(to)
			case "unwatch":
				ctx.Unwatch(ref(ctx, m))
			case "sleep":
				return ctx.Sleep(time.Second)
			case "crash":
				return &engine.Error{Kind: "asked", Message: "as told"}
			case engine.MessageTerminated:
				end := m.Payload.(engine.Terminated)
				note("%s#%d ended: %s; kind %q, removed %v", end.Path, end.Incarnation, end.Reason, end.Kind, end.Removed)
			default:
				note("%s", m.Type)
			}
			return nil
		}),
		"worker": simple(func(ctx engine.Context, m engine.Msg) error {
			switch m.Type {
			case "crash":
				return &engine.Error{Kind: "asked", Message: "as told"}
			case "report":
				to, _ := ctx.Ref("watcher")
				_ = ctx.Tell(to, engine.Msg{Type: "last words"})
				ctx.Stop()
			}
			return nil
		}),
	}
}

// watching plays a story about a watcher, and compares what it noted.
func watching(t *testing.T, want []string, story func(t *testing.T, r twin)) {
	t.Helper()
	onBoth(t, func() play {
		var notes []string
		return play{watched, watchers(&notes), func(t *testing.T, r twin) {
			story(t, r)
			if got := strings.Join(notes, "\n"); got != strings.Join(want, "\n") {
				t.Errorf("noted\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		}}
	})
}

func stop(t *testing.T, r twin, target string) {
	t.Helper()
	if err := r.steer(engine.Steer{Verb: "stop", Target: target}); err != nil {
		t.Fatal(err)
	}
	r.pass(0)
}

func TestAWatcherHearsOfTheFinalStopOnceAfterTheLastMessage(t *testing.T) {
	watching(t, []string{
		"last words", `root/never#1 ended: ended by itself; kind "", removed false`,
		`root/always#2 ended: stopped by test; kind "", removed false`,
	}, func(t *testing.T, r twin) {
		for _, name := range []string{"never", "never", "always"} {
			_ = r.tell("watcher", "watch", name)
		}
		_ = r.tell("watcher", "sleep", nil)
		_ = r.tell("never", "report", nil)
		_ = r.tell("always", "crash", nil) // and comes back: that is no end
		r.pass(2 * time.Second)
		stop(t, r, "always")
	})
}

func TestAWatcherHearsWhy(t *testing.T) {
	const gaveUp = "supervisor ended: restart intensity exceeded by root/pool/left"
	watching(t, []string{
		`root/never#1 ended: as told; kind "asked", removed false`,
		`root/pool/right#1 ended: ` + gaveUp + `; kind "", removed false`,
		`root/pool/left#1 ended: ` + gaveUp + `; kind "asked", removed false`,
		`root/always#1 ended: removed by a reload; kind "", removed true`,
	}, func(t *testing.T, r twin) {
		for _, name := range []string{"never", "right", "left", "always"} {
			_ = r.tell("watcher", "watch", name)
		}
		_ = r.tell("never", "crash", nil)
		_ = r.tell("left", "crash", nil)
		r.pass(0)
		if err := r.reload(compiled(t, strings.Replace(watched, "name: always", "name: other", 1))); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
	})
}

func TestWatchingWhoHasStoppedIsHeardAtOnce(t *testing.T) {
	watching(t, []string{
		`root/always#1 ended: stopped by test; kind "", removed false`,
		`#0 ended: unknown actor; kind "", removed true`,
		`root/always#2 ended: stopped by test; kind "", removed false`,
	}, func(t *testing.T, r twin) {
		never := r.ask("watcher", "watch", "never", time.Second)
		_ = r.tell("watcher", "unwatch", "never")
		stop(t, r, "always")
		_ = r.tell("watcher", "watch", "always")
		if err := r.reload(compiled(t, strings.Replace(watched, "name: never", "name: other", 1))); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		_ = r.tell("watcher", "watch", never.value)
		if err := r.steer(engine.Steer{Verb: "restart", Target: "always"}); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		_ = r.tell("watcher", "watch", "always")
		stop(t, r, "always")
	})
}

func TestAWatchThatIsTakenBackIsSilent(t *testing.T) {
	watching(t, []string{`root/always#1 ended: stopped by test; kind "", removed false`}, func(t *testing.T, r twin) {
		_ = r.tell("watcher", "watch", "never")
		_ = r.tell("watcher", "watch", "always")
		_ = r.tell("watcher", "sleep", nil)
		_ = r.tell("watcher", "unwatch", "never")
		stop(t, r, "never") // its notice waits behind
		stop(t, r, "always")
		r.pass(2 * time.Second)
	})
}

func TestWatchesEndWithTheIncarnation(t *testing.T) {
	watching(t, nil, func(t *testing.T, r twin) {
		_ = r.tell("watcher", "watch", "never")
		_ = r.tell("watcher", "watch", "always")
		_ = r.tell("watcher", "sleep", nil)
		_ = r.tell("watcher", "crash", nil)
		stop(t, r, "never") // its notice waits behind the crash
		r.pass(2 * time.Second)
		stop(t, r, "always") // nobody watches any more
		r.pass(10 * time.Second)
		if state, waiting := r.look("root/watcher"); state != "running" || waiting != 0 {
			t.Errorf("the watcher is %s with %d waiting", state, waiting)
		}
		if got := deadLetters(r, "root/watcher"); got != "killed its actor: 1" {
			t.Errorf("dead letters: %s", got)
		}
	})
}

func TestANoticeNeedsNoRoom(t *testing.T) {
	watching(t, []string{
		"four", `root/never#1 ended: stopped by test; kind "", removed false`, "five",
		`root/always#1 ended: stopped by test; kind "", removed false`,
	}, func(t *testing.T, r twin) {
		_ = r.tell("watcher", "watch", "never")
		_ = r.tell("watcher", "watch", "always")
		_ = r.tell("watcher", "sleep", nil)
		stop(t, r, "never")
		for _, m := range []string{"one", "two", "three", "four", "five"} { // those that came first give way
			_ = r.tell("watcher", m, nil)
		}
		stop(t, r, "always")
		r.pass(2 * time.Second)
	})
}

func TestWhatCannotBeWatched(t *testing.T) {
	watching(t, []string{
		"invalid by root/watcher: an actor cannot watch itself",
		"invalid by root/watcher: a supervisor has no end that concerns others: watch its children",
		"invalid by root/watcher: a group does not end: watch its replicas",
	}, func(t *testing.T, r twin) {
		for _, name := range []string{"watcher", "pool", "many"} {
			_ = r.tell("watcher", "watch", name)
			r.pass(0)
		}
	})
}
