package detect

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

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

// TestZScoreAgreesWithItsDefinition compares with the mean and deviation of the window, computed anew each time.
func TestZScoreAgreesWithItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const window = 12
		d, _ := New("zscore", map[string]float64{"window": window})
		var past []float64
		for i, x := range rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 30, 60).Draw(t, "x") {
			want := 0.0
			if from := max(0, i-window); i >= fewest {
				m := moving{}
				for _, v := range past[from:] {
					m.mean += v / float64(i-from)
				}
				for _, v := range past[from:] {
					m.variance += (v - m.mean) * (v - m.mean) / float64(i-from)
				}
				want = graded((x-m.mean)/m.deviation(), 3)
			}
			if got := d.Observe(0, x).Score; math.Abs(got-want) > 1e-6 {
				t.Fatalf("sample %d: score %v, want %v", i, got, want)
			}
			past = append(past, x)
		}
	})
}

// TestScaleDoesNotMatter: measured in another unit, by a power of two so that nothing is rounded, the scores are the same.
func TestScaleDoesNotMatter(t *testing.T) {
	for _, name := range []string{"zscore", "spike", "record", "novelty"} {
		a, b := must(t, name, nil), must(t, name, nil)
		for i, s := range usualSeries()[2].make(5, 3000) {
			x := s.x
			if i > 2500 {
				x *= 2
			}
			if got, want := b.Observe(s.at, x*1024), a.Observe(s.at, x); got != want {
				t.Fatalf("%s: sample %d: %v, in another unit %v", name, i, want, got)
			}
		}
	}
}

func TestFollowTakesOverWhatWasLearned(t *testing.T) {
	for _, name := range Names() {
		old := must(t, name, nil)
		usual := usualSeries()[1].make(3, 1300)
		alerts(old, usual[:1000])
		same, tuned := must(t, name, nil), must(t, name, map[string]float64{"threshold": 1e6})
		same.Follow(old)
		tuned.Follow(old)
		for _, s := range usual[1000:] {
			want := old.Observe(s.at, s.x*20)
			if got := same.Observe(s.at, s.x*20); got != want {
				t.Fatalf("%s: got %v, want %v", name, got, want)
			}
			if tuned.Observe(s.at, s.x*20).Alert {
				t.Fatalf("%s: the old threshold was taken over", name)
			}
		}
		other := must(t, Names()[(len(name)+1)%len(Names())], nil)
		other.Follow(old) // of another kind, perhaps: nothing to take over, nothing to break
	}
}

func TestAnotherSeasonIsLearnedAnew(t *testing.T) {
	old, hourly := must(t, "record", nil), must(t, "record", map[string]float64{"season": 3600})
	alerts(old, usualSeries()[2].make(1, 2000))
	hourly.Follow(old)
	if got := hourly.(*record).ranges; got.residual.n != 0 || got.value.n != 2000 || got.season != time.Hour {
		t.Errorf("residual of %d values, range of %d, season %v", got.residual.n, got.value.n, got.season)
	}
}

func TestDetectorsSurviveAnything(t *testing.T) {
	odd := []float64{0, math.NaN(), math.Inf(1), math.Inf(-1), 1e-300, math.MaxFloat64, -math.MaxFloat64, math.Copysign(0, -1)}
	rapid.Check(t, func(t *rapid.T) {
		d, err := New(rapid.SampledFrom(Names()).Draw(t, "name"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-1e12, 1e12), rapid.SampledFrom(odd)), 0, 300).Draw(t, "samples") {
			at := time.Duration(rapid.Int64().Draw(t, "at"))
			if got := d.Observe(at, x); !(got.Score >= 0 && got.Score <= 1) {
				t.Fatalf("score %v for %v", got.Score, x)
			}
		}
	})
}

// TestOddSamplesLeaveNoTrace: what is not finite changes nothing of what comes after.
func TestOddSamplesLeaveNoTrace(t *testing.T) {
	for _, name := range Names() {
		a, b := must(t, name, nil), must(t, name, nil)
		for i, s := range usualSeries()[0].make(9, 1500) {
			if i%7 == 0 {
				for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
					if got := b.Observe(s.at, x); got != (Result{}) {
						t.Fatalf("%s: %v for %v", name, got, x)
					}
				}
			}
			if got, want := b.Observe(s.at, s.x), a.Observe(s.at, s.x); got != want {
				t.Fatalf("%s: sample %d: %v after odd ones, %v without", name, i, got, want)
			}
		}
	}
}

