package compiler

import (
	"fmt"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/breaker/detect"
	"github.com/lukhasai/lukhas-run/spec"
)

// anomaly wires a detector into a breaker. The one in the plan is only a pattern, which has learned nothing; Fresh gives
// each breaker its own.
type anomaly struct {
	config detect.Config
	of     string // latency, error_rate, slow_rate, calls, in_flight

	detector detect.Detector
	alert    bool // since it was last asked
	score    float64
}

// detector compiles trip.anomaly; nil when the detector cannot work here, which has then been reported.
func (c *compiler) detector(v *spec.Value) []breaker.Trigger {
	a := &anomaly{of: v.At("of").Text()}
	a.config = detect.Config{
		Name: v.Entry("detector").Text(), Threshold: v.Entry("threshold").Float(), Consecutive: int(v.Entry("consecutive").Int()),
		Window: int(v.Entry("window").Int()),
	}
	if v.Entry("detector") == nil {
		a.config.Name = "spike"
		if a.of == "latency" {
			a.config.Name = "shift"
		}
	}
	switch window := v.Entry("window"); {
	case a.config.Name == "novelty":
		c.errorf("LR222", v.Entry("detector").Pos, "novelty needs days of history, and a breaker has seconds; use shift or spike")
		return nil
	case a.config.Name == "shift" && a.of != "latency":
		c.errorf("LR222", place(v.Entry("detector"), v), "shift judges durations, and %s is none; use spike", a.of)
		return nil
	case window != nil && a.config.Name != "zscore":
		c.warnf("LR226", window.Pos, "window has no effect on %s, which remembers by weight; only zscore has one", a.config.Name)
		a.config.Window = 0
	}
	if threshold := v.Entry("threshold"); threshold != nil && a.config.Threshold == 0 {
		c.errorf("LR208", threshold.Pos, "threshold 0 would always alert; remove it to use the detector's own")
		return nil
	}
	if _, err := detect.New(a.config); err != nil {
		c.errorf("LR208", v.Pos, "%v", err)
		return nil
	}
	return []breaker.Trigger{a}
}

// Name is what transitions are attributed to.
func (a *anomaly) Name() string { return "anomaly" }

// String tells the detector and its settings, so that a plan with others has another digest.
func (a *anomaly) String() string {
	text := a.config.Name + " of " + a.of
	for _, part := range []struct {
		name  string
		value float64
	}{{"threshold", a.config.Threshold}, {"consecutive", float64(a.config.Consecutive)}, {"window", float64(a.config.Window)}} {
		if part.value != 0 {
			text += fmt.Sprintf(", %s %v", part.name, part.value)
		}
	}
	return text
}

// Needs is what the detector watches beyond the cheap counts.
func (a *anomaly) Needs() breaker.Needs { return breaker.Needs{InFlight: a.of == "in_flight"} }

// Fresh gives a breaker its own detector, which takes over what the one before it has learned of the same quantity.
func (a *anomaly) Fresh(old breaker.Trigger) breaker.Trigger {
	own := &anomaly{config: a.config, of: a.of}
	detector, err := detect.New(a.config)
	if err != nil {
		return own // the compiler has built one of this config before
	}
	own.detector = detector
	if before, ok := old.(*anomaly); ok && before.of == a.of && before.detector != nil {
		detector.Follow(before.detector)
	}
	return own
}

// Sample shows the detector how long a call took.
func (a *anomaly) Sample(_ int64, took time.Duration, _ breaker.Outcome) {
	if a.of == "latency" {
		a.observe(took.Seconds())
	}
}

func (a *anomaly) observe(x float64) {
	if a.detector == nil {
		return
	}
	got := a.detector.Observe(x)
	a.score = got.Score
	a.alert = a.alert || got.Alert
}

// Trip opens on an alert since it was last asked. Rates are sampled once for each bucket of the window, because between
// boundaries they are nearly the same value.
func (a *anomaly) Trip(s breaker.Stats) (bool, string) {
	if s.Boundary {
		switch a.of {
		case "error_rate":
			a.observe(s.ErrorRate())
		case "slow_rate":
			a.observe(s.SlowRate())
		case "calls":
			a.observe(float64(s.Calls))
		case "in_flight":
			a.observe(float64(s.InFlight))
		}
	}
	alert := a.alert
	a.alert = false
	if !alert {
		return false, ""
	}
	return true, fmt.Sprintf("%s score %.2f", a, a.score)
}
