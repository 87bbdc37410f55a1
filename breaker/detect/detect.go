// Package detect finds values that are unlike those before them: online, in one pass, in constant memory and without
// allocation. A Detector learns what is normal from the very stream it judges.
//
// The same samples give the same scores on every platform: products stand in float64() so that no compiler fuses them into
// another rounding, and the logarithm is the package's own.
package detect

import (
	"errors"
	"fmt"
	"slices"
)

// Detector judges a stream of samples. It is used by one goroutine at a time.
type Detector interface {
	// Observe takes the next sample and judges it by what came before. A sample that is not finite is ignored.
	Observe(x float64) Result
	// Follow takes over what another detector of the same kind and window has learned; others are ignored.
	Follow(old Detector)
}

// Result is what a detector says of one sample.
type Result struct {
	Score float64 // 0 usual, 1 as strange as can be; 0 while it is still learning
	Alert bool    // the detector's own threshold was passed, and often enough in a row
}

// Config chooses a detector. Zero fields have the detector's own defaults.
type Config struct {
	Name        string  // one of Names
	Threshold   float64 // zscore and spike: standard deviations (3); shift: accumulated ones (25); record: shares of the range (0.1)
	Consecutive int     // samples in a row beyond the threshold until it alerts; zscore 3, others 1
	Window      int     // zscore: samples compared with (100), 10 to MaxWindow; no meaning to others
}

// MaxWindow bounds the memory of a detector with a window.
const MaxWindow = 10_000

// ErrConfig is wrapped by every error of New.
var ErrConfig = errors.New("detect: invalid detector")

// Names lists the detectors.
func Names() []string { return []string{"record", "shift", "spike", "zscore"} }

// New returns a detector that has learned nothing yet.
func New(c Config) (Detector, error) {
	switch {
	case !slices.Contains(Names(), c.Name):
		return nil, fmt.Errorf("%w: name is %q, want one of %q", ErrConfig, c.Name, Names())
	case !(c.Threshold >= 0) || c.Threshold > 1e6:
		return nil, fmt.Errorf("%w: threshold is %v, want more than 0 and at most 1e6", ErrConfig, c.Threshold)
	case c.Consecutive < 0 || c.Consecutive > MaxWindow:
		return nil, fmt.Errorf("%w: consecutive is %d, want 1 to %d", ErrConfig, c.Consecutive, MaxWindow)
	case c.Window != 0 && (c.Window < 10 || c.Window > MaxWindow):
		return nil, fmt.Errorf("%w: window is %d, want 10 to %d", ErrConfig, c.Window, MaxWindow)
	}
	switch c.Name {
	case "zscore":
		return newZScore(c), nil
	case "shift":
		return &shift{limit: either(c.Threshold, 25), row: row{need: max(1, c.Consecutive)}}, nil
	case "spike":
		return &spike{limit: either(c.Threshold, 3), row: row{need: max(1, c.Consecutive)}}, nil
	}
	return &record{limit: either(c.Threshold, 0.1), row: row{need: max(1, c.Consecutive)}}, nil
}

func either(given, standard float64) float64 {
	if given == 0 {
		return standard
	}
	return given
}

// row counts samples in a row beyond the threshold.
type row struct{ need, have int }

// beyond counts one sample and reports whether there are enough of them.
func (r *row) beyond(is bool) bool {
	if !is {
		r.have = 0
		return false
	}
	r.have = min(r.have+1, r.need)
	return r.have == r.need
}

// finite reports whether x is a number to learn from.
func finite(x float64) bool { return x-x == 0 }

// graded maps a distance to a score: 0.5 at the limit, towards 1 beyond.
func graded(distance, limit float64) float64 {
	if distance <= 0 {
		return 0
	}
	return distance / (distance + limit)
}

// moving is an exponentially weighted mean and variance. Its first samples weigh alike, until one weighs alpha; trust scales
// the weight of a sample, 1 for an ordinary one.
type moving struct {
	n        int
	mean     float64
	variance float64
}

func (m *moving) add(x, alpha, trust float64) {
	m.n++
	weight := max(alpha, 1/float64(m.n)) * trust
	delta := x - m.mean
	m.mean += float64(weight * delta)
	m.variance = float64((1 - weight) * (m.variance + float64(weight*float64(delta*delta))))
}
