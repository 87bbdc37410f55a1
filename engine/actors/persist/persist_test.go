package persist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/internal/fake"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// sums adds numbers up, all in all and by name. Messages: add keeps, fail keeps and then fails, half changes its state behind the
// journal's back and fails, odd keeps what cannot be encoded.
type sums struct {
	keep  engine.Persist
	total float64
	names map[string]any
}

type added struct {
	Name string
	N    float64
}

func (s *sums) Source(keep engine.Persist) { s.keep = keep }
func (s *sums) State() any                 { return map[string]any{"total": s.total, "names": s.names} }

func (s *sums) SetState(state any) error {
	m, ok := state.(map[string]any)
	if !ok {
		return errors.New("no mapping")
	}
	s.total, _ = m["total"].(float64)
	s.names, _ = m["names"].(map[string]any)
	return nil
}

func (s *sums) Apply(event any) error {
	m, ok := event.(map[string]any)
	if !ok {
		return fmt.Errorf("no mapping but %T", event)
	}
	n, _ := m["N"].(float64)
	if m["Name"] == "who may not be named" {
		panic("named")
	}
	if n < 0 {
		return errors.New("a negative number")
	}
	name, _ := m["Name"].(string)
	old, _ := s.names[name].(float64)
	if s.names == nil {
		s.names = map[string]any{}
	}
	s.total, s.names[name] = s.total+n, old+n
	return nil
}

func (s *sums) Handle(ctx engine.Context, m engine.Msg) error {
	n, _ := m.Payload.(float64)
	switch m.Type {
	case "half":
		s.total += 1000
		return errors.New("half way")
	case "odd":
		return s.keep(ctx, make(chan int))
	}
	if err := s.keep(ctx, added{"a", n}); err != nil {
		return err
	}
	ctx.Reply(s.total)
	if m.Type == "fail" {
		return errors.New("after the change")
	}
	return nil
}

// plainly is a behaviour whose changes nobody sees.
type plainly struct{ n float64 }

func (p *plainly) State() any               { return p.n }
func (p *plainly) SetState(state any) error { p.n, _ = state.(float64); return nil }
func (p *plainly) Handle(_ engine.Context, m engine.Msg) error {
	p.n++
	if m.Type == "fail" {
		return errors.New("as asked")
	}
	return nil
}

// desk is an engine's part of it: a log and a disk that outlive incarnations.
type desk struct {
	t      testing.TB
	log    *Memory
	over   Log // instead of log, when it is set
	states *journal.States
	keeper *Keeper
	told   []string
	def    plan.Actor
	live   engine.Behavior
	ctx    *fake.Context
}

func newDesk(t testing.TB, p plan.Persist) *desk {
	d := &desk{t: t, log: &Memory{}, states: journal.NewStates(&journal.MemoryFS{}, "states", 3)}
	d.def = plan.Actor{Name: "a", Path: "root/a", Definition: &plan.Definition{Kind: plan.Go, Place: "t.yaml:1:1", Persist: p}}
	d.reboot()
	return d
}

// reboot is the end of the engine by force, and another one.
func (d *desk) reboot() {
	log := Log(d.log)
	if d.over != nil {
		log = d.over
	}
	d.keeper = New(log, d.states, func(_ string, body journal.Body) { d.told = append(d.told, body.(journal.Logged).Text) })
	other := d.def
	other.Path = "root/other"
	d.keeper.Follow(&plan.Plan{Actors: []plan.Actor{d.def, other}})
	d.keeper.Preload()
	d.keeper.Follow(&plan.Plan{Actors: []plan.Actor{d.def}})
}

func (d *desk) factory(b func() engine.Behavior) engine.Factory {
	return d.keeper.Wrap(func(*plan.Actor, *plan.Plan) (engine.Behavior, error) { return b(), nil })
}

// start begins an incarnation.
func (d *desk) start(b func() engine.Behavior) error {
	d.t.Helper()
	live, err := d.factory(b)(&d.def, &plan.Plan{})
	if err != nil {
		return err
	}
	d.ctx = fake.New(&d.def)
	if r, ok := live.(engine.Runner); ok {
		err = r.Start(nil)
	}
	d.live = live
	return err
}

func (d *desk) up(b func() engine.Behavior) {
	d.t.Helper()
	if err := d.start(b); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) send(kind string, n float64) error {
	return d.live.Handle(d.ctx, engine.Msg{Type: kind, Payload: n})
}

