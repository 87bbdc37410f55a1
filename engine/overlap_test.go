package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// incarnation is a live one, as a runtime sees it.
type incarnation struct {
	epoch    Epoch
	up       bool
	failed   bool // waits for Continue or Stop
	stopping bool
	again    bool // the Stop said so
}

// restarting is a group's restart that has been announced and has not started anybody yet.
type restarting struct {
	first int // the smallest order of the failed children merged into it
}

// slow is a runtime in which everything takes its time, so that failures, answers, timers and commands meet in any
// order. It checks after each effect what must hold always.
type slow struct {
	t       *rapid.T
	m       *Machine
	plan    *plan.Plan
	now     time.Duration
	live    map[ID]*incarnation
	epochs  map[ID]Epoch
	pending []Input // answers that will come
	timers  []SetTimer
	starts  map[string][]time.Duration // counted restarts by supervisor, of its running incarnation
	groups  map[string]*restarting     // by supervisor
	ids     map[string]ID
	paths   map[ID]string
	closing bool
	ended   bool
	busy    map[string]bool // supervisors that were leaving when the shutdown came
	inputs  []recorded
	digest  RunDigest
	plans   map[plan.Digest]*plan.Plan
	gone    map[ID]bool
	steered bool            // somebody was started or stopped by hand
	alone   map[string]bool // restarted by a reload, command or rule, on their own
	open    map[ID]bool     // mailboxes that take messages without an incarnation: a Start or Close must come
	trial   trial
}

// recorded is an input as a journal keeps it.
type recorded struct {
	at   time.Duration
	data []byte
}

func (s *slow) step(in Input) {
	s.t.Logf("%s %T %+v", s.now, in, in)
	data, err := AppendInput(nil, in)
	if err != nil {
		s.t.Fatal(err)
	}
	s.inputs = append(s.inputs, recorded{s.now, data})
	effects := s.m.Step(s.now, in, nil)
	s.digest.Fold(s.now, in, effects)
	for _, e := range effects {
		if s.ended {
			s.t.Fatalf("%T after Ended", e)
		}
		s.take(e)
	}
}

func (s *slow) actor(id ID) *plan.Actor {
	at := s.plan.Index(s.paths[id])
	if s.gone[id] || s.paths[id] == "" {
		s.t.Fatalf("an effect names the unknown actor %d", id)
	}
	if at < 0 || s.ids[s.paths[id]] != id {
		return nil // removed by the plan, and still stopping
	}
	if a := &s.plan.Actors[at]; a.Supervisor == nil {
		return a
	}
	s.t.Fatalf("an effect names the supervisor %s", s.paths[id])
	return nil
}

func (s *slow) take(e Effect) {
	if told, ok := e.(*Emit); ok {
		s.t.Logf("    %s %+v", told.Actor, told.Body)
	}
	switch e := e.(type) {
	case *Create:
		s.ids[e.Path], s.paths[e.ID] = e.ID, e.Path
		s.open[e.ID] = s.opening(e.Path)
		s.starts[e.Path] = nil
	case *Move:
		if s.ids[s.paths[e.ID]] == e.ID {
			delete(s.ids, s.paths[e.ID])
		}
		s.ids[e.Path], s.paths[e.ID] = e.ID, e.Path
	case *Start:
		s.started(e)
	case *Stop:
		s.stopped(e)
	case *Close:
		if s.live[e.ID] != nil || !s.open[e.ID] {
			s.t.Fatalf("the mailbox of %s is closed, and is in use or closed already", s.paths[e.ID])
		}
		delete(s.open, e.ID)
	case *Swap:
		s.plan = e.Plan
	case *RollBack:
		s.rollBack(e)
	case *Remove:
		delete(s.open, e.ID)
		if s.live[e.ID] != nil {
			s.t.Fatalf("%s is removed while it lives", s.paths[e.ID])
		}
		s.gone[e.ID] = true
	case *Continue:
		if one := s.live[e.ID]; one == nil || !one.failed || one.epoch != e.Epoch {
			s.t.Fatalf("Continue of %s, which does not wait for it", s.paths[e.ID])
		}
		s.live[e.ID].failed = false
	case *SetTimer:
		s.timers = append(s.timers, *e)
	case *CancelTimer:
		n := len(s.timers)
		s.timers = slices.DeleteFunc(s.timers, func(t SetTimer) bool { return t.Timer == e.Timer })
		if len(s.timers) == n {
			s.t.Fatalf("timer %d is cancelled and was not set", e.Timer)
		}
	case *Emit:
		s.told(e)
	case *Ended:
		s.ended = true
		if len(s.live) > 0 {
			s.t.Fatalf("Ended with %d incarnations alive", len(s.live))
		}
		s.closed()
	}
}