// TestHugeSamplesArePassing: after the largest numbers there are, a window of usual ones makes a usual one usual again.
func TestHugeSamplesArePassing(t *testing.T) {
	d := must(t, "zscore", nil)
	usual := usualSeries()[0].make(4, 1000)
	for i, s := range usual {
		if i == 500 {
			s.x = math.MaxFloat64
		}
		if got := d.Observe(s.at, s.x); i > 601 && got.Score > 0.7 {
			t.Fatalf("sample %d scores %v", i, got.Score)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		params map[string]float64
		want   string
	}{
		{"x", nil, `name is "x", want one of ["novelty" "record" "shift" "spike" "zscore"]`},
		{"zscore", map[string]float64{"window": 5}, "window of zscore is 5, want a whole number from 10 to 10000 (samples compared with)"},
		{"zscore", map[string]float64{"window": 50.5}, "window of zscore is 50.5, want a whole number"},
		{"spike", map[string]float64{"threshold": -1}, "threshold of spike is -1, want a number from 1e-06"},
		{"shift", map[string]float64{"threshold": math.NaN()}, "threshold of shift is NaN"},
		{"record", map[string]float64{"consecutive": 0}, "consecutive of record is 0, want a whole number from 1"},
		{"shift", map[string]float64{"window": 20}, `shift has no "window", it has ["threshold" "consecutive"`},
	} {
		_, err := New(c.name, c.params)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v gives %v, want %q", c.name, c.params, err, c.want)
		}
	}
}

func TestEverySettingActs(t *testing.T) {
	for _, name := range Names() {
		for _, p := range Params(name) {
			other := p.Default * 2
			switch {
			case p.Name == "both":
				other = 1
			case p.Name == "refractory" && p.Default > 0:
				other = 0
			case p.Name == "season":
				other = 3600
			case p.Default == 0:
				other = 20
			}
			if runOf(t, name, nil) == runOf(t, name, map[string]float64{p.Name: other}) {
				t.Errorf("%s: %s %v changes nothing", name, p.Name, other)
			}
		}
	}
}

// runOf folds all results over a stream with everything in it.
func runOf(t *testing.T, name string, params map[string]float64) uint64 {
	d, sum := must(t, name, params), uint64(14695981039346656037)
	s := usualSeries()[2]
	in := s.make(8, 4500)
	for i := range in {
		in[i].x /= 1000 // for durations
		if i > 1000 && i%500 < 40 {
			in[i].x *= 0.5 + float64(i/500%3)
		}
		if i > 2000 && i < 2100 {
			in[i].x += 0.004 // less than shift's excess
		}
	}
	for _, s := range in {
		r := d.Observe(s.at, s.x)
		bits := math.Float64bits(r.Score)
		if r.Alert {
			bits++
		}
		sum = (sum ^ bits) * 1099511628211
	}
	return sum
}

func TestObserveDoesNotAllocate(t *testing.T) {
	for _, name := range Names() {
		d := must(t, name, nil)
		if n := testing.AllocsPerRun(1000, func() { d.Observe(0, 0.1) }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// FuzzObserve: any bytes as samples give scores from 0 to 1, the same each time.
func FuzzObserve(f *testing.F) {
	f.Add(uint8(0), []byte("12345678abcdefgh"))
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		name := Names()[int(which)%len(Names())]
		a, b := must(t, name, nil), must(t, name, nil)
		for range 12 { // long enough to be past the warm-up
			for i := 0; i+8 <= len(data); i += 8 {
				bits := uint64(0)
				for _, c := range data[i : i+8] {
					bits = bits<<8 | uint64(c)
				}
				at, x := time.Duration(bits), math.Float64frombits(bits)
				got := a.Observe(at, x)
				if !(got.Score >= 0 && got.Score <= 1) || got != b.Observe(at, x) {
					t.Fatalf("%s: %v for %v", name, got, x)
				}
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			d := must(b, name, nil)
			samples := usualSeries()[2].make(1, 1024)
			for i := 0; b.Loop(); i++ {
				d.Observe(samples[i%1024].at, samples[i%1024].x)
			}
		})
	}
}
