package sim

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// service is a Runner whose Stop ends as it is told.
type service struct {
	stop func(ctx context.Context) error
}

func (s service) Handle(ctx engine.Context, _ engine.Msg) error { ctx.Reply(nil); return nil }
func (s service) Start(engine.Life) error                       { return nil }
func (s service) Stop(ctx context.Context) error                { return s.stop(ctx) }

// What goes wrong in a Runner's Stop is told, and the actor comes back all the same.
func TestAStopThatFailsIsTold(t *testing.T) {
	const topology = "root: {children: [{name: a, go: a}]}\n"
	for name, c := range map[string]struct {
		stop func(ctx context.Context) error
		told string
	}{
		"well":  {func(context.Context) error { return nil }, ""},
		"error": {func(context.Context) error { return errors.New("the port is stuck") }, "its Stop failed: the port is stuck"},
		"panic": {func(context.Context) error { panic("no pool") }, "its Stop failed: panic: no pool"},
		"late":  {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func() play {
				m := making{"a": func() engine.Behavior { return service{c.stop} }}
				return play{topology, m, func(t *testing.T, r twin) {
					if err := r.steer(engine.Steer{Verb: "restart", Target: "root/a"}); err != nil {
						t.Fatal(err)
					}
					r.pass(time.Minute)
					if got := lives(r, "root/a"); got != "started stopped started" {
						t.Errorf("its life: %s", got)
					}
					told := ""
					for _, e := range r.told() {
						if body, _ := e.Body(); e.Actor == "root/a" && e.Type == journal.TypeLogged {
							told += body.(journal.Logged).Text
						}
					}
					if told != c.told {
						t.Errorf("told %q, want %q", told, c.told)
					}
				}}
			})
		})
	}
}