// opening tells whether an actor that is created takes messages: supervisors do not.
func (s *slow) opening(path string) bool {
	a := s.plan.Actor(path)
	return a == nil || a.Supervisor == nil
}

// closed checks that nobody's messages wait for an incarnation that does not come.
func (s *slow) closed() {
	for id, is := range s.open {
		if is {
			s.t.Fatalf("the mailbox of %s stays open for ever", s.paths[id])
		}
	}
}

func (s *slow) started(e *Start) {
	a := s.actor(e.ID)
	path := s.paths[e.ID]
	if a == nil && !strings.Contains(path[strings.Index(path, "/")+1:], "/") {
		s.t.Fatalf("%s starts, which the plan does not have", path) // deeper ones may until their supervisor's turn comes
	}
	if s.live[e.ID] != nil {
		s.t.Fatalf("%s starts while its incarnation %d lives", path, s.live[e.ID].epoch)
	}
	for id := range s.live {
		if s.paths[id] == path && id != e.ID {
			s.t.Fatalf("%s starts while the one that a reload removed lives", path)
		}
	}
	if e.Epoch != s.epochs[e.ID]+1 {
		s.t.Fatalf("%s starts incarnation %d after %d", path, e.Epoch, s.epochs[e.ID])
	}
	if s.closing {
		s.t.Fatalf("%s starts while everything stops", path)
	}
	s.epochs[e.ID] = e.Epoch
	s.live[e.ID] = &incarnation{epoch: e.Epoch}
	delete(s.open, e.ID)
	s.pending = append(s.pending, Started{ID: e.ID, Epoch: e.Epoch})
}

// checkOrder: a first incarnation starts when those before it are up or will not be; a group's restart begins at its
// first failed child.
func (s *slow) checkOrder(a *plan.Actor) {
	up := &s.plan.Actors[a.Parent]
	for _, c := range up.Supervisor.Children {
		sibling := &s.plan.Actors[c]
		one := s.live[s.ids[sibling.Path]]
		if sibling.Order < a.Order && sibling.Supervisor == nil && s.epochs[s.ids[a.Path]] == 0 && !s.alone[a.Path] && one != nil && !one.up && !one.stopping {
			s.t.Fatalf("%s starts before %s is up", a.Path, sibling.Path)
		}
	}
	first := s.epochs[s.ids[a.Path]] == 0 // added by a reload: not the group's affair
	if g := s.groups[up.Path]; g != nil && (!s.alone[a.Path] && !first || a.Order == g.first) {
		if a.Order != g.first {
			s.t.Fatalf("%s starts first in its group's restart, want order %d", a.Path, g.first)
		}
		delete(s.groups, up.Path)
	}
	delete(s.alone, a.Path)
}

func (s *slow) stopped(e *Stop) {
	a, one := s.actor(e.ID), s.live[e.ID]
	if one == nil || one.epoch != e.Epoch || one.stopping {
		s.t.Fatalf("%s is stopped, which is not running", s.paths[e.ID])
	}
	one.stopping, one.again = true, e.Again
	s.pending = slices.DeleteFunc(s.pending, func(in Input) bool { st, ok := in.(Started); return ok && st.ID == e.ID })
	s.pending = append(s.pending, Stopped{ID: e.ID, Epoch: e.Epoch})
	if s.closing && a != nil {
		s.checkReverse(a)
	}
}

// checkReverse: in a shutdown everything that starts after an actor or after a supervisor above it is down.
func (s *slow) checkReverse(a *plan.Actor) {
	for at := a; at.Parent >= 0; at = &s.plan.Actors[at.Parent] {
		if up := s.plan.Actors[at.Parent].Path; s.busy[up] || s.groups[up] != nil {
			return // it was stopping somebody before the shutdown reached it, and goes on
		}
		for i := range s.plan.Actors {
			later := &s.plan.Actors[i]
			if later.Parent == at.Parent && later.Order > at.Order {
				for id, path := range s.paths {
					if s.plan.Index(path) >= 0 && s.ids[path] == id && (path == later.Path || len(path) > len(later.Path) && path[:len(later.Path)+1] == later.Path+"/") && s.live[id] != nil {
						s.t.Fatalf("%s stops before %s is down", a.Path, path)
					}
				}
			}
		}
	}
}

