package detect

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Param is one setting of a detector.
type Param struct {
	Name     string
	Default  float64
	Min, Max float64
	Whole    bool // only whole numbers
	Doc      string
}

// MaxWindow bounds the memory of a detector with a window, and every count.
const MaxWindow = 10_000

// Params lists a detector's settings, nil for an unknown name.
func Params(name string) []Param {
	common := func(threshold float64, unit string, consecutive, refractory float64) []Param {
		return []Param{
			{"threshold", threshold, 1e-6, 1e6, false, unit},
			{"consecutive", consecutive, 1, MaxWindow, true, "samples in a row beyond the threshold until it alerts"},
			{"refractory", refractory, 0, MaxWindow, true, "samples after an alert without another one"},
		}
	}
	both := Param{"both", 0, 0, 1, true, "1: values that are too low are strange too"}
	warmUp := func(samples float64) Param {
		return Param{"warm_up", samples, 10, MaxWindow, true, "samples before it judges"}
	}
	switch name {
	case "zscore":
		return append(common(3, "standard deviations of the window", 3, 30), both,
			Param{"window", 100, 10, MaxWindow, true, "samples compared with"})
	case "shift":
		return append(common(25, "standard deviations that have added up", 1, 0), warmUp(30),
			Param{"alpha", 0.005, 1e-6, 0.5, false, "weight of a new sample; a tenth of it while something is suspected"},
			Param{"slack", 1, 0, 100, false, "standard deviations that add nothing"},
			Param{"excess", 0.005, 0, 1e9, false, "less than this above the mean is no shift; in the unit of the samples, seconds for durations"})
	case "spike":
		return append(common(5, "standard deviations of the moving mean", 1, 30), both, warmUp(30),
			Param{"alpha", 0.01, 1e-6, 0.5, false, "weight of a new sample"},
			Param{"floor", 0, 0, 1e18, false, "least standard deviation, so that a first small change is nothing"})
	case "record", "novelty":
		return append(common(0.25, "shares of the range beyond its end", 1, 30), both, warmUp(100),
			Param{"forget", 0.0002, 0, 0.1, false, "of the range, for each sample"},
			Param{"floor", 0, 0, 1e18, false, "least width of a range, so that a first small change is nothing"},
			Param{"season", 86400, 0, 1e9, false, "seconds after which the values come again; 0: none"})
	}
	return nil
}

// settle gives the complete settings.
func settle(name string, known []Param, given map[string]float64) (map[string]float64, error) {
	s := make(map[string]float64, len(known))
	names := make([]string, len(known))
	for i, p := range known {
		s[p.Name], names[i] = p.Default, p.Name
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		at, value := slices.Index(names, key), given[key]
		if at < 0 {
			return nil, fmt.Errorf("%w: %s has no %q, it has %q", ErrConfig, name, key, names)
		}
		p := known[at]
		if !(value >= p.Min && value <= p.Max) || p.Whole && value != math.Trunc(value) {
			kind := "a number"
			if p.Whole {
				kind = "a whole number"
			}
			return nil, fmt.Errorf("%w: %s of %s is %v, want %s from %v to %v (%s)", ErrConfig, key, name, value, kind, p.Min, p.Max, p.Doc)
		}
		s[key] = value
	}
	return s, nil
}
