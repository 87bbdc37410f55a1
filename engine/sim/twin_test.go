package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/live"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// twin is an engine under test in either runtime, so that one story holds both to the same.
type twin interface {
	tell(name, msg string, payload any) error
	// ask begins an ask; its outcome can be read when time has passed.
	ask(name, msg string, payload any, timeout time.Duration) *outcome
	pass(d time.Duration)
	now() time.Duration
	steer(s engine.Steer) error
	reload(p *plan.Plan) error
	// look gives an actor's state and how many messages wait for it.
	look(path string) (state string, waiting int)
	handled(path string) uint64
	told() []journal.Event
}

// outcome is how an ask ended.
type outcome struct {
	over  bool
	value any
	err   error
	at    time.Duration // engine time
}

// play is a story, with behaviours of its own, about a topology.
type play struct {
	topology string
	made     making
	story    func(t *testing.T, r twin)
}

// onBoth plays it in the simulated and in the live runtime.
func onBoth(t *testing.T, write func() play) {
	t.Run("simulated", func(t *testing.T) {
		p := write()
		p.story(t, simTwin{begin(t, p.topology, p.made)})
	})
	t.Run("live", func(t *testing.T) {
		p := write()
		topology := compiled(t, p.topology)
		synctest.Test(t, func(t *testing.T) {
			r := newLiveTwin(t, topology, p.made)
			defer r.end()
			p.story(t, r)
		})
	})
}

type simTwin struct{ r *rig }

func (s simTwin) tell(name, msg string, payload any) error {
	err := s.r.Tell(name, engine.Msg{Type: msg, Payload: payload}, engine.CallOptions{})
	s.r.run(0)
	return err
}

func (s simTwin) ask(name, msg string, payload any, timeout time.Duration) *outcome {
	o := new(outcome)
	s.r.Ask(name, engine.Msg{Type: msg, Payload: payload}, engine.CallOptions{Timeout: timeout}, func(a Answer) {
		*o = outcome{true, a.Payload, a.Err, s.r.Now()}
	})
	s.r.run(0)
	return o
}

func (s simTwin) pass(d time.Duration) { s.r.run(d) }
func (s simTwin) now() time.Duration   { return s.r.Now() }

func (s simTwin) steer(a engine.Steer) (verdict error) {
	s.r.Command(a, "test", func(err error) { verdict = err })
	s.r.run(0)
	return verdict
}

func (s simTwin) reload(p *plan.Plan) error {
	err := s.r.Reload(engine.Reloaded{Plan: p, Generation: s.r.Generation() + 1, By: "test"}, engine.Cause{})
	s.r.run(0)
	return err
}

func (s simTwin) look(path string) (string, int) {
	v, _ := s.r.Actor(path)
	return v.State, v.Mailbox
}

func (s simTwin) handled(path string) uint64 {
	v, _ := s.r.Actor(path)
	return v.Calls
}

func (s simTwin) told() []journal.Event { return s.r.events }

type liveTwin struct {
	e      *live.Engine
	events *diary
	began  time.Time
	asks   *[]arrival
}

// arrival is an ask that has not ended when it was last looked at.
type arrival struct {
	o   *outcome
	end chan outcome
}

// settle waits until nothing moves, and takes down what has ended.
func (r liveTwin) settle() {
	synctest.Wait()
	*r.asks = slices.DeleteFunc(*r.asks, func(a arrival) bool {
		select {
		case *a.o = <-a.end:
			return true
		default:
			return false
		}
	})
}

func newLiveTwin(t testing.TB, p *plan.Plan, m making) liveTwin {
	t.Helper()
	d := new(diary)
	e, err := live.New(live.Options{
		Plan: p, Machine: engine.NewMachine(), Clock: clock.System(), Seed: 7, Recorder: d, Factories: m.factories,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := liveTwin{e, d, time.Now(), new([]arrival)}
	e.Start()
	synctest.Wait()
	return r
}

// end stops the engine; the bubble fails when a goroutine is left.
func (r liveTwin) end() {
	r.e.Shutdown("test over")
	<-r.e.Done()
	synctest.Wait()
}

func (r liveTwin) tell(name, msg string, payload any) error {
	err := r.e.Tell(context.Background(), name, engine.Msg{Type: msg, Payload: payload}, engine.CallOptions{})
	r.settle()
	return err
}

func (r liveTwin) ask(name, msg string, payload any, timeout time.Duration) *outcome {
	a := arrival{new(outcome), make(chan outcome, 1)}
	*r.asks = append(*r.asks, a)
	go func() {
		v, err := r.e.Ask(context.Background(), name, engine.Msg{Type: msg, Payload: payload}, engine.CallOptions{Timeout: timeout})
		a.end <- outcome{true, v, err, r.now()}
	}()
	r.settle()
	return a.o
}

func (r liveTwin) pass(d time.Duration) {
	time.Sleep(d)
	r.settle()
}

func (r liveTwin) now() time.Duration { return time.Since(r.began) }

func (r liveTwin) steer(a engine.Steer) error {
	err := r.e.Command(context.Background(), a, "test")
	r.settle()
	return err
}

func (r liveTwin) reload(p *plan.Plan) error {
	err := r.e.Reload(engine.Reloaded{Plan: p, Generation: r.e.Status().Generation + 1, By: "test"}, engine.Cause{})
	r.settle()
	return err
}

func (r liveTwin) look(path string) (state string, waiting int) {
	for _, a := range r.e.Status().Actors {
		if a.Path == path {
			state, waiting = a.State, a.Mailbox
		}
	}
	return state, waiting
}

func (r liveTwin) handled(path string) (n uint64) {
	for _, a := range r.e.Status().Actors {
		if a.Path == path {
			n = a.Calls
		}
	}
	return n
}

func (r liveTwin) told() []journal.Event { return r.events.all() }

// diary is a Recorder that keeps everything.
type diary struct {
	mu     sync.Mutex
	events []journal.Event
}

func (d *diary) Record(e journal.Event) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
	return uint64(len(d.events))
}

func (d *diary) all() []journal.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.events)
}

// deadLetters are the dead letters told of an actor: how many for each reason.
func deadLetters(r twin, actor string) string {
	var reasons []string
	counts := map[string]uint64{}
	for _, e := range r.told() {
		body, err := e.Body()
		letter, is := body.(journal.DeadLetter)
		if err != nil || !is || e.Actor != actor {
			continue
		}
		if counts[letter.Reason] == 0 {
			reasons = append(reasons, letter.Reason)
		}
		counts[letter.Reason] += letter.Count
	}
	for i, reason := range reasons {
		reasons[i] = fmt.Sprintf("%s: %d", reason, counts[reason])
	}
	return strings.Join(reasons, ", ")
}
