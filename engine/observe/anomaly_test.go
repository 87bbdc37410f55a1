package observe_test

import (
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/rules"
)

// life is an actor that is sampled each second.
type life struct {
	t        *testing.T
	windows  *observe.Windows
	now      time.Duration
	reading  observe.Reading
	anomaly  float64
	upstairs float64 // its supervisor's
}

func newLife(t *testing.T) *life {
	return &life{t: t, windows: observe.NewWindows(10*time.Second, limit), reading: observe.Reading{
		Actor: rules.Actor{Path: "root/a", Capacity: 1000}, Latency: make([]uint32, 400)}}
}

// second passes with so many calls, failures among them, each of so many milliseconds.
func (l *life) second(calls, failures uint64, ms int, mailbox float64) {
	l.reading.Calls += calls
	l.reading.Failures += failures
	l.reading.Latency[ms] += uint32(calls)
	l.reading.Actor.Mailbox = mailbox
	l.now += time.Second
	for _, a := range l.windows.Sample(l.now, []observe.Reading{l.reading}) {
		if a.Path == "root/a" {
			l.anomaly = a.Anomaly
		} else {
			l.upstairs = a.Anomaly
		}
	}
}

func TestAnomalyTellsWhatIsUnusualForAnActor(t *testing.T) {
	for name, strange := range map[string]func(*life, int){
		"errors":  func(l *life, _ int) { l.second(20, 15, 10, 0) },
		"latency": func(l *life, _ int) { l.second(20, 0, 60, 0) },
		"mailbox": func(l *life, i int) { l.second(20, 0, 10, float64(100*i)) },
		"memory":  func(l *life, _ int) { l.reading.Actor.Memory = 500 << 20; l.second(20, 0, 10, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t)
			l.reading.Actor.Memory = 100 << 20
			for i := range 300 {
				l.second(20+uint64(i%3), uint64(i%50/49), 9+i%3, float64(i%5))
				if l.anomaly != 0 {
					t.Fatalf("second %d: anomaly %v of an actor that is as always", i, l.anomaly)
				}
			}
			highest := 0.0
			for i := range 20 {
				strange(l, i)
				highest = max(highest, l.anomaly)
			}
			if highest != 1 || l.anomaly < 0.2 || l.upstairs != l.anomaly || l.windows.Anomaly() != l.anomaly {
				t.Errorf("anomaly rose to %v, is %v, its supervisor's %v", highest, l.anomaly, l.upstairs)
			}
			for range 120 {
				l.second(20, 0, 10, 0)
			}
			if l.anomaly != 0 {
				t.Errorf("anomaly is still %v two minutes after", l.anomaly)
			}
		})
	}
}

// A mailbox that was empty for ever has no detector; its first crowd is unusual all the same, its first message is not.
func TestTheFirstCrowdIsUnusual(t *testing.T) {
	for mailbox, want := range map[float64]float64{5: 0, 400: 1} {
		l := newLife(t)
		for range 200 {
			l.second(0, 0, 0, 0)
		}
		if l.second(0, 0, 0, mailbox); l.anomaly != want {
			t.Errorf("%v messages: anomaly %v, want %v", mailbox, l.anomaly, want)
		}
	}
}
