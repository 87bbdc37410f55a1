package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What lasts is told with who wanted it and until when, from the moment it is in force until it is taken back in whatever way.
func TestOverridesAreThoseInForce(t *testing.T) {
	p, err := growPlan([]string{"root one_for_one 100/1s", "  w x2", "  a adopt", "  s one_for_one 5/1s", "    b"})
	if err != nil {
		t.Fatal(err)
	}
	m := NewMachine()
	var now time.Duration
	started := map[ID]Epoch{}
	step := func(in Input) {
		t.Helper()
		queue := []Input{in}
		for len(queue) > 0 {
			in, queue = queue[0], queue[1:]
			for _, e := range m.Step(now, in, nil) {
				switch e := e.(type) {
				case *Start:
					started[e.ID] = e.Epoch
					queue = append(queue, Started{ID: e.ID, Epoch: e.Epoch})
				case *Stop:
					queue = append(queue, Stopped{ID: e.ID, Epoch: e.Epoch})
				case *Answered:
					if e.Error != "" {
						t.Errorf("%+v: %s", in, e.Error)
					}
				}
			}
		}
	}
	// pass lets time go on to a moment, with every timer that comes before.
	pass := func(to time.Duration) {
		for {
			id, at := TimerID(0), to+1
			for _, u := range m.undos.list() {
				if due := m.clockwork.look(u.timer).at; u.timer != 0 && due < at {
					id, at = u.timer, due
				}
			}
			if id == 0 {
				break
			}
			now = at
			step(Due{Timer: id})
		}
		now = to
	}
	seen := func() string {
		var all []string
		for _, o := range m.Overrides() {
			text := fmt.Sprintf("%s %s by %s at %v", o.Verb, o.Target, o.By, o.Since)
			if o.Until > 0 {
				text += fmt.Sprintf(" until %v", o.Until)
			}
			if o.Reason != "" {
				text += " " + o.Reason
			}
			all = append(all, text)
		}
		return strings.Join(all, ", ")
	}
	step(Boot{Plan: p})
	for _, c := range []struct {
		at   time.Duration
		by   string
		do   Steer
		want string
	}{
		{1, "ana", Steer{Verb: "pause", Target: "a", Reason: "slow"}, "pause root/a by ana at 1ns slow"},
		{2, "bob", Steer{Verb: "scale", Target: "w", Count: 5}, "pause root/a by ana at 1ns slow, scale root/w by bob at 2ns"},
		{3, "eve", Steer{Verb: "scale", Target: "w", Count: 7, For: 10}, "pause root/a by ana at 1ns slow, scale root/w by eve at 3ns until 13ns"},
		{4, "ana", Steer{Verb: "resume", Target: "a"}, "scale root/w by eve at 3ns until 13ns"},
		{14, "ana", Steer{Verb: "stop", Target: "b", For: 100}, "scale root/w by bob at 2ns, stop root/s/b by ana at 14ns until 114ns"},
		{15, "bob", Steer{Verb: "quarantine", Target: "w-0"}, "scale root/w by bob at 2ns, stop root/s/b by ana at 14ns until 114ns, quarantine root/w-0 by bob at 15ns"},
		{16, "bob", Steer{Verb: "restart", Target: "b"}, "scale root/w by bob at 2ns, quarantine root/w-0 by bob at 15ns"},
		{17, "bob", Steer{Verb: "scale", Target: "w", Count: 2}, "quarantine root/w-0 by bob at 15ns"},
		{18, "bob", Steer{Verb: "adopt", Target: "a", Text: "root/s", For: 5}, "quarantine root/w-0 by bob at 15ns, adopt root/a by bob at 18ns until 23ns"},
		{24, "bob", Steer{Verb: "release", Target: "w-0"}, ""},
		{25, "ana", Steer{Verb: "emergency", Text: "enter", For: 5}, "emergency  by ana at 25ns until 30ns"},
		{31, "ana", Steer{Verb: "pause", Target: "w", For: 5}, "pause root/w-0 by ana at 31ns until 36ns, pause root/w-1 by ana at 31ns until 36ns"},
		{32, "bob", Steer{Verb: "pause", Target: "w-1"}, "pause root/w-0 by ana at 31ns until 36ns, pause root/w-1 by bob at 32ns"},
		{40, "bob", Steer{Verb: "resume", Target: "a"}, "pause root/w-1 by bob at 32ns"},
	} {
		pass(c.at)
		step(Commanded{Number: 1, By: c.by, Action: c.do})
		if got := seen(); got != c.want {
			t.Errorf("%v %s %s: %s, want %s", c.at, c.do.Verb, c.do.Target, got, c.want)
		}
	}
}
