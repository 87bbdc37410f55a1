package engine

import "testing"

// Actors whose definitions say the same of restarts and stops share that, and a reload gives each what its new definition says.
func TestEqualTermsAreShared(t *testing.T) {
	grow := func(lines ...string) *Machine {
		p, err := growPlan(append([]string{"root"}, lines...))
		if err != nil {
			t.Fatal(err)
		}
		m := NewMachine()
		bootAll(m, p, nil)
		return m
	}
	m := grow("  a", "  b never", "  c", "  d significant", "  e backoff=1s")
	of := func(path string) *terms { return m.roster.byIndex[m.plan.Index("root/"+path)].terms }
	if of("a") != of("c") {
		t.Error("equal definitions have terms of their own")
	}
	for _, other := range []string{"b", "d", "e"} {
		if of("a") == of(other) {
			t.Errorf("%s has the terms of a, which differ", other)
		}
	}
	next := grow("  a", "  b", "  c never", "  d", "  e backoff=1s").plan
	m.Step(m.now, Reloaded{Plan: next, Generation: 2}, nil)
	for _, a := range m.roster.byIndex {
		if want := (terms{a.def.Restart, a.def.Shutdown, a.def.Significant}); *a.terms != want {
			t.Errorf("%s has the terms %v after a reload, want %v", a.def.Path, *a.terms, want)
		}
	}
	if of("a") != of("b") || m.roster.accords.known != nil {
		t.Error("a reload does not share, or keeps, its table of terms")
	}
}

// What is remembered of an incident is found as long as it is remembered, and no longer.
func TestIncidentsAreKnownWhileRemembered(t *testing.T) {
	var c contagion
	for i := range uint64(3 * maxSetbacks) {
		c.add(setback{incident: hashed("i-" + string(rune(i)))})
		if first := max(i, maxSetbacks-1) - (maxSetbacks - 1); !c.knows(hashed("i-"+string(rune(i)))) || !c.knows(hashed("i-"+string(rune(first)))) {
			t.Fatalf("after %d setbacks one that is remembered is not known", i+1)
		}
	}
	strangers := 0
	for i := range uint64(10_000) {
		if c.knows(hashed("j-" + string(rune(i)))) {
			strangers++
		}
	}
	if strangers > 150 {
		t.Errorf("%d of 10,000 strangers are taken for known", strangers)
	}
	for range maxSetbacks {
		c.add(setback{})
	}
	if c.knows(hashed("i-" + string(rune(3*maxSetbacks-1)))) {
		t.Error("a forgotten incident is known")
	}
}
