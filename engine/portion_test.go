package engine

import (
	"slices"
	"testing"
	"time"
)

// A Machine that hands its effects over in portions decides the same as one that does not, in the same order, and never has more
// than a portion in hand while very many start or stop.
func TestPortionsAreTheWhole(t *testing.T) {
	p := widePlan(t, 5000, time.Second)
	for i := range p.Actors[1:] {
		p.Actors[i+1].Order = 0
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	inputs := []Input{Boot{Plan: p, Seed: 1}}
	for id := range ID(5000) {
		inputs = append(inputs, Started{ID: id + 2, Epoch: 1})
	}
	inputs = append(inputs, Shutdown{Why: "over"})
	run := func(portions bool) (told []string, most int) {
		m := NewMachine()
		hear := func(effects []Effect) {
			most = max(most, len(effects))
			for _, e := range effects {
				told = append(told, string(appendEffect(nil, e)))
			}
		}
		if portions {
			m.InPortions(hear)
		}
		var out []Effect
		for _, in := range inputs {
			out = m.Step(0, in, out[:0])
			hear(out)
		}
		return told, most
	}
	whole, _ := run(false)
	parts, most := run(true)
	if !slices.Equal(whole, parts) {
		t.Error("portions are not the whole")
	}
	if most > portion+portion/8 || most < portion {
		t.Errorf("%d effects at once, want about %d", most, portion)
	}
	if len(whole) < 4*5000 {
		t.Errorf("%d effects", len(whole))
	}
}
