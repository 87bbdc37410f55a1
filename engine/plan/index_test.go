package plan

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// An index finds what a map would, in the order of the actors, however often a text comes.
func TestIndexFindsWhatAMapWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[ab]{0,3}`), 0, 40).Draw(t, "names")
		actors := make([]Actor, len(names))
		x, model := newIndex(len(names), func(a *Actor) string { return a.Name }), map[string][]int{}
		for i, name := range names {
			actors[i].Name = name
			want := -1
			if m := model[name]; len(m) > 0 {
				want = m[len(m)-1]
			}
			if before := x.add(actors, i); before != want {
				t.Fatalf("add %d %q: %d came before, want %d", i, name, before, want)
			}
			model[name] = append(model[name], i)
		}
		for _, name := range append(names, "nobody") {
			if got := x.all(actors, name); !slices.Equal(got, model[name]) {
				t.Fatalf("%q is at %v, want %v", name, got, model[name])
			}
		}
	})
}
