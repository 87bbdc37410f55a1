package host

import (
	"testing"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/rules"
)

func TestALargeSampleIsSplitAndNothingIsLost(t *testing.T) {
	for _, n := range []int{0, 1, sampleSize, sampleSize + 1, 3*sampleSize + 7} {
		in := engine.Sampled{Actors: make([]rules.Actor, n), Breakers: make([]rules.Breaker, 2), System: rules.System{Generation: 4}}
		total, breakers := 0, 0
		for _, part := range split(in) {
			if len(part.Actors) > sampleSize || part.System.Generation != 4 {
				t.Errorf("%d actors: a part of %d, %+v", n, len(part.Actors), part.System)
			}
			total, breakers = total+len(part.Actors), breakers+len(part.Breakers)
		}
		if total != n || breakers != 2 {
			t.Errorf("%d actors became %d, 2 breakers became %d", n, total, breakers)
		}
	}
}