// told follows counted restarts: never more than the intensity allows, and giving up only when it is used up.
func (s *slow) told(e *Emit) {
	if e.Actor == "" {
		s.trial.told(s, e.Body)
		return
	}
	if s.plan.Index(e.Actor) < 0 {
		return // of a removed one that still stops
	}
	switch body := e.Body.(type) {
	case *journal.ActorStarting:
		if _, is := s.starts[e.Actor]; is {
			s.starts[e.Actor] = nil
			delete(s.groups, e.Actor)
		}
		a := s.plan.Actor(e.Actor)
		if a.Parent >= 0 {
			s.checkOrder(a)
		}
		if a.Supervisor != nil {
			s.epochs[s.ids[e.Actor]] = Epoch(body.Incarnation)
		}
		delete(s.busy, e.Actor)
	case *journal.ActorStopping:
		delete(s.groups, e.Actor)
		if _, is := s.starts[e.Actor]; is && !s.closing {
			s.busy[e.Actor] = true
		}
	case *journal.ActorRestarting:
		if body.Directive == withGroup {
			return
		}
		if body.Directive != "restart" {
			s.alone[e.Actor] = true
			return
		}
		a := s.plan.Actor(e.Actor)
		up := &s.plan.Actors[a.Parent]
		recent := s.recent(up)
		switch {
		case len(recent) < up.Supervisor.Intensity.Max:
			s.starts[up.Path] = append(recent, s.now)
		case !s.trial.doomed:
			s.t.Fatalf("%s restarts more than %d times within %s", up.Path, up.Supervisor.Intensity.Max, up.Supervisor.Intensity.Within)
		}
		s.merge(up, a)
	case *journal.SupervisorGaveUp:
		up := s.plan.Actor(e.Actor)
		if n := len(s.recent(up)); n != up.Supervisor.Intensity.Max {
			s.t.Fatalf("%s gave up after %d restarts, max is %d", up.Path, n, up.Supervisor.Intensity.Max)
		}
	}
}

// merge checks which failures may count while a group is lowered: none of all_for_one, earlier ones of rest_for_one.
func (s *slow) merge(up, a *plan.Actor) {
	if up.Supervisor.Strategy == plan.OneForOne {
		return
	}
	order := a.Order
	if up.Supervisor.Strategy == plan.AllForOne {
		order = s.firstStartable(up)
	}
	g := s.groups[up.Path]
	if s.steered {
		return
	}
	switch {
	case g == nil:
		s.groups[up.Path] = &restarting{first: order}
	case up.Supervisor.Strategy == plan.AllForOne:
		s.t.Fatalf("%s failed while its group was restarting, and counted", a.Path)
	case order > g.first:
		s.t.Fatalf("%s failed after order %d was being lowered, and counted", a.Path, g.first)
	default:
		g.first = order
	}
}

// firstStartable is the order of the first child that a restart of all will start: temporary ones may be gone.
func (s *slow) firstStartable(up *plan.Actor) int {
	for _, c := range up.Supervisor.Children {
		if a := &s.plan.Actors[c]; a.Restart.Policy != plan.Never {
			return a.Order
		}
	}
	return -1
}

func (s *slow) recent(up *plan.Actor) []time.Duration {
	return slices.DeleteFunc(slices.Clone(s.starts[up.Path]), func(t time.Duration) bool { return t < s.now-up.Supervisor.Intensity.Within })
}

// answer delivers one pending answer.
func (s *slow) answer() {
	if len(s.pending) == 0 {
		return
	}
	i := rapid.IntRange(0, len(s.pending)-1).Draw(s.t, "answer")
	in := s.pending[i]
	s.pending = slices.Delete(s.pending, i, i+1)
	switch in := in.(type) {
	case Reloaded, RollBackFailed:
		s.endRollBack(in)
		return
	case Started:
		s.live[in.ID].up = true
	case Stopped:
		s.leave(in.ID)
	}
	s.step(in)
}

// leave notes that an incarnation is gone.
func (s *slow) leave(id ID) {
	one := s.live[id]
	delete(s.live, id)
	if !one.stopping || one.again {
		s.open[id] = true
	}
}

// tick lets the next timer come.
func (s *slow) tick() {
	if len(s.timers) == 0 {
		return
	}
	next := slices.MinFunc(s.timers, func(a, b SetTimer) int { return int(a.At - b.At) })
	s.timers = slices.DeleteFunc(s.timers, func(t SetTimer) bool { return t.Timer == next.Timer })
	s.now = max(s.now, next.At)
	s.step(Due{Timer: next.Timer})
}

