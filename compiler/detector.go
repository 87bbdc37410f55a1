package compiler

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/breaker/detect"
	"github.com/lukhasai/lukhas-run/spec"
)

// anomaly wires a detector into a breaker. The one in the plan is only a pattern, which has learned nothing; Fresh gives
// each breaker its own.
type anomaly struct {
	name   string
	params map[string]float64
	of     string // latency, error_rate, slow_rate, calls, in_flight

	detector detect.Detector
	alert    bool    // since it was last asked
	score    float64 // of the sample that alerted
}

// detector compiles trip.anomaly; nil when the detector cannot work here, which has then been reported.
func (c *compiler) detector(v *spec.Value) []breaker.Trigger {
	a := &anomaly{name: v.Entry("detector").Text(), of: v.At("of").Text(), params: map[string]float64{}}
	if v.Entry("detector") == nil {
		a.name = "spike"
		if a.of == "latency" {
			a.name = "shift"
		}
	}
	switch {
	case a.name == "novelty":
		c.errorf("LR222", v.Entry("detector").Pos, "novelty needs days of history, and a breaker has seconds; use shift or spike")
		return nil
	case a.name == "shift" && a.of != "latency":
		c.errorf("LR222", place(v.Entry("detector"), v), "shift judges durations, and %s is none; use spike", a.of)
		return nil
	}
	if !c.detectorParams(a, v) {
		return nil
	}
	a.suit(v.Entry("params"))
	return []breaker.Trigger{a}
}

// suit sets what the author left open as a breaker needs it.
func (a *anomaly) suit(given *spec.Value) {
	if a.name == "record" && given.Entry("season") == nil {
		a.params["season"] = 0 // calls of one breaker come too close together for a day to say anything
	}
	if a.name == "spike" && given.Entry("floor") == nil && strings.HasSuffix(a.of, "_rate") {
		a.params["floor"] = 0.02 // the first failure after a long calm is no incident
	}
}

// detectorParams takes the settings over, each checked where it stands.
func (c *compiler) detectorParams(a *anomaly, v *spec.Value) bool {
	entries := v.Entry("params").Entries()
	for _, name := range []string{"threshold", "consecutive"} {
		if e := v.Entry(name); e != nil {
			entries = append(entries, spec.Entry{Key: name, Value: e})
		}
	}
	fine := true
	for _, e := range entries {
		value := e.Value.Float()
		if _, twice := a.params[e.Key]; twice {
			c.errorf("LR208", e.Value.Pos, "%s stands in params too", e.Key)
			fine = false
		}
		if _, err := detect.New(a.name, map[string]float64{e.Key: value}); err != nil {
			c.errorf("LR208", e.Value.Pos, "%s", strings.TrimPrefix(err.Error(), detect.ErrConfig.Error()+": "))
			fine = false
		}
		a.params[e.Key] = value
	}
	return fine
}

// Name is what transitions are attributed to.
func (a *anomaly) Name() string { return "anomaly" }

// String tells the detector and its settings, so that a plan with others has another digest.
func (a *anomaly) String() string {
	text := a.name + " of " + a.of
	for _, key := range slices.Sorted(maps.Keys(a.params)) {
		text += fmt.Sprintf(", %s %v", key, a.params[key])
	}
	return text
}

// Needs is what the detector watches beyond the cheap counts.
func (a *anomaly) Needs() breaker.Needs { return breaker.Needs{InFlight: a.of == "in_flight"} }

// Fresh gives a breaker its own detector, which takes over what the one before it has learned of the same quantity.
func (a *anomaly) Fresh(old breaker.Trigger) breaker.Trigger {
	own := &anomaly{name: a.name, params: a.params, of: a.of}
	detector, err := detect.New(a.name, a.params)
	if err != nil {
		return own // the compiler has built one of these settings before
	}
	own.detector = detector
	if before, ok := old.(*anomaly); ok && before.of == a.of && before.detector != nil {
		detector.Follow(before.detector)
	}
	return own
}

// Sample shows the detector how long a call took.
func (a *anomaly) Sample(now int64, took time.Duration, _ breaker.Outcome) {
	if a.of == "latency" {
		a.observe(now, took.Seconds())
	}
}

func (a *anomaly) observe(now int64, x float64) {
	if a.detector == nil {
		return
	}
	got := a.detector.Observe(time.Duration(now), x)
	if got.Alert {
		a.alert, a.score = true, got.Score
	}
}

// Trip opens on an alert since it was last asked. Rates are sampled once for each bucket of the window, because between
// boundaries they are nearly the same value.
func (a *anomaly) Trip(s breaker.Stats) (bool, string) {
	if s.Boundary {
		switch a.of {
		case "error_rate":
			a.observe(s.Now, s.ErrorRate())
		case "slow_rate":
			a.observe(s.Now, s.SlowRate())
		case "calls":
			a.observe(s.Now, float64(s.Calls))
		case "in_flight":
			a.observe(s.Now, float64(s.InFlight))
		}
	}
	alert := a.alert
	a.alert = false
	if !alert {
		return false, ""
	}
	return true, fmt.Sprintf("%s score %.2f", a, a.score)
}
