package live

import (
	"testing"

	"pgregory.net/rapid"
)

// A table of paths behaves as a map from paths to actors.
func TestPathsAreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, model := newPaths(nil, nil), map[string]*actor{}
		name := rapid.StringMatching("[a-e]{1,3}")
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			path := name.Draw(t, "path")
			if rapid.IntRange(0, 2).Draw(t, "do") > 0 {
				a := &actor{path: path}
				p.put(a)
				model[path] = a
			} else {
				p.remove(path)
				delete(model, path)
			}
		}
		if p.n != len(model) || len(p.slots)*3/4 < p.n {
			t.Fatalf("%d actors in %d slots, want %d", p.n, len(p.slots), len(model))
		}
		for path := range model {
			if p.find(path) != model[path] {
				t.Fatalf("%q is another's or lost", path)
			}
		}
		if path := name.Draw(t, "other"); p.find(path) != model[path] {
			t.Fatalf("%q: found %v", path, p.find(path))
		}
	})
}