func (d *desk) total() float64 {
	s, _ := engine.As[engine.Stateful](d.live)
	if m, ok := s.State().(map[string]any); ok {
		return m["total"].(float64)
	}
	return s.State().(float64)
}

func fresh() engine.Behavior { return &sums{} }

func (d *desk) said(text string) bool {
	return slices.ContainsFunc(d.told, func(s string) bool { return strings.Contains(s, text) })
}

// An incarnation begins as the one before it was after its last change, however that one ended; what was done behind the
// journal's back is not kept.
func TestChangesOutliveAnyEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: rapid.IntRange(1, 6).Draw(rt, "every")})
		d.up(fresh)
		model := 0.0
		for range rapid.IntRange(0, 40).Draw(rt, "steps") {
			switch step := rapid.SampledFrom([]string{"add", "add", "add", "fail", "half", "odd", "restart", "reboot", "stop", "set", "spoil", "idle"}).Draw(rt, "step"); step {
			case "add", "fail", "half", "odd":
				err := d.send(step, 2)
				if (err != nil) != (step != "add") {
					rt.Fatal(step, err)
				}
				if step == "odd" {
					continue
				}
				if step != "half" {
					model += 2
				}
				if err == nil {
					continue
				}
				d.up(fresh)
			case "restart":
				d.up(fresh)
			case "reboot":
				d.reboot()
				d.up(fresh)
			case "stop":
				if err := d.live.(engine.Runner).Stop(t.Context()); err != nil {
					rt.Fatal(err)
				}
				d.up(fresh)
			case "set":
				s, _ := engine.As[engine.Stateful](d.live)
				if err := s.SetState(map[string]any{"total": 7.0, "names": map[string]any{}}); err != nil {
					rt.Fatal(err)
				}
				model = 7
			case "spoil": // the one before it is as good, with more changes after it
				_ = d.states.Spoil("root/a")
				d.up(fresh)
				if s, _ := engine.As[engine.Stateful](d.live); model > 0 {
					_ = s.SetState(s.State()) // two whole ones again: nothing is promised when both are spoilt
					_ = s.SetState(s.State())
				}
			case "idle":
				d.keeper.CatchUp(d.log.last)
				if need := d.keeper.Needed(d.log.last + 1); need <= d.log.last {
					rt.Fatalf("%d of %d is still needed: %v", need, d.log.last, d.told)
				}
			}
			if got := d.total(); got != model {
				rt.Fatalf("it is at %v, want %v; %v", got, model, d.told)
			}
		}
		if n := len(d.log.kept["root/a"]); n > 3*6+3 {
			rt.Fatalf("the log has %d changes that nobody needs", n)
		}
	})
}

// What happens in which order: the change is in the log before the answer leaves, and applied once, as it comes back from JSON.
func TestAChangeIsKeptBeforeTheAnswer(t *testing.T) {
	d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: 100})
	refuse := &turnable{Log: d.log}
	d.over = refuse
	d.reboot()
	d.up(fresh)
	refuse.before = func() {
		if len(d.ctx.Replied) > 0 || d.total() != 0 {
			t.Error("the answer or the change comes before the change is kept")
		}
	}
	if err := d.send("add", 2); err != nil || len(d.ctx.Replied) != 1 || d.total() != 2 {
		t.Error(err, d.ctx.Replied, d.total())
	}
	if want := []journal.Body{journal.StateChanged{Sequence: 1, Change: json.RawMessage(`{"Name":"a","N":2}`)}}; fmt.Sprint(d.ctx.Emitted) != fmt.Sprint(want) {
		t.Errorf("%s", d.ctx.Emitted)
	}
	refuse.before = nil
	refuse.err = &engine.Error{Kind: engine.KindRefused}
	if err := d.send("add", 2); err != refuse.err || d.total() != 2 || len(d.ctx.Replied) != 1 {
		t.Errorf("a refused change: %v, total %v, replied %v", err, d.total(), d.ctx.Replied)
	}
	refuse.err = nil
	if err := d.send("add", 2); err != nil || d.total() != 4 {
		t.Errorf("after a refused change: %v, total %v", err, d.total())
	}
	refuse.err, refuse.kept = errors.New("who knows"), true
	if err := d.send("add", 2); err == nil || d.total() != 4 {
		t.Errorf("a change of which nobody knows: %v, total %v", err, d.total())
	}
	refuse.err = nil
	if err := d.send("add", 2); err == nil {
		t.Error("it changes on although nobody knows what is kept")
	}
	d.up(fresh)
	if d.total() != 6 {
		t.Errorf("the next incarnation is at %v, want 6 with the change of which nobody knew", d.total())
	}
}

