package detect

import "testing"

func must(t testing.TB, name string, params map[string]float64) Detector {
	t.Helper()
	d, err := New(name, params)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestFalseAlarmsAreRare counts alerts on 100,000 values of each stream in which nothing happens. The numbers stand in
// docs/detection.md; run with -v to see them.
func TestFalseAlarmsAreRare(t *testing.T) {
	most := map[string]int{"zscore": 10, "shift": 2, "spike": 200, "record": 100, "novelty": 160}
	for _, name := range Names() {
		for _, s := range usualSeries() {
			if name == "shift" && s.name == "daily" {
				continue // a day's rise is a shift: that is no stream for it
			}
			count := 0
			for seed := range uint64(20) {
				n, first := alerts(must(t, name, nil), s.make(seed, 5000))
				count += n
				if n > 0 && first < fewest {
					t.Errorf("%s on %s: alert at value %d, before it can know", name, s.name, first)
				}
			}
			t.Logf("%-8s %-7s %4d false alarms in 100,000", name, s.name, count)
			if count > most[name] {
				t.Errorf("%s on %s: %d false alarms in 100,000, want at most %d", name, s.name, count, most[name])
			}
		}
	}
}

// disturb changes 300 values from the 4,000th on.
func disturb(in []sample, s series, kind string) {
	unit := map[string]float64{"steady": 40, "skewed": 0.4, "daily": 40, "rate": 0.1}[s.name]
	for i := 4000; i < 4300; i++ {
		switch {
		case kind == "spike" && i < 4003:
			in[i].x += 1.5 * unit
		case kind == "shift":
			in[i].x += unit
		case kind == "trend":
			in[i].x += unit * float64(i-4000) / 100
		case kind == "flat":
			in[i].x = s.level
		case kind == "rhythm": // three waves a day instead of one
			in[i].x += s.rhythm * (wave(in[i].at, 3) - wave(in[i].at, 1))
		}
	}
}

// found counts the seeds, of 10, in which a disturbance is alerted on while it lasts.
func found(t *testing.T, name string, params map[string]float64, s series, kind string) int {
	hits := 0
	for seed := range uint64(10) {
		in := s.make(seed, 4500)
		disturb(in, s, kind)
		d := must(t, name, params)
		alerts(d, in[:4000])
		if n, _ := alerts(d, in[4000:4300]); n > 0 {
			hits++
		}
	}
	return hits
}

func TestDetectorsFindWhatTheyAreFor(t *testing.T) {
	all := usualSeries()
	steady, skewed, daily, rate := all[0], all[1], all[2], all[3]
	unknown := map[string]float64{"season": 0}
	for _, c := range []struct {
		name, kind string
		in         series
		params     map[string]float64
	}{
		{"zscore", "spike", steady, nil}, {"zscore", "shift", skewed, nil}, {"zscore", "shift", rate, nil},
		{"shift", "shift", steady, nil}, {"shift", "shift", skewed, nil}, {"shift", "trend", skewed, nil},
		{"spike", "spike", steady, nil}, {"spike", "spike", rate, nil}, {"spike", "shift", rate, nil},
		{"record", "spike", daily, nil}, {"record", "shift", daily, nil}, {"record", "shift", steady, nil}, {"record", "flat", daily, nil},
		{"novelty", "spike", daily, nil}, {"novelty", "rhythm", daily, unknown}, {"novelty", "flat", daily, unknown},
	} {
		if got := found(t, c.name, c.params, c.in, c.kind); got < 9 {
			t.Errorf("%s found %s on %s in %d of 10 runs", c.name, c.kind, c.in.name, got)
		}
	}
	if got := found(t, "record", unknown, daily, "rhythm"); got > 2 {
		t.Errorf("record found a new rhythm without knowing the season in %d of 10 runs: is novelty needed?", got)
	}
}

func TestOneSampleIsNoShift(t *testing.T) {
	for _, name := range []string{"zscore", "shift"} {
		d := must(t, name, nil)
		for range 200 {
			d.Observe(0, 0.1)
		}
		if d.Observe(0, 50).Alert {
			t.Errorf("%s alerts on a single sample", name)
		}
	}
}

func TestOneAlertForAnIncident(t *testing.T) {
	for _, name := range []string{"zscore", "spike", "record", "novelty"} {
		d := must(t, name, nil)
		alerts(d, usualSeries()[0].make(1, 1000))
		count := 0
		for i := range 20 {
			r := d.Observe(0, 500+float64(i))
			if r.Alert {
				count++
			}
			if count > 0 && !r.Alert && !r.Known {
				t.Errorf("%s: sample %d after the alert is not known", name, i)
			}
		}
		if count != 1 {
			t.Errorf("%s: %d alerts for one incident", name, count)
		}
	}
}

func TestBothSidesOnlyWhenAsked(t *testing.T) {
	for _, name := range []string{"zscore", "spike", "record"} {
		for both, want := range map[float64]bool{0: false, 1: true} {
			d := must(t, name, map[string]float64{"both": both})
			alerts(d, usualSeries()[0].make(2, 1000))
			low := make([]sample, 5)
			if n, _ := alerts(d, low); (n > 0) != want {
				t.Errorf("%s with both %v: %d alerts on values that are too low", name, both, n)
			}
		}
	}
}

// TestWhatIsStrangeTeachesLittle: a detector is not blind after an absurd value.
func TestWhatIsStrangeTeachesLittle(t *testing.T) {
	for _, name := range []string{"spike", "record"} {
		d := must(t, name, nil)
		usual := usualSeries()[0].make(3, 2000)
		alerts(d, usual[:1000])
		d.Observe(0, 1e9)
		alerts(d, usual[1000:])
		if n, _ := alerts(d, []sample{{0, 400}}); n != 1 {
			t.Errorf("%s: %d alerts on 400 after 1e9", name, n)
		}
	}
}

func TestShiftHardlyLearnsWhatItSuspects(t *testing.T) {
	d := must(t, "shift", map[string]float64{"threshold": 1e6})
	alerts(d, usualSeries()[1].make(5, 500))
	before := d.(*shift).log.mean
	for range 50 {
		d.Observe(0, 0.5)
	}
	if moved := d.(*shift).log.mean - before; moved > 0.05 {
		t.Errorf("the mean moved by %v while a shift was suspected", moved)
	}
}
