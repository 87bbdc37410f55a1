package breaker

import (
	"math/bits"
	"slices"
	"time"
)

// Latency is a distribution of durations. A quantile is the smallest duration that this share of the calls did not
// exceed, exact to one part in 16.
type Latency struct {
	Mean, P50, P90, P95, P99, P999 time.Duration
}

// The histogram is log-linear: 16 steps to each power of two from 1.024 microseconds to about 73 minutes. Shorter
// durations share the first step, longer ones the last.
const (
	unitBits  = 10 // a step counts in 1,024 ns
	stepBits  = 4
	steps     = 1 << stepBits
	histSlots = steps * 29
)

// slotOf is the histogram's slot of a duration in nanoseconds.
func slotOf(took int64) int {
	units := uint64(max(took, 0)) >> unitBits
	if units < steps {
		return int(units)
	}
	shift := bits.Len64(units) - 1 - stepBits
	return min((shift+1)*steps+int(units>>shift)-steps, histSlots-1)
}

// slotTop is the longest duration of a slot, in nanoseconds.
func slotTop(slot int) int64 {
	if slot < steps {
		return int64(slot+1)<<unitBits - 1
	}
	shift := slot/steps - 1
	return int64(slot%steps+steps+1)<<shift<<unitBits - 1
}

// tally is what some calls add up to. The slices are nil where the rules do not ask.
type tally struct {
	hist    []uint32
	classes []uint32
	calls   uint32
	took    int64 // nanoseconds, summed
}

func newTally(r *rules) tally {
	var t tally
	if r.latency {
		t.hist = make([]uint32, histSlots)
	}
	if len(r.classes) > 0 {
		t.classes = make([]uint32, len(r.classes))
	}
	return t
}

// change adds a call to the tally, or takes one out again with by = -1.
func (t *tally) change(s sample, by int32) {
	t.calls += uint32(by)
	t.took += s.took * int64(by)
	if t.hist != nil {
		t.hist[slotOf(s.took)] += uint32(by)
	}
	if s.class > 0 && int(s.class) <= len(t.classes) {
		t.classes[s.class-1] += uint32(by)
	}
}

func (t *tally) sub(o *tally) {
	t.calls -= o.calls
	t.took -= o.took
	for i, n := range o.hist {
		t.hist[i] -= n
	}
	for i, n := range o.classes {
		t.classes[i] -= n
	}
}

func (t *tally) clear() {
	clear(t.hist)
	clear(t.classes)
	t.calls, t.took = 0, 0
}

// detail is what a window keeps beyond its counts, for triggers that ask for it: latencies and failure classes. Its
// places are those of its window: a tally for each bucket, or a sample for each call. A nil detail keeps nothing.
type detail struct {
	names   []string // of the classes, in their order
	total   tally
	buckets []tally
	calls   []sample
}

// newDetail returns nil if the rules ask for no detail.
func newDetail(r *rules, places int) *detail {
	if !r.latency && len(r.classes) == 0 {
		return nil
	}
	d := &detail{names: r.classes, total: newTally(r)}
	if r.Window.Calls > 0 {
		d.calls = make([]sample, places)
		return d
	}
	d.buckets = make([]tally, places)
	for i := range d.buckets {
		d.buckets[i] = newTally(r)
	}
	return d
}

func (d *detail) add(place int, s sample) {
	if d == nil {
		return
	}
	d.total.change(s, 1)
	if d.calls != nil {
		d.calls[place] = s
		return
	}
	d.buckets[place].change(s, 1)
}

// drop forgets what a place holds.
func (d *detail) drop(place int) {
	if d == nil {
		return
	}
	if d.calls != nil {
		d.total.change(d.calls[place], -1)
		return
	}
	d.total.sub(&d.buckets[place])
	d.buckets[place].clear()
}

func (d *detail) clear() {
	if d == nil {
		return
	}
	d.total.clear()
	for i := range d.buckets {
		d.buckets[i].clear()
	}
}

// merge takes over a bucket of another window's detail; classes go by name.
func (d *detail) merge(place int, old *detail, from int) {
	o := &old.buckets[from]
	for _, t := range []*tally{&d.total, &d.buckets[place]} {
		t.calls += o.calls
		t.took += o.took
		if t.hist != nil && o.hist != nil {
			for i, n := range o.hist {
				t.hist[i] += n
			}
		}
		for i, n := range o.classes {
			if at := slices.Index(d.names, old.names[i]); at >= 0 {
				t.classes[at] += n
			}
		}
	}
}

// recall adds to a call of the window what its detail remembers, its class numbered as in the window it moves to.
func (d *detail) recall(place int, s sample, to *detail) sample {
	if d == nil || to == nil {
		return s
	}
	known := d.calls[place]
	s.took = known.took
	if known.class > 0 {
		s.class = uint8(slices.Index(to.names, d.names[known.class-1]) + 1)
	}
	return s
}

func (d *detail) class(name string) int {
	if d == nil {
		return 0
	}
	if at := slices.Index(d.names, name); at >= 0 {
		return int(d.total.classes[at])
	}
	return 0
}

func (d *detail) latency() Latency {
	if d == nil || d.total.hist == nil || d.total.calls == 0 {
		return Latency{}
	}
	t := &d.total
	return Latency{
		Mean: time.Duration(t.took / int64(t.calls)),
		P50:  t.quantile(500), P90: t.quantile(900), P95: t.quantile(950), P99: t.quantile(990), P999: t.quantile(999),
	}
}

// quantile is the top of the slot that holds the call at so many thousandths of the calls, rounded up.
func (t *tally) quantile(thousandths uint64) time.Duration {
	want := (uint64(t.calls)*thousandths + 999) / 1000
	seen := uint64(0)
	for slot, n := range t.hist {
		if seen += uint64(n); seen >= want {
			return time.Duration(slotTop(slot))
		}
	}
	return time.Duration(slotTop(histSlots - 1))
}