// turnable is a log that can be told to refuse.
type turnable struct {
	Log
	before func()
	err    error
	kept   bool // although it fails
}

func (l *turnable) Keep(ctx engine.Context, actor string, c journal.StateChanged) (uint64, error) {
	if l.before != nil {
		l.before()
	}
	if l.err != nil && !l.kept {
		return 0, l.err
	}
	n, _ := l.Log.Keep(ctx, actor, c)
	return n, l.err
}

// An incarnation that has been replaced changes nothing any more.
func TestAnOldIncarnationIsFencedOff(t *testing.T) {
	d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: 1})
	d.up(fresh)
	old, ctx := d.live, d.ctx
	d.up(fresh)
	if err := old.Handle(ctx, engine.Msg{Type: "add", Payload: 5.0}); err != engine.ErrStopped {
		t.Error("the old one goes on:", err)
	}
	s, _ := engine.As[engine.Stateful](old)
	if err := s.SetState(map[string]any{}); err != engine.ErrStopped {
		t.Error("the old one's state can be set:", err)
	}
	_ = old.(engine.Runner).Stop(t.Context())
	if err := d.send("add", 2); err != nil || d.total() != 2 {
		t.Error(err, d.total())
	}
}

// What cannot be had of a state is told with its place, and stops a start unless it may go on with what is left.
func TestLossIsNeverSilent(t *testing.T) {
	spoilAll := func(d *desk) {
		files := &journal.MemoryFS{}
		d.states = journal.NewStates(files, "states", 3)
		_ = d.states.Save("root/a", journal.Snapshot{State: []byte("{}")})
		_ = d.states.Spoil("root/a")
	}
	for _, c := range []struct {
		name   string
		break_ func(d *desk)
		want   string
		left   float64
	}{
		{"a hole", func(d *desk) { d.log.kept["root/a"] = slices.Delete(d.log.kept["root/a"], 1, 3) },
			"its changes 2 to 3 are not in the journal before event 4", 10},
		{"the beginning", func(d *desk) { d.log.kept["root/a"] = d.log.kept["root/a"][1:] },
			"its changes 1 to 1 are not in the journal before event 2", 14},
		{"no JSON", func(d *desk) { d.log.kept["root/a"][3].Change = json.RawMessage("{") }, "event 4, its change 4: unexpected end of JSON", 11},
		{"not understood", func(d *desk) { d.log.kept["root/a"][4].Change = json.RawMessage(`{"N":-1}`) }, "event 5, its change 5: a negative number", 10},
		{"damage", func(d *desk) { d.over = broken{d.log, &journal.Damage{Segment: 3}} }, "segment 3", 15},
		{"a repaired hole", func(d *desk) { d.over = broken{d.log, fmt.Errorf("%w: events 3 to 4", journal.ErrDamaged)} }, "events 3 to 4", 15},
		{"all saved states", spoilAll, "", 15},
		{"all that there was", func(d *desk) { spoilAll(d); clear(d.log.kept) }, "checksum does not match", 0},
		{"a saved state that is none", func(d *desk) {
			_ = d.states.Save("root/a", journal.Snapshot{Plan: "abcdef", State: []byte("[]")})
			clear(d.log.kept)
		}, "the state that was saved under plan abcdef: no mapping", 0},
	} {
		d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: 100, OnLoss: "fail"})
		d.up(fresh)
		for i := range 5 {
			_ = d.send("add", float64(i+1))
		}
		c.break_(d)
		d.reboot()
		var failed *engine.Error
		err := d.start(fresh)
		if c.want == "" {
			if err != nil || d.total() != c.left {
				t.Errorf("%s: %v, total %v", c.name, err, d.total())
			}
			continue
		}
		if !errors.As(err, &failed) || failed.Kind != engine.KindStart || !strings.Contains(failed.Message, c.want) || !strings.Contains(failed.Message, "on_loss: continue") {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		_ = d.live.(engine.Runner).Stop(t.Context()) // must not save what it has not got
		d.def.Persist.OnLoss = "continue"
		d.up(fresh)
		if d.total() != c.left || !d.said("it goes on with what is left of its state: ") || !d.said(c.want) {
			t.Errorf("%s: goes on at %v, want %v; %q", c.name, d.total(), c.left, d.told)
		}
		d.def.Persist.OnLoss, d.over = "fail", nil
		d.reboot()
		d.up(fresh) // the loss has been taken, once
		if d.total() != c.left {
			t.Errorf("%s: after going on it is at %v, want %v", c.name, d.total(), c.left)
		}
	}
}

