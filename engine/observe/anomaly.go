package observe

import (
	"time"

	"github.com/lukhasai/lukhas-run/breaker/detect"
	"github.com/lukhasai/lukhas-run/rules"
)

// watch holds the detectors of one actor.
type watch struct {
	errors, latency, mailbox, memory lazy
	value                            float64
}

// lazy is a detector that is made when there is something to learn, since most actors of a large system have nothing to
// tell. The zeros before are told to it then.
type lazy struct {
	detector detect.Detector
	zeros    int
}

const (
	watchedCalls   = 10   // calls in the window from which on an error rate says something
	watchedRate    = 0.02 // least deviation of an error rate: the first failure after a long calm is no incident
	watchedMailbox = 0.05 // least range of a mailbox, of its capacity
	watchedMemory  = 16 << 20
	watchedZeros   = 150  // enough of them for any warm-up
	anomalyFade    = 0.93 // of the value is left after a usual sample: half of it after ten
	anomalyLeast   = 0.01 // what has faded below is over
)

// observe judges what an actor's counters say and gives its anomaly: 1 at an alert, held while it lasts, fading after it.
func (w *watch) observe(now time.Duration, a rules.Actor, fresh delta, mean float64) float64 {
	var all verdict
	if a.Calls >= watchedCalls {
		all.add(w.errors.observe(now, a.ErrorRate, func() detect.Detector { return spikes(watchedRate) }))
	}
	if fresh.calls > 0 && mean > 0 {
		all.add(w.latency.observe(now, mean, shifts))
	}
	all.add(w.mailbox.observe(now, a.Mailbox, func() detect.Detector { return records(watchedMailbox * a.Capacity) }))
	all.add(w.memory.observe(now, a.Memory, func() detect.Detector { return records(watchedMemory) }))
	switch {
	case all.alert:
		w.value = 1
	case !all.lasts:
		w.value = float64(w.value * anomalyFade)
		if w.value < anomalyLeast {
			w.value = 0
		}
	}
	return w.value
}

// verdict sums up what an actor's detectors say.
type verdict struct{ alert, lasts bool }

func (v *verdict) add(r detect.Result) {
	v.alert = v.alert || r.Alert
	v.lasts = v.lasts || r.Known && r.Score >= 0.5
}

func (l *lazy) observe(now time.Duration, x float64, make func() detect.Detector) detect.Result {
	if l.detector == nil {
		if x == 0 {
			l.zeros = min(l.zeros+1, watchedZeros)
			return detect.Result{}
		}
		l.detector = make()
		for range l.zeros {
			l.detector.Observe(now, 0)
		}
	}
	return l.detector.Observe(now, x)
}

func shifts() detect.Detector { return known("shift", nil) }

func spikes(floor float64) detect.Detector {
	return known("spike", map[string]float64{"floor": floor})
}

func records(floor float64) detect.Detector {
	return known("record", map[string]float64{"season": 0, "floor": floor})
}

// known makes a detector of this file's own settings, which are right whatever the plan says.
func known(name string, params map[string]float64) detect.Detector {
	d, err := detect.New(name, params)
	if err != nil {
		panic(err)
	}
	return d
}
