package plan_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// TestDiffIsWhatChanged changes random values of two plans. Applying the differences to the leaves of one must give the
// leaves of the other, and there are differences exactly when the digests differ.
func TestDiffIsWhatChanged(t *testing.T) {
	var changes []func(reflect.Value)
	mutate(t, reflect.ValueOf(full(t)).Elem(), "", func(path string, change func(reflect.Value)) {
		q := full(t)
		change(reflect.ValueOf(q).Elem())
		if q.Seal() == nil && q.Actors[1].Name == "resize-0" && q.Name == "checkout" {
			changes = append(changes, change)
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		plans := [2]*plan.Plan{full(t), full(t)}
		for i := range plans {
			for _, n := range rapid.SliceOfN(rapid.IntRange(0, len(changes)-1), 0, 4).Draw(rt, "changes") {
				changes[n](reflect.ValueOf(plans[i]).Elem())
			}
			if err := plans[i].Seal(); err != nil {
				rt.Skip(err)
			}
		}
		diff := plan.Diff(plans[0], plans[1])
		if (len(diff) == 0) != (plans[0].Digest() == plans[1].Digest()) {
			rt.Fatalf("digests %v and %v, but differences %v", plans[0].Digest(), plans[1].Digest(), diff)
		}
		got, want := leaves(plans[0]), leaves(plans[1])
		for _, c := range diff {
			if c.Old == "removed" || c.New == "added" {
				rt.Skip("an element came or went as a whole")
			}
			if got[c.Path] != c.Old {
				rt.Fatalf("%s was %q, the difference says %q", c.Path, got[c.Path], c.Old)
			}
			got[c.Path] = c.New
		}
		for path, text := range want {
			if got[path] != text {
				rt.Fatalf("%s is %q after the differences, want %q", path, got[path], text)
			}
		}
	})
}

func leaves(p *plan.Plan) map[string]string {
	out := map[string]string{}
	for _, l := range p.Leaves() {
		out[l.Path] = l.Text
	}
	return out
}

// wide is a plan of n worker processes under supervisors of 100.
func wide(t testing.TB, n int) *plan.Plan {
	p := &plan.Plan{Name: "wide", Actors: []plan.Actor{{
		Name: "root", Path: "root", Parent: -1, Definition: &plan.Definition{
			Kind:       plan.Supervisor,
			Supervisor: &plan.SupervisorSpec{Strategy: plan.OneForOne},
		}}}}
	under := 0
	for i := range n {
		if i%100 == 0 {
			under = add(p, 0, plan.Actor{
				Name: fmt.Sprintf("s%d", i/100), Definition: &plan.Definition{
					Kind:       plan.Supervisor,
					Supervisor: &plan.SupervisorSpec{Strategy: plan.RestForOne},
				}})
		}
		w := worker(i, 0)
		w.Group, w.Guard = "", &plan.Guard{Name: w.Name, Timeout: time.Second, Breaker: &plan.Breaker{Name: w.Name}}
		add(p, under, w)
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

func add(p *plan.Plan, parent int, a plan.Actor) int {
	s := p.Actors[parent].Supervisor
	a.Parent, a.Path, a.Order = parent, p.Actors[parent].Path+"/"+a.Name, len(s.Children)
	s.Children = append(s.Children, len(p.Actors))
	p.Actors = append(p.Actors, a)
	return len(p.Actors) - 1
}

func BenchmarkSeal10k(b *testing.B) {
	p := wide(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Seal(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeaves10k(b *testing.B) {
	p := wide(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		b.ReportMetric(float64(len(p.Leaves())), "leaves")
	}
}

func BenchmarkDiff10k(b *testing.B) {
	p, q := wide(b, 10_000), wide(b, 10_000)
	q.Actors[5000].Guard = nil
	if err := q.Seal(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(plan.Diff(p, q)) == 0 {
			b.Fatal("no difference")
		}
	}
}
