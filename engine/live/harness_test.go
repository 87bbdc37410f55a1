package live

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// book is a Recorder that keeps everything.
type book struct {
	mu     sync.Mutex
	events []journal.Event
}

func (b *book) Record(e journal.Event) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.Seq = uint64(len(b.events) + 1)
	b.events = append(b.events, e)
	return e.Seq
}

func (b *book) all() []journal.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]journal.Event(nil), b.events...)
}

// of returns the events of one type about an actor, "" for any.
func (b *book) of(t journal.Type, actor string) []journal.Event {
	var found []journal.Event
	for _, e := range b.all() {
		if e.Type == t && (actor == "" || e.Actor == actor) {
			found = append(found, e)
		}
	}
	return found
}

// handler is a behaviour of one function.
type handler func(ctx engine.Context, m engine.Msg) error

func (h handler) Handle(ctx engine.Context, m engine.Msg) error { return h(ctx, m) }

// making is a registry of test behaviours by the name of the actor.
type making map[string]func(a *plan.Actor) (engine.Behavior, error)

func (m making) factories(plan.Kind) engine.Factory {
	return func(a *plan.Actor, _ *plan.Plan) (engine.Behavior, error) {
		name := a.Go.Behaviour
		if make := m[name]; make != nil {
			return make(a)
		}
		return nil, fmt.Errorf("no behaviour %q", name)
	}
}

func simple(h handler) func(*plan.Actor) (engine.Behavior, error) {
	return func(*plan.Actor) (engine.Behavior, error) { return h, nil }
}

// leaf is a go actor below the root, with the usual defaults.
func leaf(name string, change ...func(*plan.Actor)) plan.Actor {
	a := plan.Actor{
		Name: name, Path: "root/" + name, Definition: &plan.Definition{
			Kind: plan.Go, Concurrency: 1,
			Restart:  plan.Restart{Policy: plan.Always},
			Mailbox:  plan.Mailbox{Capacity: 1024, Overflow: "reject", OnRestart: "keep", Attempts: 1},
			Shutdown: plan.Shutdown{Drain: time.Second, Kill: time.Second},
			Go:       &plan.GoSpec{Behaviour: name},
		}}
	for _, c := range change {
		c(&a)
	}
	return a
}

// tree is a plan of leaves below one root supervisor.
func tree(t testing.TB, leaves ...plan.Actor) *plan.Plan {
	t.Helper()
	p := &plan.Plan{Name: "test"}
	root := plan.Actor{
		Name: "root", Path: "root", Parent: -1, Definition: &plan.Definition{
			Kind: plan.Supervisor, Concurrency: 1, Mailbox: plan.Mailbox{Capacity: 1},
			Supervisor: &plan.SupervisorSpec{Strategy: plan.OneForOne, Intensity: plan.Intensity{Max: 1000, Within: time.Second}, AutoShutdown: "never"},
		}}
	groups := map[string]int{}
	order := -1
	for i, a := range leaves {
		root.Supervisor.Children = append(root.Supervisor.Children, i+1)
		if a.Group == "" || groups[a.Group] == 0 {
			order++
		}
		a.Order = order
		if a.Group != "" {
			if groups[a.Group] == 0 {
				p.Groups = append(p.Groups, plan.Group{Name: a.Group[len("root/"):], Path: a.Group, Route: plan.Route{Pick: "least_loaded"}})
				groups[a.Group] = len(p.Groups)
			}
			g := &p.Groups[groups[a.Group]-1]
			g.Members = append(g.Members, a.Path)
		}
		leaves[i] = a
	}
	p.Actors = append([]plan.Actor{root}, leaves...)
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

// rig is an engine under test.
type rig struct {
	*Engine
	book *book
}

func newRig(t testing.TB, p *plan.Plan, m making) rig {
	t.Helper()
	b := &book{}
	e, err := New(Options{
		Plan: p, Machine: engine.NewMachine(), Clock: clock.System(), Seed: 7, Recorder: b, Factories: m.factories,
	})
	if err != nil {
		t.Fatal(err)
	}
	return rig{e, b}
}

// run starts an engine in a bubble of fake time, waits until it is up, runs the story and shuts down. The bubble fails
// when a goroutine is left.
func run(t *testing.T, p *plan.Plan, m making, story func(t *testing.T, r rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, p, m)
		r.Start()
		<-r.Up()
		story(t, r)
		r.Shutdown("test over")
		<-r.Done()
		synctest.Wait()
	})
}

func (r rig) ask(t testing.TB, name, msg string, payload any) any {
	t.Helper()
	v, err := r.Ask(context.Background(), name, engine.Msg{Type: msg, Payload: payload}, CallOptions{})
	if err != nil {
		t.Fatalf("ask %s %s: %v", name, msg, err)
	}
	return v
}

func (r rig) tellOK(t testing.TB, name, msg string, payload any) {
	t.Helper()
	if err := r.Tell(context.Background(), name, engine.Msg{Type: msg, Payload: payload}, CallOptions{}); err != nil {
		t.Fatalf("tell %s %s: %v", name, msg, err)
	}
}
