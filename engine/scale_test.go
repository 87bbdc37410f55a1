package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// pooled is a tree with a group of so many replicas between two other children; variant makes otherwise equal trees differ.
func pooled(t *rapid.T, strategy string, replicas, variant int) *plan.Plan {
	p, err := growPlan([]string{
		"root one_for_one 100/1s", "  pool " + strategy + " 30/1s", "    a adopt", fmt.Sprintf("    w x%d backoff=10ms", replicas),
		fmt.Sprintf("    b concurrency=%d", variant), "  c", "  d rest_for_one 30/1s", "    e", "    f",
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// scaled is what the number of replicas ought to be.
type scaled struct {
	*slow
	strategy    string
	files, over int // what the files say, and an action (0: nothing)
	variant     int
}

func (s *scaled) want() int {
	if s.over > 0 {
		return s.over
	}
	return s.files
}

func (s *scaled) scale() {
	n := rapid.IntRange(1, 6).Draw(s.t, "replicas")
	a := Steer{Verb: "scale", Target: "w", Count: n}
	if rapid.Bool().Draw(s.t, "by") {
		a.Count, a.By, a.Max = 0, n-3, 6
		n = min(max(s.want()+a.By, 1), 6)
	}
	s.groups, s.steered = map[string]*restarting{}, true
	s.step(Commanded{Number: 1, By: "test", Action: a})
	if s.m.mode != alive || a.By == 0 && a.Count == 0 {
		return
	}
	s.over = n
	if n == s.files {
		s.over = 0
	}
}

// adopt moves the one that may be, there and back, without touching its incarnation.
func (s *scaled) adopt() {
	id := s.m.roster.byIndex[s.plan.Index("root/pool/a")].id
	before, had := s.live[id], s.m.mode == alive
	s.groups, s.steered = map[string]*restarting{}, true
	under := rapid.SampledFrom([]string{"root/pool", "root/d"}).Draw(s.t, "under")
	takes := s.m.roster.byIndex[s.plan.Index(under)].life
	s.step(Commanded{Number: 1, By: "test", Action: Steer{Verb: "adopt", Target: "root/pool/a", Text: under}})
	if !had || s.m.mode != alive || takes != starting && takes != running {
		return
	}
	a := s.m.roster.byIndex[s.plan.Index("root/pool/a")]
	if a.def.Path != under+"/a" || a.id != id || a.parent.def.Path != under {
		s.t.Fatalf("%s is under %s, want it under %s", a.def.Path, a.parent.def.Path, under)
	}
	if up := a.parent.life; before != nil && !before.stopping && s.live[id] != before && (up == running || up == starting) {
		s.t.Fatal("its incarnation did not go on")
	}
}

func (s *scaled) reload() {
	n := s.files
	if rapid.Bool().Draw(s.t, "other replicas") {
		n = rapid.IntRange(1, 6).Draw(s.t, "files")
	}
	s.variant++
	p := pooled(s.t, s.strategy, n, s.variant)
	s.plans[p.Digest()] = p
	s.groups, s.steered = map[string]*restarting{}, true
	s.step(Reloaded{Plan: p, Generation: s.m.generation + 1, By: "test"})
	if s.m.mode != alive {
		return
	}
	if n != s.files || s.over == n {
		s.over = 0
	}
	s.files = n
}

// check compares the group with what it ought to be, and looks for two incarnations under one path.
func (s *scaled) check() {
	if s.m.mode != alive {
		return
	}
	var want []string
	for n := range s.want() {
		want = append(want, fmt.Sprintf("root/pool/w-%d", n))
	}
	if got := s.plan.Group("root/pool/w").Members; !slices.Equal(got, want) {
		s.t.Fatalf("the group is %v, want %v", got, want)
	}
	for path := range s.m.roster.leaving {
		s.alone[path] = true // its turn came, and it waits for the one before it: siblings may fail meanwhile
	}
	seen := map[string]bool{}
	for id := range s.live {
		if path := s.paths[id]; seen[path] {
			s.t.Fatalf("%s has two incarnations", path)
		} else {
			seen[path] = true
		}
	}
}

// rest waits until nothing is under way: then exactly the replicas that are wanted exist.
func (s *scaled) rest() {
	s.settle()
	if s.ended || s.m.mode != alive {
		return
	}
	pool, alive := 0, 0
	for _, a := range s.m.Status().Actors {
		if strings.HasPrefix(a.Path, "root/pool/w-") {
			pool++
			if a.Held && s.live[a.ID] == nil {
				alive++ // or would be, but for somebody's stop
			}
		}
	}
	for id := range s.live {
		if strings.HasPrefix(s.paths[id], "root/pool/w-") {
			alive++
		}
	}
	if up := s.m.roster.byIndex[s.plan.Index("root/pool")]; pool != s.want() || up.life == running && alive != pool {
		s.t.Fatalf("%d replicas, %d of them alive, want %d", pool, alive, s.want())
	}
}

// Scaling, moving, reloads, failures and restarts in any order and at any moment lose nothing: the group is what was asked for last
// with replicas 0 to n-1, none starts beside one of the same path, orders and intensity hold, and a replay decides the same.
func TestScalingMeetsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		strategy := rapid.SampledFrom([]string{"one_for_one", "rest_for_one", "all_for_one"}).Draw(t, "strategy")
		n := rapid.IntRange(1, 4).Draw(t, "files")
		p := pooled(t, strategy, n, 0)
		s := &scaled{files: n, strategy: strategy, slow: &slow{
			t: t, m: NewMachine(), plan: p, live: map[ID]*incarnation{}, epochs: map[ID]Epoch{},
			starts: map[string][]time.Duration{"root": nil, "root/pool": nil, "root/d": nil}, groups: map[string]*restarting{}, busy: map[string]bool{},
			gone: map[ID]bool{}, alone: map[string]bool{}, open: map[ID]bool{}, plans: map[plan.Digest]*plan.Plan{p.Digest(): p},
			ids: map[string]ID{}, paths: map[ID]string{},
		}}
		s.step(Boot{Plan: p, Seed: 1})
		for range 50 {
			if s.ended {
				return
			}
			s.now += time.Duration(rapid.IntRange(0, 3).Draw(t, "pause")) * 100 * time.Millisecond
			switch rapid.IntRange(0, 10).Draw(t, "event") {
			case 10:
				s.adopt()
			case 0, 1:
				s.fail()
			case 2:
				s.tick()
			case 3:
				s.scale()
			case 4:
				s.reload()
			case 5:
				s.command()
			default:
				s.answer()
			}
			s.check()
		}
		if rapid.Bool().Draw(t, "settle") {
			s.rest()
		}
		if !s.ended {
			s.shutdown()
		}
		s.replay()
	})
}
