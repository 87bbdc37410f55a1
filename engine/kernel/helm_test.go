package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// teller is a Machine that decides on nothing but events, in portions when it is asked to.
type teller struct {
	events int
	take   func([]engine.Effect)
}

func (m *teller) InPortions(take func([]engine.Effect)) { m.take = take }

func (m *teller) Step(_ time.Duration, _ engine.Input, out []engine.Effect) []engine.Effect {
	for i := range m.events {
		if m.take != nil && len(out) == 10 {
			m.take(out)
			out = out[:0]
		}
		out = append(out, &engine.Emit{Actor: "a", Body: &journal.ActorStarting{Incarnation: uint64(i)}})
	}
	return out
}

// ears are Hands that only hear, and an incarnation that opens; they note both.
type ears struct {
	Hands
	heard []string
}

func (e *ears) Stepped(time.Duration, engine.Input, []engine.Effect) {}
func (e *ears) Heard(x *engine.Emit) {
	e.heard = append(e.heard, fmt.Sprint(x.Body.(*journal.ActorStarting).Incarnation))
}
func (e *ears) Open()   { e.heard = append(e.heard, "open") }
func (e *ears) Settle() {}

// pages keeps what is recorded.
type pages []journal.Event

func (p *pages) Record(e journal.Event) uint64 { *p = append(*p, e); return uint64(len(*p)) }

// step has a fresh Helm take a step in which so many events are told, and one in which nothing is, with a calendar that goes on a
// second with each look.
func step(events int, portions bool, when Moment) (told pages, heard []string) {
	looks, ear := 0, &ears{}
	s := &Scribe{To: &told, Wall: func() time.Time { looks++; return time.Unix(int64(looks), 0) }}
	m := &teller{events: events}
	h := NewHelm(m, s, &Guards{}, ear, NewView(&plan.Plan{}, 1))
	if portions {
		h.InPortions()
	}
	h.Step(0, &Happening{In: engine.Due{}, When: when, Path: "a", Fact: journal.ActorReady{}, Up: ear})
	m.events = 0
	h.Step(0, &Happening{In: engine.Due{}, Path: "a", Fact: journal.ActorReady{}})
	return told, ear.heard
}

// The events of a step have one time, that of what has happened if it is known; only a long step looks at the calendar again.
func TestAStepHasOneTime(t *testing.T) {
	for _, when := range []Moment{{}, {Now: 1, Wall: 7}} {
		told, _ := step(2*sameTime, false, when)
		var times []int64
		for i, e := range told {
			if i == 0 || e.Time != told[i-1].Time {
				times = append(times, e.Time)
			}
		}
		want := []int64{1e9, 2e9, 3e9, 4e9}
		if when.Wall != 0 {
			want = []int64{7, 1e9, 2e9, 3e9}
		}
		if !slices.Equal(times, want) {
			t.Errorf("the times are %v, want %v", times, want)
		}
	}
}

// In portions or not, effects are carried out in order, each once, and all of them after the incarnation has opened.
func TestPortionsAreCarriedOutInOrder(t *testing.T) {
	for _, events := range []int{0, 5, 10, 35} {
		_, whole := step(events, false, Moment{})
		_, parts := step(events, true, Moment{})
		if len(whole) != events+1 || whole[0] != "open" || !slices.Equal(whole, parts) {
			t.Errorf("%d events: carried out %v, in portions %v", events, whole, parts)
		}
	}
}