// broken is a log with a place that cannot be read.
type broken struct {
	Log
	err error
}

func (b broken) Changes(after map[string]uint64) iter.Seq2[Kept, error] {
	damage := (*journal.Damage)(nil)
	return func(yield func(Kept, error) bool) {
		if !errors.As(b.err, &damage) || yield(Kept{}, b.err) {
			b.Log.Changes(after)(yield)
		}
	}
}

func (b broken) Missing(after uint64) error {
	damage := (*journal.Damage)(nil)
	if errors.As(b.err, &damage) {
		return b.Log.Missing(after)
	}
	return b.err
}

// What was answered in this run and is not in the log, which failed and is gone on without, is missed too. And no code of a
// behaviour ends the engine when its state is saved for the log's sake.
func TestTheEndOfTheLogIsMissed(t *testing.T) {
	d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: 100})
	d.up(fresh)
	for range 3 {
		_ = d.send("add", 1)
	}
	kept := d.log.kept["root/a"]
	d.log.kept["root/a"] = kept[:1]
	if err := d.start(fresh); err == nil || !strings.Contains(err.Error(), "its changes 2 to 3 are not in the journal") {
		t.Error(err)
	}
	d.keeper.CatchUp(d.log.last)
	if !d.said("whose state cannot be saved: its changes 2 to 3 are not in the journal") {
		t.Errorf("%q", d.told)
	}
	d.log.kept["root/a"] = kept
	d.up(func() engine.Behavior { return &sums{} })
	d.log.kept["root/a"][2].Change = json.RawMessage(`{"Name":"who may not be named"}`) // Apply panics
	d.keeper.CatchUp(d.log.last)
	if !d.said("whose state cannot be saved: panic: ") {
		t.Errorf("%q", d.told)
	}
}

// What was read ahead of a start serves only the state that it was read for, and only one start.
func TestWhatWasReadAheadFits(t *testing.T) {
	d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: 2})
	d.up(fresh)
	for range 5 {
		_ = d.send("add", 1)
	}
	d.reboot()
	if tail := d.keeper.book("root/a").tail; tail == nil || len(tail.changes) != 1 {
		t.Fatalf("read ahead is %+v, want the one change after the newest state", tail)
	}
	_ = d.states.Spoil("root/a")
	for range 2 {
		d.up(fresh)
		if d.total() != 5 {
			t.Errorf("it begins at %v, want 5; %q", d.total(), d.told)
		}
	}
}

// What the log never had of an actor is no loss to it: not to a new one in an old journal.
func TestANewActorInAnOldLog(t *testing.T) {
	for _, err := range []error{fmt.Errorf("%w: 1 to 9", journal.ErrPruned), fmt.Errorf("%w: 1 to 9", journal.ErrDamaged)} {
		d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: 100})
		d.over = broken{d.log, err}
		d.reboot()
		d.up(fresh)
		if len(d.told) > 0 {
			t.Errorf("%v: told %q", err, d.told)
		}
	}
	d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: 1})
	d.up(fresh)
	_ = d.send("add", 3)
	d.over = broken{d.log, fmt.Errorf("%w: 1 to 9", journal.ErrPruned)}
	d.reboot()
	d.up(fresh)
	if d.total() != 3 || !d.said("if its state changed in what the journal no longer has") {
		t.Errorf("%v, told %q", d.total(), d.told)
	}
}

// A state that is newer than the log, which was cut or replaced, is taken, and what comes after it is not overlooked.
func TestAStateThatIsNewerThanTheLog(t *testing.T) {
	d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: 5})
	d.up(fresh)
	for range 5 {
		_ = d.send("add", 1)
	}
	d.log = &Memory{}
	d.reboot()
	d.up(fresh)
	if d.total() != 5 || !d.said("saved at event 5 and the journal ends before: at event 0") {
		t.Errorf("%v, %q", d.total(), d.told)
	}
	_ = d.send("add", 1)
	d.reboot()
	d.up(fresh)
	if d.total() != 6 {
		t.Errorf("the change after it is overlooked: %v", d.total())
	}
}

