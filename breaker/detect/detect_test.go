package detect

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestLogarithmIsRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(1e-9, 1e9).Draw(t, "x")
		if got, want := ln(x), math.Log(x); math.Abs(got-want) > 4e-16*max(1, math.Abs(want)) {
			t.Fatalf("ln(%v) is %v, want %v", x, got, want)
		}
	})
	for x, want := range map[float64]uint64{2: 0x3fe62e42fefa39ef, 10: 0x40026bb1bbb55515, 0.001: 0xc01ba18a998fffa0} {
		if got := math.Float64bits(ln(x)); got != want {
			t.Errorf("ln(%v) is %#x, want %#x as on every platform", x, got, want)
		}
	}
}

// noise is a steady stream around 100 ms.
func noise(seed uint64) func() float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	return func() float64 { return 0.1 * math.Exp(r.NormFloat64()*0.2) }
}

func TestDetectorsAlertOnWhatTheyAreFor(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				d, err := New(Config{Name: name})
				if err != nil {
					t.Fatal(err)
				}
				usual := noise(seed)
				for i := range 2000 {
					if got := d.Observe(usual()); got.Alert && i < fewest {
						t.Fatalf("seed %d: alert at sample %d, before it can know", seed, i)
					}
				}
				alerted := false
				for range 50 {
					got := d.Observe(usual() * 10)
					alerted = alerted || got.Alert
					if got.Score < 0 || got.Score > 1 {
						t.Fatalf("score %v", got.Score)
					}
				}
				if !alerted {
					t.Errorf("seed %d: ten times slower was not noticed", seed)
				}
			}
		})
	}
}

// TestShiftIsCalm is why shift is the default on latency: it hardly ever alerts without cause.
func TestShiftIsCalm(t *testing.T) {
	alerts := 0
	for seed := range uint64(20) {
		d, _ := New(Config{Name: "shift"})
		usual := noise(seed)
		for range 5000 {
			if d.Observe(usual()).Alert {
				alerts++
			}
		}
	}
	if alerts > 1 {
		t.Errorf("%d false alerts in 100,000 samples", alerts)
	}
}

func TestOneSampleIsNoShift(t *testing.T) {
	for _, name := range []string{"zscore", "shift"} {
		d, _ := New(Config{Name: name})
		for range 200 {
			d.Observe(0.1)
		}
		if d.Observe(50).Alert {
			t.Errorf("%s alerts on a single sample", name)
		}
	}
}

func TestSpikeAlertsOnceForAnIncident(t *testing.T) {
	d, _ := New(Config{Name: "spike"})
	usual, alerts := noise(1), 0
	for range 500 {
		d.Observe(usual())
	}
	for range 20 {
		if d.Observe(5).Alert {
			alerts++
		}
	}
	if alerts != 1 {
		t.Errorf("%d alerts for one incident", alerts)
	}
}

func TestFollowTakesOverWhatWasLearned(t *testing.T) {
	for _, name := range Names() {
		old, _ := New(Config{Name: name})
		usual := noise(3)
		for range 1000 {
			old.Observe(usual())
		}
		same, _ := New(Config{Name: name})
		same.Follow(old)
		tuned, _ := New(Config{Name: name, Threshold: 1e6})
		tuned.Follow(old)
		for range 300 {
			x := usual() * 20
			want := old.Observe(x)
			if got := same.Observe(x); got != want {
				t.Fatalf("%s: got %v, want %v", name, got, want)
			}
			if tuned.Observe(x).Alert {
				t.Fatalf("%s: the old threshold was taken over", name)
			}
		}
	}
}

func TestDetectorsSurviveAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, err := New(Config{Name: rapid.SampledFrom(Names()).Draw(t, "name")})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-1e12, 1e12), rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1), math.Inf(-1), 1e-300})), 0, 300).Draw(t, "samples") {
			if got := d.Observe(x); !(got.Score >= 0 && got.Score <= 1) {
				t.Fatalf("score %v for %v", got.Score, x)
			}
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []Config{{Name: "x"}, {Name: "zscore", Window: 5}, {Name: "spike", Threshold: -1}, {Name: "shift", Threshold: math.NaN()}, {Name: "record", Consecutive: -1}} {
		if _, err := New(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v gives %v", c, err)
		}
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	for _, name := range Names() {
		d, _ := New(Config{Name: name})
		if n := testing.AllocsPerRun(1000, func() { d.Observe(0.1) }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			d, _ := New(Config{Name: name})
			usual := noise(1)
			samples := make([]float64, 1024)
			for i := range samples {
				samples[i] = usual()
			}
			for i := 0; b.Loop(); i++ {
				d.Observe(samples[i%1024])
			}
		})
	}
}

func TestZScoreIsWhatTheTextbookSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := newZScore(Config{Window: 20})
		var seen []float64
		for _, x := range rapid.SliceOfN(rapid.Float64Range(0, 100), 30, 90).Draw(t, "samples") {
			got := z.distance(x)
			if recent := seen[max(0, len(seen)-20):]; len(recent) >= fewest {
				mean, square := 0.0, 0.0
				for _, v := range recent {
					mean += v / float64(len(recent))
				}
				for _, v := range recent {
					square += (v - mean) * (v - mean) / float64(len(recent))
				}
				if deviation := math.Sqrt(square); deviation > 0.5 && math.Abs(got-(x-mean)/deviation) > 1e-6 {
					t.Fatalf("distance %v, want %v", got, (x-mean)/deviation)
				}
			}
			z.learn(x)
			seen = append(seen, x)
		}
	})
}

func TestShiftHardlyLearnsWhatItSuspects(t *testing.T) {
	s := &shift{limit: 1e6, row: row{need: 1}}
	usual := noise(5)
	for range 500 {
		s.Observe(usual())
	}
	before := s.log.mean
	for range 50 {
		s.Observe(0.5)
	}
	if moved := s.log.mean - before; moved > 0.05 {
		t.Errorf("the mean moved by %v while a shift was suspected", moved)
	}
}
