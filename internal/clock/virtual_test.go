package clock

import (
	"container/heap"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the obvious timer queue: a heap ordered by deadline, then arrival.
type model struct {
	now   int64
	order int
	heap  modelHeap
}

type modelTimer struct {
	at      int64
	order   int
	id      int
	stopped bool
	fired   bool
}

type modelHeap []*modelTimer

func (h modelHeap) Len() int { return len(h) }
func (h modelHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].order < h[j].order
}
func (h modelHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *modelHeap) Push(x any)   { *h = append(*h, x.(*modelTimer)) }
func (h *modelHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (m *model) after(d time.Duration, id int) *modelTimer {
	t := &modelTimer{at: deadline(m.now, d), order: m.order, id: id}
	m.order++
	heap.Push(&m.heap, t)
	return t
}

func (m *model) next() (int64, bool) {
	for len(m.heap) > 0 && m.heap[0].stopped {
		heap.Pop(&m.heap)
	}
	if len(m.heap) == 0 {
		return 0, false
	}
	return m.heap[0].at, true
}

func (m *model) advance(to int64, fire func(*modelTimer)) {
	for {
		at, ok := m.next()
		if !ok || at > to {
			break
		}
		t := heap.Pop(&m.heap).(*modelTimer)
		m.now, t.fired = at, true
		fire(t)
	}
	m.now = max(m.now, to)
}

// follow is how far after its own firing a timer schedules a successor; it
// makes functions schedule from inside Advance, at the same moment too.
func follow(id int) (time.Duration, bool) {
	switch id % 7 {
	case 0:
		return 0, true
	case 1:
		return time.Duration(id * 97), true
	}
	return 0, false
}

func TestVirtualAgreesWithAHeap(t *testing.T) {
	distance := rapid.Custom(func(t *rapid.T) int64 {
		return rapid.Int64Range(-2, 1).Draw(t, "small") +
			int64(1)<<rapid.IntRange(0, 62).Draw(t, "power") - 1
	})
	rapid.Check(t, func(t *rapid.T) {
		v, m := NewVirtual(time.Unix(0, 0)), &model{}
		var got, want []string
		var timers []Timer
		var models []*modelTimer

		schedule := func(d time.Duration, id int) {
			timers = append(timers, v.AfterFunc(d, func() {
				got = append(got, fmt.Sprint(id, "@", v.Now()))
				if d, ok := follow(id); ok {
					v.AfterFunc(d, func() { got = append(got, fmt.Sprint("after ", id, "@", v.Now())) })
				}
			}))
			models = append(models, m.after(d, id))
		}
		fire := func(mt *modelTimer) {
			if mt.id < 0 {
				want = append(want, fmt.Sprint("after ", -mt.id-1, "@", m.now))
				return
			}
			want = append(want, fmt.Sprint(mt.id, "@", m.now))
			if d, ok := follow(mt.id); ok {
				m.after(d, -mt.id-1)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"schedule": func(t *rapid.T) { schedule(time.Duration(distance.Draw(t, "d")), len(timers)) },
			"again": func(t *rapid.T) {
				if len(models) > 0 {
					at := rapid.SampledFrom(models).Draw(t, "at").at
					schedule(time.Duration(at-m.now), len(timers))
				}
			},
			"stop": func(t *rapid.T) {
				if len(timers) == 0 {
					return
				}
				i := rapid.IntRange(0, len(timers)-1).Draw(t, "i")
				live := !models[i].fired && !models[i].stopped
				models[i].stopped = true
				if stopped := timers[i].Stop(); stopped != live {
					t.Fatalf("Stop of timer %d = %v, want %v", i, stopped, live)
				}
			},
			"advance": func(t *rapid.T) {
				to := deadline(m.now, time.Duration(distance.Draw(t, "by")))
				v.Advance(to)
				m.advance(to, fire)
			},
			"advance to next": func(t *rapid.T) {
				if at, ok := m.next(); ok {
					v.Advance(at)
					m.advance(at, fire)
				}
			},
			"": func(t *rapid.T) {
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("fired\n%v\nwant\n%v", got, want)
				}
				if v.Now() != m.now {
					t.Fatalf("now %d, want %d", v.Now(), m.now)
				}
				gotNext, gotOK := v.Next()
				wantNext, wantOK := m.next()
				if gotNext != wantNext || gotOK != wantOK {
					t.Fatalf("next %d %v, want %d %v", gotNext, gotOK, wantNext, wantOK)
				}
			},
		})
	})
}

func TestVirtualWallFollowsNow(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	v := NewVirtual(start)
	v.Advance(int64(90 * time.Minute))
	if got, want := v.Wall(), start.Add(90*time.Minute); !got.Equal(want) {
		t.Errorf("wall %v, want %v", got, want)
	}
	v.Advance(5)
	if got := v.Now(); got != int64(90*time.Minute) {
		t.Errorf("advancing into the past moved the clock to %d", got)
	}
}

func TestDeadlineBeyondTheEndIsTheEnd(t *testing.T) {
	v := NewVirtual(time.Unix(0, 0))
	v.Advance(1 << 40)
	v.AfterFunc(math.MaxInt64, func() {})
	if at, ok := v.Next(); !ok || at != math.MaxInt64 {
		t.Errorf("next %d %v, want the end of time", at, ok)
	}
}

func TestSystemClockRunsAndStops(t *testing.T) {
	c := System()
	before := c.Now()
	ran := make(chan int64)
	c.AfterFunc(time.Millisecond, func() { ran <- c.Now() })
	if at := <-ran; at < before+int64(time.Millisecond) {
		t.Errorf("ran %d ns after the start, scheduled at %d for 1ms later", at, before)
	}
	if !c.AfterFunc(time.Hour, func() {}).Stop() {
		t.Error("a timer an hour away could not be stopped")
	}
	if c.Wall().IsZero() {
		t.Error("wall time is zero")
	}
}

func BenchmarkVirtualScheduleAndStop(b *testing.B) {
	v := NewVirtual(time.Unix(0, 0))
	for b.Loop() {
		v.AfterFunc(time.Second, func() {}).Stop()
	}
}

func BenchmarkVirtualScheduleAndFire(b *testing.B) {
	v := NewVirtual(time.Unix(0, 0))
	for b.Loop() {
		v.AfterFunc(time.Second, func() {})
		at, _ := v.Next()
		v.Advance(at)
	}
}

// Moment is one reading: the engine's time and the calendar's belong together.
func TestMomentIsNowAndWall(t *testing.T) {
	v := NewVirtual(time.Unix(1000, 0))
	v.Advance(5)
	if now, wall := v.Moment(); now != 5 || !wall.Equal(time.Unix(1000, 5)) {
		t.Errorf("moment is %d, %v", now, wall)
	}
	c := System()
	before, early := c.Now(), c.Wall()
	now, wall := c.Moment()
	if after, late := c.Now(), c.Wall(); now < before || now > after || wall.Before(early) || wall.After(late) {
		t.Errorf("moment is %d, %v, want between %d, %v and %d, %v", now, wall, before, early, after, late)
	}
}
