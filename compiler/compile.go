// Package compiler turns what an author wrote into the plan that the engine runs.
//
// Compile resolves a spec.Set, expands replicas, resolves names, builds guards, compiles every expression against the
// place where it stands, and checks what only the whole can show: cycles, guards that can never open, routes nobody
// reaches. It reports all that is wrong at once, with the place of each value. Every default comes from the table of
// package spec; the compiler knows none.
//
// The compiler starts nothing and touches no file, so what validates offline is what runs.
package compiler

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// Options say what lies over and around the documents. The zero value is usable.
type Options struct {
	// Override lies over everything else; see spec.ParseOverride. It may be nil.
	Override *spec.Value
	// Dir is where relative commands start; "" is the directory of the topology's file.
	Dir string
	// Explored gives a scenario reloads for random fault schedules: thresholds of its topology that are nudged.
	Explored bool
}

// Compile makes a sealed plan of a set. The plan is nil when there are errors; warnings come with a plan. Findings are in
// file order. It is safe to compile from several goroutines at once, and it does not change the set.
func Compile(set *spec.Set, opts Options) (*plan.Plan, spec.Diagnostics) {
	top, diags := spec.Resolve(set, opts.Override)
	if top == nil {
		return nil, diags.Sorted()
	}
	c := newCompiler(top, opts)
	c.diags = diags
	c.topology()
	if c.diags.HasErrors() {
		return nil, c.diags.Sorted()
	}
	if err := c.plan.Seal(); err != nil {
		c.errorf("LR299", top.Root.Pos, "%v", err)
		return nil, c.diags.Sorted()
	}
	return c.plan, c.diags.Sorted()
}

// compiler holds one compilation. It is used by one goroutine.
type compiler struct {
	top     *spec.Topology
	root    *spec.Value
	plan    *plan.Plan
	diags   spec.Diagnostics
	secrets map[string]bool
	tree
	expressions
	defences
}

// tree is who there is, by every name.
type tree struct {
	units    []*unit // every actor that is on, replicas not expanded, parents first
	byName   map[string][]*unit
	byPath   map[string]*unit
	replicas map[string]*unit // path of a replica -> its group
	passing  bool             // replicas that are named at hand need not exist: they come and go
	filled   bool             // a text of the definition at hand depends on the replica
}

// expressions are what they may read, and those that have been compiled.
type expressions struct {
	params   []rules.Field
	messages map[string]message
	metrics  []string // that some actor declares; nil when none does
	programs map[programKey]*rules.Program
	reported map[exprPlace]bool
	named    []reference // subjects that expressions name, checked when all is known
	loads    []string    // of the scenario at hand
}

// defences are the guards built so far.
type defences struct {
	breakers   map[string]bool          // names of all breakers
	edges      map[string]edgeUse       // guards of edges by name
	built      []*plan.Breaker          // all breakers of the plan
	conditions map[*rules.Program]*when // wired once, however many breakers share them
}

func newCompiler(top *spec.Topology, opts Options) *compiler {
	dir := opts.Dir
	if dir == "" {
		dir = filepath.Dir(top.File)
	}
	return &compiler{
		top: top, root: top.Root, plan: &plan.Plan{Name: top.Name, Dir: dir}, secrets: map[string]bool{},
		tree:        tree{byName: map[string][]*unit{}, byPath: map[string]*unit{}, replicas: map[string]*unit{}},
		expressions: expressions{messages: map[string]message{}, programs: map[programKey]*rules.Program{}, reported: map[exprPlace]bool{}},
		defences:    defences{breakers: map[string]bool{}, edges: map[string]edgeUse{}, conditions: map[*rules.Program]*when{}},
	}
}

func (c *compiler) topology() {
	c.declare()
	c.definitions()
	if !c.collect() {
		return
	}
	c.actors()
	c.gateway()
	c.steering()
	c.settings()
	c.keepLatency()
	c.checkNamed()
	c.keepNamed()
	c.checkCycles()
	c.checkReach()
	c.plan.Labels = labels(c.top.Labels)
	for s := range c.secrets {
		c.plan.Secrets = append(c.plan.Secrets, s)
	}
	slices.Sort(c.plan.Secrets)
}

// definitions compiles the named policies, so that a mistake in one that nobody uses is reported too. A definition may be
// partial, so what is merely odd about it is not: it is once somebody uses it.
func (c *compiler) definitions() {
	before := len(c.diags)
	policies := c.root.Entry("policies")
	for _, e := range policies.Entry("breakers").Entries() {
		c.breaker(e.Value, edge{outside: true})
	}
	for _, e := range policies.Entry("retries").Entries() {
		c.retry(e.Value)
	}
	for _, e := range policies.Entry("restarts").Entries() {
		c.restart(e.Value)
	}
	odd := func(d spec.Diagnostic) bool { return d.Severity == spec.Warning }
	c.diags = append(c.diags[:before], slices.DeleteFunc(c.diags[before:], odd)...)
	clear(c.breakers)
	c.built = nil
}

func labels(from map[string]string) []plan.Label {
	out := make([]plan.Label, 0, len(from))
	for k, v := range from {
		out = append(out, plan.Label{Key: k, Value: v})
	}
	slices.SortFunc(out, func(a, b plan.Label) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// pairs reads a table of texts as labels.
func (c *compiler) pairs(v *spec.Value, vars vars) []plan.Label {
	var out []plan.Label
	for _, e := range v.Entries() {
		out = append(out, plan.Label{Key: e.Key, Value: c.text(e.Value, vars)})
	}
	slices.SortFunc(out, func(a, b plan.Label) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// vars are ${name} and ${replica} of the actor at hand.
type vars map[string]string

// text reads a text and remembers it when it is secret, so that a printed plan hides it.
func (c *compiler) text(v *spec.Value, vars vars) string {
	text := v.TextFor(vars)
	c.filled = c.filled || vars != nil && text != v.Text()
	if v != nil && v.Secret && text != "" {
		c.secrets[text] = true
	}
	return text
}

func (c *compiler) texts(v *spec.Value, vars vars) []string {
	var out []string
	for _, item := range v.Items() {
		out = append(out, c.text(item, vars))
	}
	return out
}

// data reads plain data with ${name} and ${replica} filled in.
func (c *compiler) data(v *spec.Value, vars vars) any {
	switch {
	case v == nil:
		return nil
	case len(v.Entries()) > 0:
		out := make(map[string]any, len(v.Entries()))
		for _, e := range v.Entries() {
			out[e.Key] = c.data(e.Value, vars)
		}
		return out
	case len(v.Items()) > 0:
		out := make([]any, len(v.Items()))
		for i, item := range v.Items() {
			out[i] = c.data(item, vars)
		}
		return out
	case v.Type.Shape == spec.Text:
		return c.text(v, vars)
	case v.Type.Shape == spec.Int:
		return v.Float() // as JSON and expressions count
	}
	return v.Interface()
}

// on reports whether a part that can be switched off is there and on.
func on(v *spec.Value) bool {
	return v != nil && (v.Type.Field("enabled") == nil || v.At("enabled").Bool())
}

// hold reads a duration, or so much of a duration.
func hold(v *spec.Value) plan.Hold {
	lasts, of := v.Hold()
	if of == lasts {
		of = 0
	}
	return plan.Hold{For: lasts, Of: of}
}
