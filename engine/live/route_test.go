package live

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A group's members stand by their number, and what a reader has loaded never changes under it.
func TestMembersStandByNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &group{}
		g.members.Store(new([]*actor))
		model := map[int]*actor{}
		var loaded, copies [][]*actor
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			number := rapid.IntRange(0, 12).Draw(t, "number")
			switch a := model[number]; {
			case a != nil:
				g.part(a)
				delete(model, number)
			default:
				model[number] = &actor{}
				g.join(model[number], number)
			}
			now := *g.members.Load()
			loaded, copies = append(loaded, now), append(copies, slices.Clone(now))
			var want []*actor
			for n := range 13 {
				if a := model[n]; a != nil {
					want = append(want, a)
				}
			}
			if !slices.Equal(now, want) || len(g.numbers) != len(want) {
				t.Fatalf("members %v, want %v", now, want)
			}
		}
		for i := range loaded {
			if !slices.Equal(loaded[i], copies[i]) {
				t.Fatalf("what was loaded at step %d has changed", i)
			}
		}
	})
}
