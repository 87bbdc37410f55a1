package scenario

import (
	"path/filepath"
	"slices"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

// Loaded is what a file with scenarios gave. Scenarios is empty when Diagnostics has errors.
type Loaded struct {
	Scenarios   []*plan.Scenario
	Diagnostics spec.Diagnostics
	Files       []spec.File // for showing the lines

	over compiler.Options
	sets []layered // of each scenario
}

// layered is what a scenario's topology is made of.
type layered struct {
	set  *spec.Set
	over *spec.Value // the scenario's override over that of the options
}

// Settings lists every effective value of a scenario's topology and where it stands.
func (l *Loaded) Settings(scenario int) []compiler.Setting {
	opts := l.over
	opts.Override = l.sets[scenario].over
	out, _ := compiler.Explain(l.sets[scenario].set, opts) // its findings are those of Load
	return out
}

// Load reads a file and compiles its scenarios, each with its topology: the one it names, or the one in the file. The
// scenarios' own overrides lie over that of the compiler's options.
func Load(files spec.FileSystem, path string, opts spec.Options, over compiler.Options) *Loaded {
	l := &Loaded{over: over}
	set, diags := spec.Load(files, []string{path}, opts)
	l.take(set, diags)
	if diags.HasErrors() {
		return l
	}
	if len(set.Scenarios) == 0 {
		l.add(spec.Diagnostic{Code: "LR124", Pos: spec.Pos{File: path}, Message: "no scenario in the file; add a document with kind: Scenario"})
		return l
	}
	for i := range set.Scenarios {
		l.scenario(files, path, set, i, opts)
	}
	l.Diagnostics = l.Diagnostics.Sorted()
	if l.Diagnostics.HasErrors() {
		l.Scenarios = nil
	}
	return l
}

// scenario compiles one of a file's scenarios.
func (l *Loaded) scenario(files spec.FileSystem, path string, set *spec.Set, i int, opts spec.Options) {
	doc := set.Scenarios[i]
	switch ref := doc.Root.Field("topology"); {
	case ref != nil:
		own, diags := spec.Load(files, []string{filepath.Join(filepath.Dir(path), ref.Text()), path}, opts)
		l.take(own, diags)
		if diags.HasErrors() || i >= len(own.Scenarios) {
			return
		}
		set, doc = own, own.Scenarios[i]
	case set.Topology == nil:
		l.add(spec.Diagnostic{Code: "LR124", Pos: doc.Root.Pos, Message: "the scenario names no topology, and there is none in its file", Suggestion: "add topology: PATH"})
		return
	}
	s, diags := compiler.CompileScenario(set, doc, compiler.ScenarioOptions{Options: l.over, Recorded: Recording, Load: func(file string) (*spec.Set, spec.Diagnostics) {
		return spec.Load(files, []string{file}, opts)
	}})
	l.Diagnostics = append(l.Diagnostics, diags...)
	if s != nil {
		l.Scenarios = append(l.Scenarios, s)
		l.sets = append(l.sets, layered{set, spec.Merge(l.over.Override, doc.Root.Field("override"))})
	}
}

func (l *Loaded) add(d spec.Diagnostic) { l.Diagnostics = append(l.Diagnostics, d) }

func (l *Loaded) take(set *spec.Set, diags spec.Diagnostics) {
	l.Diagnostics = append(l.Diagnostics, diags...)
	for _, f := range set.Files {
		if !slices.ContainsFunc(l.Files, func(have spec.File) bool { return have.Path == f.Path }) {
			l.Files = append(l.Files, f)
		}
	}
}