// With mode state the state is the one last saved: after so many changes, before their answer leaves, and at an orderly stop.
func TestModeState(t *testing.T) {
	for name, b := range map[string]func() engine.Behavior{"seen": fresh, "unseen": func() engine.Behavior { return &plainly{} }} {
		d := newDesk(t, plan.Persist{Mode: "state", SnapshotEvery: 2})
		d.up(b)
		for range 5 {
			_ = d.send("add", 1)
		}
		d.reboot()
		d.up(b)
		if d.total() != 4 {
			t.Errorf("%s: after a kill it is at %v, want 4", name, d.total())
		}
		_ = d.send("add", 1)
		_ = d.live.(engine.Runner).Stop(t.Context())
		d.reboot()
		d.up(b)
		if d.total() != 5 {
			t.Errorf("%s: after a stop it is at %v, want 5", name, d.total())
		}
		_ = d.send("fail", 1)
		_ = d.live.(engine.Runner).Stop(t.Context())
		d.up(b)
		if d.total() != 5 {
			t.Errorf("%s: after a failure it is at %v, want 5", name, d.total())
		}
		_ = d.send("add", 1)
		crashed, cancel := context.WithCancelCause(t.Context())
		cancel(&engine.Error{Kind: engine.KindCrash})
		_ = d.live.(engine.Runner).Stop(crashed)
		d.up(b)
		if d.total() != 5 {
			t.Errorf("%s: after a crash it is at %v, want 5", name, d.total())
		}
		if len(d.log.kept) > 0 {
			t.Errorf("%s: changes are in the log", name)
		}
	}
}

// A definition may change from one mode to the other and back: the state goes along.
func TestTheModeMayChange(t *testing.T) {
	d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: 100})
	want := 0.0
	for i, mode := range []string{"events", "state", "events", "events", "state", "state", "events"} {
		d.def.Persist.Mode = mode
		d.reboot()
		d.up(fresh)
		if d.total() != want {
			t.Fatalf("%d: with %s it begins at %v, want %v; %q", i, mode, d.total(), want, d.told)
		}
		for range 3 {
			_ = d.send("add", 1)
			want++
		}
		_ = d.live.(engine.Runner).Stop(t.Context())
	}
}

// Events need a behaviour that applies them; without persistence they are applied all the same, and recorded when wanted.
func TestWithoutPersistence(t *testing.T) {
	d := newDesk(t, plan.Persist{Mode: "events"})
	if err := d.start(func() engine.Behavior { return &plainly{} }); err == nil || !strings.Contains(err.Error(), "t.yaml:1:1: it cannot have persist: events") {
		t.Error(err)
	}
	d = newDesk(t, plan.Persist{Mode: "none"})
	d.up(fresh)
	if err := d.send("add", 2); err != nil || d.total() != 2 || len(d.ctx.Emitted) > 0 {
		t.Error(err, d.total(), d.ctx.Emitted)
	}
	d.ctx.Topo.Journal.Record = []string{"state"}
	if err := d.send("add", 2); err != nil || len(d.ctx.Emitted) != 1 || len(d.log.kept) > 0 {
		t.Error(err, d.ctx.Emitted)
	}
	if err := d.send("odd", 0); err == nil {
		t.Error("what cannot be encoded is accepted")
	}
	d.up(fresh)
	if d.total() != 0 {
		t.Errorf("it is persisted: %v", d.total())
	}
}

// A saved state and changes of any bytes are rebuilt from, or refused; they never end the engine.
func FuzzRebuild(f *testing.F) {
	f.Add([]byte(`{"total":1}`), []byte(`{"Name":"a","N":2}`), false)
	f.Add([]byte(`[]`), []byte(`{`), true)
	f.Fuzz(func(t *testing.T, state, change []byte, whole bool) {
		d := newDesk(t, plan.Persist{Mode: "events", SnapshotEvery: 100, OnLoss: "continue"})
		if err := d.states.Save("root/a", journal.Snapshot{State: state}); err != nil {
			t.Fatal(err)
		}
		_, _ = d.log.Keep(nil, "root/a", journal.StateChanged{Sequence: 1, Whole: whole, Change: change}) // it keeps anything
		d.reboot()
		if err := d.start(func() engine.Behavior { return &sums{} }); err != nil {
			t.Fatal(err) // with what is left it begins whatever was kept
		}
		if err := d.send("add", 1); err != nil {
			t.Fatal(err)
		}
	})
}