// fail lets a random incarnation fail or end, whatever it is doing.
func (s *slow) fail() {
	ids := make([]ID, 0, len(s.live))
	for id := range s.live {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	id := rapid.SampledFrom(ids).Draw(s.t, "who")
	one := s.live[id]
	failure := Failure{Kind: rapid.SampledFrom([]string{"crash", "odd"}).Draw(s.t, "kind")}
	if one.up && !one.stopping && !one.failed && rapid.Bool().Draw(s.t, "waits") {
		one.failed = true
		s.step(Failed{ID: id, Epoch: one.epoch, Failure: failure})
		return
	}
	s.pending = slices.DeleteFunc(s.pending, func(in Input) bool {
		st, starting := in.(Started)
		so, stopping := in.(Stopped)
		return starting && st.ID == id || stopping && so.ID == id
	})
	s.leave(id)
	in := Exited{ID: id, Epoch: one.epoch}
	if rapid.IntRange(0, 3).Draw(s.t, "normal") > 0 {
		in.Failure = &failure
	}
	s.step(in)
}

// Whatever meets whatever: no actor has two incarnations, orders are kept, intensity is exact, a shutdown ends with
// nothing alive, and without one everything comes to rest in a state that is meant to last.
func TestOverlappingFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawTree(t, true)
		s := &slow{
			t: t, m: NewMachine(), plan: p, live: map[ID]*incarnation{}, epochs: map[ID]Epoch{},
			starts: map[string][]time.Duration{}, groups: map[string]*restarting{}, busy: map[string]bool{}, gone: map[ID]bool{}, alone: map[string]bool{}, open: map[ID]bool{}, plans: map[plan.Digest]*plan.Plan{p.Digest(): p}, ids: map[string]ID{}, paths: map[ID]string{},
		}
		for i := range p.Actors {
			if p.Actors[i].Supervisor != nil {
				s.starts[p.Actors[i].Path] = nil
			}
		}
		s.trial = trial{generation: 1, proven: p, provenAs: 1}
		s.step(Boot{Plan: p, Seed: 1})
		for range 60 {
			if s.ended {
				return
			}
			s.now += time.Duration(rapid.IntRange(0, 3).Draw(t, "pause")) * 100 * time.Millisecond
			switch rapid.IntRange(0, 8).Draw(t, "event") {
			case 8:
				s.sample()
			case 0, 1:
				s.fail()
			case 2:
				s.tick()
			case 4:
				if rapid.IntRange(0, 2).Draw(t, "command") == 0 {
					s.command()
				}
			case 3:
				if rapid.IntRange(0, 3).Draw(t, "reload") == 0 {
					s.reload()
				}
			default:
				s.answer()
			}
		}
		if rapid.Bool().Draw(t, "settle") {
			s.settle()
		}
		if !s.ended {
			s.shutdown()
		}
		s.replay()
	})
}

// replay tells a fresh Machine the same inputs as they come out of the journal's codec: it decides the same.
func (s *slow) replay() {
	var digest RunDigest
	m := NewMachine()
	for _, r := range s.inputs {
		in, err := DecodeInput(r.data, func(d plan.Digest) (*plan.Plan, error) { return s.plans[d], nil })
		if err != nil {
			s.t.Fatalf("%s: %v", r.data, err)
		}
		digest.Fold(r.at, in, m.Step(r.at, in, nil))
	}
	if digest.String() != s.digest.String() || digest.Steps() != uint64(len(s.inputs)) {
		s.t.Fatalf("a replay of %d inputs decided differently", len(s.inputs))
	}
}

// reload takes over a plan in which somebody is gone, new or changed.
func (s *slow) reload() {
	p := drawChange(s.t, s.plan, len(s.inputs))
	if rapid.IntRange(0, 4).Draw(s.t, "by hand") == 0 {
		p = s.trial.proven // somebody takes the change back
	}
	s.plans[p.Digest()] = p
	s.commit(Reloaded{Plan: p, Generation: uint64(len(s.inputs)) + 1, By: "test"})
}

// command lets an operator steer a random actor.
func (s *slow) command() {
	who := rapid.SampledFrom(s.plan.Actors).Draw(s.t, "target")
	verb := rapid.SampledFrom([]string{"restart", "stop", "resume", "pause", "quarantine", "release"}).Draw(s.t, "verb")
	if verb == "restart" || verb == "stop" || verb == "resume" {
		s.groups, s.steered = map[string]*restarting{}, true // who starts first is not only the group's affair now
	}
	lasts := time.Duration(0)
	if verb == "stop" || verb == "pause" || verb == "quarantine" {
		lasts = time.Duration(rapid.IntRange(0, 2).Draw(s.t, "for")) * time.Second
	}
	s.step(Commanded{Number: 1, By: "test", Action: Steer{Verb: verb, Target: who.Path, For: lasts}})
}

