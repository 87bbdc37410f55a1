// Package detect finds values that are unlike those before them: online, in one pass, in constant memory and without
// allocation. A Detector learns what is normal from the very stream it judges.
//
// The same samples give the same scores on every platform: products stand in float64() so that no compiler fuses them into
// another rounding, and the logarithm is the package's own.
package detect

import (
	"fmt"
	"time"
)

// Detector judges a stream of samples. It is used by one goroutine at a time.
type Detector interface {
	// Observe takes the next sample, seen at a time since any fixed moment, and judges it by what came before. Only record
	// and novelty look at the time, for their season. A sample that is not finite is ignored.
	Observe(at time.Duration, x float64) Result
	// Follow takes over what another detector of the same kind and memory has learned, not its settings; others are ignored.
	Follow(old Detector)
}

// Result is what a detector says of one sample.
type Result struct {
	Score float64 // 0 usual, 0.5 at the detector's own threshold, towards 1 beyond; 0 while it is still learning
	Alert bool    // the threshold was passed, often enough in a row, and no alert came shortly before
	Known bool    // the sample falls into the refractory time of an alert before it
}

// Names lists the detectors.
func Names() []string { return []string{"novelty", "record", "shift", "spike", "zscore"} }

// New returns a detector that has learned nothing yet. Params holds settings by name, those left out have the defaults
// that Params tells. The error wraps ErrConfig and names the setting, its value and what it may be.
func New(name string, params map[string]float64) (Detector, error) {
	known := Params(name)
	if known == nil {
		return nil, fmt.Errorf("%w: name is %q, want one of %q", ErrConfig, name, Names())
	}
	s, err := settle(name, known, params)
	if err != nil {
		return nil, err
	}
	g := gate{need: int(s["consecutive"]), rest: int(s["refractory"])}
	switch name {
	case "zscore":
		return &zscore{limit: s["threshold"], gate: g, both: s["both"] == 1, ring: make([]float64, int(s["window"]))}, nil
	case "shift":
		return &shift{limit: s["threshold"], gate: g, alpha: s["alpha"], slack: s["slack"], excess: s["excess"], warmUp: int(s["warm_up"])}, nil
	case "spike":
		return &spike{limit: s["threshold"], gate: g, both: s["both"] == 1, alpha: s["alpha"], floor: s["floor"], warmUp: int(s["warm_up"])}, nil
	case "record":
		return &record{limit: s["threshold"], gate: g, ranges: newRanges(s)}, nil
	default:
		return &novelty{limit: s["threshold"], gate: g, ranges: newRanges(s), shapes: [...]matcher{{block: 4}, {block: 24}}}, nil
	}
}

// usable gives the sample to learn from, none for one that is not finite. What is beyond any measure counts as 1e100, so that
// no square or sum overflows.
func usable(x float64) (float64, bool) { return min(max(x, -1e100), 1e100), finite(x) }

func finite(x float64) bool { return x-x == 0 }

// graded maps a distance to a score: 0.5 at the limit, towards 1 beyond.
func graded(distance, limit float64) float64 {
	switch {
	case !(distance > 0):
		return 0
	case !finite(distance):
		return 1
	}
	return distance / (distance + limit)
}

// sided is the distance that counts: upwards, or, if both sides do, in either direction.
func sided(distance float64, both bool) float64 {
	if both && distance < 0 {
		return -distance
	}
	return distance
}
