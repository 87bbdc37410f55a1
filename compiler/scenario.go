package compiler

import (
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// ScenarioOptions say what lies around a scenario. The zero value is usable as long as no step reloads a file.
type ScenarioOptions struct {
	Options
	// Load reads the file of a step `reload: {file: …}`, relative to the scenario's file. nil: such steps are errors.
	Load func(path string) (*spec.Set, spec.Diagnostics)
	// Recorded reads the calls of a recording, in the order of their time; name is local to dir. nil: such loads are errors.
	Recorded func(dir, name string) ([]plan.Arrival, error)
}

// CompileScenario makes a scenario of the set's topology and one of its Scenario documents, which lies over the topology
// with its own override. The scenario is nil when there are errors. A step that reloads what does not compile is no error:
// the engine refuses it when its time comes. The set is not changed.
func CompileScenario(set *spec.Set, doc *spec.Document, opts ScenarioOptions) (*plan.Scenario, spec.Diagnostics) {
	own := doc.Root.Field("override")
	override := spec.Merge(opts.Override, own)
	top, diags := spec.Resolve(set, override)
	if top == nil {
		return nil, diags.Sorted()
	}
	v, more := top.Complete(doc)
	c := newCompiler(top, opts.Options)
	c.diags = append(diags, more...)
	if c.topology(); len(c.units) == 0 {
		return nil, c.diags.Sorted()
	}
	s := scripted{compiler: c, set: set, override: override, opts: opts, value: v}
	out := s.scenario(doc)
	if c.diags.HasErrors() {
		return nil, c.diags.Sorted()
	}
	c.keepLatency()
	if err := c.plan.Seal(); err != nil {
		c.errorf("LR299", top.Root.Pos, "%v", err)
		return nil, c.diags.Sorted()
	}
	if s.reloads(out); c.diags.HasErrors() {
		return nil, c.diags.Sorted()
	}
	if opts.Explored && (len(out.Explore.Verbs) == 0 || slices.Contains(out.Explore.Verbs, "reload")) {
		out.Explore.Reloads = s.nudges()
	}
	return out, c.diags.Sorted()
}

// scripted compiles one scenario over its topology.
type scripted struct {
	*compiler
	set      *spec.Set
	override *spec.Value // the scenario's over the caller's
	opts     ScenarioOptions
	value    *spec.Value
	ids      []string // of the steps, "" for one without
	lasting  []bool   // whether a step has an end to wait for
}

func placed(p spec.Pos) plan.Place { return plan.Place{File: p.File, Line: p.Line, Col: p.Col} }

func (c *scripted) scenario(doc *spec.Document) *plan.Scenario {
	v := c.value
	out := &plan.Scenario{
		Name: doc.Name, Place: placed(v.Pos), Seed: uint64(v.At("seed").Int()), Duration: v.At("duration").Duration(),
		Clock: v.At("clock").Time(), Plan: c.plan,
	}
	c.named = nil // those of the topology are checked
	c.loads = []string{}
	for _, item := range v.Entry("load").Items() {
		c.loads = append(c.loads, item.Entry("name").Text())
	}
	c.register(v.Entry("timeline").Items())
	for _, item := range v.Entry("load").Items() {
		out.Loads = append(out.Loads, c.load(item))
	}
	out.World = c.world(v.Entry("world"))
	c.scalable()
	for _, item := range v.Entry("timeline").Items() {
		out.Steps = append(out.Steps, c.step(item))
	}
	for _, item := range v.Entry("expect").Items() {
		out.Expect = append(out.Expect, c.expectation(item))
	}
	out.Explore = c.explore(v.At("explore"))
	c.checkNamed()
	c.checkMoments(out)
	return out
}

// register learns the steps' ids, which may be used before they stand.
func (c *scripted) register(steps []*spec.Value) {
	first := map[string]spec.Pos{}
	for _, item := range steps {
		id := item.Entry("id")
		c.ids = append(c.ids, id.Text())
		c.lasting = append(c.lasting, item.Entry("for") == nil && endless(verbOf(item)))
		if id == nil {
			continue
		}
		if pos, taken := first[id.Text()]; taken {
			c.errorf("LR502", id.Pos, "step %q already defined at %s", id.Text(), at(id.Pos, pos))
		} else if id.Text() == "start" || id.Text() == "end" {
			c.errorf("LR502", id.Pos, "%q is the scenario's own moment; choose another id", id.Text())
		}
		first[id.Text()] = id.Pos
	}
}

// verbOf is what a step does, "" when it marks a moment.
func verbOf(step *spec.Value) string {
	for _, e := range step.Entries() {
		if !slices.Contains([]string{"id", "at", "when", "every", "for"}, e.Key) {
			return e.Key
		}
	}
	return ""
}

// endless tells verbs that go on until they are undone.
func endless(verb string) bool {
	return slices.Contains([]string{
		"hang", "slow", "fail", "drop", "delay", "duplicate", "reorder", "partition", "clock_skew", "corrupt", "exhaust", "poison", "world",
		"pause", "quarantine", "force_open", "force_close", "emergency",
	}, verb)
}

// instant tells verbs that leave nothing to undo.
func instant(verb string) bool {
	return slices.Contains([]string{"crash", "fill_mailbox", "restart", "inject", "set_state", "checkpoint", "webhook", "log", "release", "resume", "reset", "run"}, verb)
}

// moment reads a moment; nil when it is absent or wrong.
func (c *scripted) moment(v *spec.Value) *plan.Moment {
	if v == nil {
		return nil
	}
	anchor, offset := v.Moment()
	switch anchor {
	case "start":
		return &plan.Moment{Step: plan.Whole, Offset: offset}
	case "end":
		if offset > 0 {
			c.errorf("LR503", v.Pos, "nothing comes after the end; make the duration longer")
		}
		return &plan.Moment{Step: plan.Whole, End: true}
	}
	id, part, _ := strings.Cut(anchor, ".")
	step := slices.Index(c.ids, id)
	if step < 0 {
		c.unknown("LR501", v.Pos, "moment", id, c.known())
		return nil
	}
	if part == "end" && c.lasting[step] {
		c.errorf("LR503", v.Pos, "%q never ends; give the step a `for`", id)
	}
	return &plan.Moment{Step: step, End: part == "end", Offset: offset}
}

func (c *scripted) known() []string {
	return append(slices.DeleteFunc(slices.Clone(c.ids), func(id string) bool { return id == "" }), "start", "end")
}

// checkMoments reports moments that lie behind the end, or wait for one another.
func (c *scripted) checkMoments(s *plan.Scenario) {
	items := c.value.Entry("timeline").Items()
	for i := range s.Steps {
		v := items[i].Entry("at")
		if v == nil || s.Steps[i].At == nil {
			continue
		}
		if c.circular(s, i) {
			c.errorf("LR503", v.Pos, "the moment waits for itself")
			return
		}
		if at, fixed := s.Fixed(*s.Steps[i].At); fixed && at >= s.Duration {
			c.errorf("LR503", v.Pos, "at %s the scenario is over, which lasts %s", at, s.Duration)
		}
	}
	for i, item := range c.value.Entry("expect").Items() {
		for _, b := range []struct {
			name string
			m    *plan.Moment
		}{{"after", s.Expect[i].After}, {"until", s.Expect[i].Until}, {"at", s.Expect[i].At}} {
			if b.m == nil {
				continue
			}
			if at, fixed := s.Fixed(*b.m); fixed && at > s.Duration {
				c.errorf("LR503", item.Entry(b.name).Pos, "at %s the scenario is over, which lasts %s", at, s.Duration)
			}
		}
	}
}

// circular tells whether a step's moment hangs on itself.
func (c *scripted) circular(s *plan.Scenario, step int) bool {
	for at, n := step, 0; n <= len(s.Steps); n++ {
		m := s.Steps[at].At
		if m == nil || m.Step == plan.Whole {
			return false
		}
		at = m.Step
	}
	return true
}

// whom reads a target: a pattern over paths, or the path of one actor or group.
func (c *scripted) whom(v *spec.Value) string {
	switch {
	case v == nil:
		return ""
	case plan.IsGlob(v.Text()):
		c.matches(v.Text(), v.Pos)
		return v.Text()
	}
	t, ok := c.resolve(v)
	if !ok {
		return ""
	}
	return t.path()
}

func (c *scripted) expectation(v *spec.Value) plan.Expectation {
	out := plan.Expectation{
		Name: v.Entry("name").Text(), Place: placed(v.Pos), After: c.moment(v.Entry("after")), Until: c.moment(v.Entry("until")),
		Within: v.Entry("within").Duration(), At: c.moment(v.Entry("at")),
	}
	for _, kind := range []string{"always", "never", "sometimes", "eventually", "holds", "finally"} {
		if e := v.Entry(kind); e != nil {
			out.Kind, out.Place = kind, placed(e.Pos)
			out.Cond = c.condition(e, in(rules.AtExpect))
			c.reach(out, e)
		}
	}
	lacks := func(field, kind string) {
		switch {
		case out.Kind == kind && v.Entry(field) == nil:
			c.errorf("LR504", v.Pos, "%s needs %s", kind, field)
		case out.Kind != kind && v.Entry(field) != nil:
			c.errorf("LR504", v.Entry(field).Pos, "%s belongs to %s; this expectation says %s", field, kind, out.Kind)
		}
	}
	lacks("within", "eventually")
	lacks("at", "holds")
	for _, field := range []string{"after", "until"} {
		if (out.Kind == "holds" || out.Kind == "finally") && v.Entry(field) != nil {
			c.errorf("LR504", v.Entry(field).Pos, "%s is judged at one moment, so it takes no %s", out.Kind, field)
		}
	}
	if out.Kind == "eventually" && out.Until != nil {
		c.errorf("LR504", v.Entry("until").Pos, "eventually is bounded by within, so it takes no until")
	}
	return out
}

// reach reports an expectation at one moment that names calls or events, which are none.
func (c *scripted) reach(e plan.Expectation, v *spec.Value) {
	if e.Cond == nil || e.Kind != "holds" && e.Kind != "finally" {
		return
	}
	for _, path := range e.Cond.Reads() {
		if strings.HasPrefix(path, "call.") || strings.HasPrefix(path, "event.") {
			c.errorf("LR504", v.Pos, "%s is judged at one moment, where there is no call and no event; use always, never or sometimes", e.Kind)
			return
		}
	}
}

func (c *scripted) explore(v *spec.Value) plan.Explore {
	out := plan.Explore{Runs: int(v.At("runs").Int()), Most: int(v.At("faults").At("max").Int()), Shrink: v.At("shrink").Bool()}
	for _, item := range v.At("faults").Entry("verbs").Items() {
		out.Verbs = append(out.Verbs, item.Text())
	}
	for _, item := range v.At("faults").Entry("targets").Items() {
		out.Targets = append(out.Targets, c.whom(item))
	}
	return out
}