// drawChange copies a plan and removes some actors, changes some, and adds one.
func drawChange(t *rapid.T, old *plan.Plan, number int) *plan.Plan {
	p := &plan.Plan{Reload: drawReload(t)}
	place := map[int]int{-1: -1}
	for i := range old.Actors {
		a := old.Actors[i]
		parent, kept := place[a.Parent]
		if !kept || i > 0 && rapid.IntRange(0, 9).Draw(t, "remove") == 0 {
			continue
		}
		place[i] = len(p.Actors)
		own := *a.Definition
		a.Parent, a.Definition = parent, &own
		if a.Supervisor != nil {
			spec := *a.Supervisor
			spec.Children = nil
			a.Supervisor = &spec
		} else if rapid.IntRange(0, 4).Draw(t, "change") == 0 {
			a.Concurrency = number
		}
		p.Actors = append(p.Actors, a)
	}
	up := 0
	for i := range p.Actors {
		if p.Actors[i].Supervisor != nil && rapid.Bool().Draw(t, "grow") {
			up = i
		}
	}
	grow(t, p, up, number)
	for i := 1; i < len(p.Actors); i++ {
		spec := p.Actors[p.Actors[i].Parent].Supervisor
		spec.Children = append(spec.Children, i)
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

// grow adds an actor, sometimes with a child, and sometimes one of a name that was there before.
func grow(t *rapid.T, p *plan.Plan, up, number int) {
	names := []string{"n0", "n1", "n2", fmt.Sprint("n", 3+number)}
	name := names[slices.IndexFunc(names, func(name string) bool {
		return !slices.ContainsFunc(p.Actors, func(a plan.Actor) bool { return a.Path == p.Actors[up].Path+"/"+name })
	})]
	newcomer := func(name string, up int) plan.Actor {
		return plan.Actor{Name: name, Path: p.Actors[up].Path + "/" + name, Parent: up, Definition: &plan.Definition{
			Kind: plan.Script, Script: &plan.ScriptSpec{}, Restart: plan.Restart{Policy: plan.Always}, Order: 1000 + number,
		}}
	}
	p.Actors = append(p.Actors, newcomer(name, up))
	if !rapid.Bool().Draw(t, "with a child") {
		return
	}
	at := &p.Actors[len(p.Actors)-1]
	at.Kind, at.Script = plan.Supervisor, nil
	at.Supervisor = &plan.SupervisorSpec{Strategy: plan.OneForOne, Intensity: plan.Intensity{Max: 1, Within: time.Second}, AutoShutdown: "never"}
	p.Actors = append(p.Actors, newcomer("k", len(p.Actors)-1))
}

// settle lets everything that is under way come to its end.
func (s *slow) settle() {
	for !s.ended && len(s.pending)+len(s.timers) > 0 {
		s.answer()
		if len(s.pending) == 0 {
			s.tick()
		}
	}
	if s.ended {
		return
	}
	s.closed()
	for _, a := range s.m.Status().Actors {
		if !slices.Contains([]string{"running", "stopped", "failed", "paused", "quarantined"}, a.State) {
			s.t.Fatalf("%s is %s for ever", a.Path, a.State)
		}
		def := s.plan.Actor(a.Path)
		if a.Held {
			continue
		}
		if a.State == "running" || a.State == "paused" || a.State == "quarantined" || def.Restart.Policy != plan.Always || def.Parent < 0 {
			continue
		}
		if up := s.m.Status().Actors[def.Parent]; up.State == "running" {
			s.t.Fatalf("%s is always to be restarted, and is %s", a.Path, a.State)
		}
	}
}

func (s *slow) shutdown() {
	s.closing = true
	for id, one := range s.live {
		for path := s.paths[id]; one.stopping && strings.Contains(path, "/"); {
			path = path[:strings.LastIndex(path, "/")]
			s.busy[path] = strings.Contains(path, "/")
		}
	}
	s.step(Shutdown{Why: "test"})
	for !s.ended {
		if len(s.pending) == 0 {
			s.t.Fatal("the shutdown waits for nothing")
		}
		s.answer()
	}
	if len(s.timers) > 0 {
		s.t.Fatalf("%d timers are left", len(s.timers))
	}
}
