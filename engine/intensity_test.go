package engine

import (
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// The edge of the span still counts, to the nanosecond or, as OTP 25 has it, to the whole second.
func TestIntensityEdges(t *testing.T) {
	limit := plan.Intensity{Max: 1, Within: 2 * time.Second}
	for _, c := range []struct {
		first, second  time.Duration
		whole, tooMany bool
	}{
		{0, 2 * time.Second, false, true},
		{0, 2*time.Second + 1, false, false},
		{0, 2*time.Second + 999*time.Millisecond, true, true},
		{0, 3 * time.Second, true, false},
		{900 * time.Millisecond, 3 * time.Second, true, false},
	} {
		var s spell
		if s.add(c.first, limit, c.whole) {
			t.Fatal("the first restart was one too many")
		}
		if got := s.add(c.second, limit, c.whole); got != c.tooMany {
			t.Errorf("%s after %s, whole seconds %v: too many is %v", c.second, c.first, c.whole, got)
		}
	}
}

// Restarts without a backoff do not spin at one instant for ever.
func TestRestartsTakeABreather(t *testing.T) {
	p := widePlan(t, 1, time.Minute)
	p.Actors[1].Restart.Backoff = plan.Backoff{}
	m := NewMachine()
	bootAll(m, p, nil)
	for epoch := Epoch(1); epoch <= 2*maxTurns; epoch++ {
		for _, e := range m.Step(time.Second, Exited{ID: 2, Epoch: epoch, Failure: &Failure{Kind: KindExit}}, nil) {
			if set, ok := e.(*SetTimer); ok {
				if epoch != maxTurns || set.At != time.Second+breather {
					t.Errorf("restart %d waits until %s", epoch, set.At)
				}
				return
			}
		}
	}
	t.Error("200 restarts were made at one instant")
}
