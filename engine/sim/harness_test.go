package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/consensus"
	"github.com/lukhasai/lukhas-run/engine/actors/script"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/spec"
)

func TestMain(m *testing.M) {
	if childMain() {
		return
	}
	calm.Main(m)
}

// compiled is the plan of a topology's text below its header.
func compiled(t testing.TB, text string) *plan.Plan {
	t.Helper()
	set, diags := spec.Parse("t.yaml", []byte("apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: t}\n"+text),
		spec.Options{Env: func(string) (string, bool) { return "", false }, Exe: "/bin/true"})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	p, more := compiler.Compile(set, compiler.Options{})
	if p == nil {
		t.Fatal(more)
	}
	return p
}

// handler is a behaviour of one function.
type handler func(ctx engine.Context, m engine.Msg) error

func (h handler) Handle(ctx engine.Context, m engine.Msg) error { return h(ctx, m) }

// making is a registry of test behaviours.
type making map[string]func() engine.Behavior

func simple(h handler) func() engine.Behavior { return func() engine.Behavior { return h } }

func (m making) factories(k plan.Kind) engine.Factory {
	switch k {
	case plan.Script:
		return script.New()
	case plan.Consensus:
		return consensus.New()
	case plan.Go:
		return func(a *plan.Actor, _ *plan.Plan) (engine.Behavior, error) {
			if make := m[a.Go.Behaviour]; make != nil {
				return make(), nil
			}
			return nil, fmt.Errorf("no behaviour %q", a.Go.Behaviour)
		}
	}
	return nil
}

// rig is a simulation under test. It keeps its events and calls.
type rig struct {
	*Engine
	t      testing.TB
	events []journal.Event
	sentN  int
	calls  []Call
}

func (r *rig) Event(e journal.Event) { r.events = append(r.events, e) }
func (r *rig) Sent(*Call)            { r.sentN++ }
func (r *rig) Ended(c *Call)         { r.calls = append(r.calls, *c) }

// begin makes a simulation and lets it come up.
func begin(t testing.TB, text string, m making, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t}
	o := Options{Plan: compiled(t, text), Seed: 7, Factories: m.factories, Observer: r}
	for _, c := range change {
		c(&o)
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Engine = e
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	e.Start()
	r.run(0)
	return r
}

// run goes on by d.
func (r *rig) run(d time.Duration) {
	r.t.Helper()
	if err := r.Run(r.Now() + d); err != nil {
		r.t.Fatal(err)
	}
}

// ask asks and lets time pass until the answer has come.
func (r *rig) ask(name, msg string, payload any, o ...engine.CallOptions) Answer {
	r.t.Helper()
	var got *Answer
	o = append(o, engine.CallOptions{})
	r.Ask(name, engine.Msg{Type: msg, Payload: payload}, o[0], func(a Answer) { got = &a })
	for range 10000 {
		if got != nil {
			return *got
		}
		r.run(10 * time.Millisecond)
	}
	r.t.Fatalf("ask %s %s: no answer by %s", name, msg, r.Now())
	return Answer{}
}

// story tells the events, each as journal.Describe does, without those that tell nothing to this test.
func (r *rig) story(types ...journal.Type) string {
	var b strings.Builder
	for _, e := range r.events {
		for _, t := range types {
			if e.Type == t || t == 0 {
				fmt.Fprintf(&b, "%v %s %s\n", time.Unix(0, e.Time).UTC().Format("05.000"), e.Actor, journal.Describe(e))
			}
		}
	}
	return b.String()
}

// of counts the events of a type about an actor, "" for any.
func (r *rig) of(t journal.Type, actor string) int {
	n := 0
	for _, e := range r.events {
		if e.Type == t && (actor == "" || e.Actor == actor) {
			n++
		}
	}
	return n
}

func kindOf(err error) string {
	if e := engine.ErrorOf(err, ""); e != nil {
		return e.Kind
	}
	return ""
}
