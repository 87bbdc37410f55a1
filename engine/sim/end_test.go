package sim

import (
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// slowly is a behaviour whose start takes a minute, and whose handlers work an hour or end it.
type slowly struct{ starts time.Duration }

func (s slowly) Init(ctx engine.Context) error { return ctx.Sleep(s.starts) }

func (s slowly) Handle(ctx engine.Context, m engine.Msg) error {
	if m.Type == "end" {
		ctx.Stop()
		return nil
	}
	return ctx.Sleep(time.Hour)
}

// How long an end takes that nobody waits for, in both runtimes: a start has no message to finish, and who ends by itself leaves
// its other handlers a while.
func TestAnEndIsBounded(t *testing.T) {
	const stops = "root: {children: [{name: a, go: a, concurrency: 4, restart: {policy: never}, shutdown: {drain: 20s, kill: 1s}}]}\n"
	for _, c := range []struct {
		name   string
		starts time.Duration
		story  func(r twin)
		took   time.Duration
	}{
		{"a start is stopped", time.Minute, func(r twin) { _ = r.steer(engine.Steer{Verb: "stop", Target: "a"}) }, 0},
		{"a handler is stopped", 0, func(r twin) {
			_ = r.tell("a", "work", nil)
			_ = r.steer(engine.Steer{Verb: "stop", Target: "a"})
		}, 20 * time.Second},
		{"it ends while it works", 0, func(r twin) {
			_ = r.tell("a", "work", nil)
			_ = r.tell("a", "end", nil)
		}, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBoth(t, func() play {
				return play{stops, making{"a": func() engine.Behavior { return slowly{c.starts} }}, func(t *testing.T, r twin) {
					began := r.now()
					c.story(r)
					r.pass(30 * time.Second)
					for _, e := range r.told() {
						if e.Type != journal.TypeActorStopped || e.Actor != "root/a" {
							continue
						}
						if took := time.Unix(0, e.Time).Sub(time.Unix(0, r.told()[0].Time)) - began; took != c.took {
							t.Errorf("it took %v, want %v", took, c.took)
						}
						return
					}
					state, _ := r.look("root/a")
					t.Errorf("it is %s", state)
				}}
			})
		})
	}
}
