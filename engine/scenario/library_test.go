package scenario_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

// library lists the scenarios that come with the program.
func library(t testing.TB) []string {
	files, err := filepath.Glob("../../examples/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	return files
}

// load compiles the scenarios of a file with an override such as {actors.api.guard.timeout: 1s}.
func load(t testing.TB, path, override string) []*plan.Scenario {
	t.Helper()
	return loaded(t, path, override).Scenarios
}

func loaded(t testing.TB, path, override string) *scenario.Loaded {
	t.Helper()
	var over compiler.Options
	if override != "" {
		v, diags := spec.ParseOverride("override", []byte(override), spec.Options{})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		over.Override = v
	}
	l := scenario.Load(spec.OS(), path, spec.Options{}, over)
	if l.Diagnostics.HasErrors() {
		t.Fatal(l.Diagnostics)
	}
	return l
}

func play(t testing.TB, s *plan.Scenario, o scenario.Options) *scenario.Report {
	t.Helper()
	r, err := scenario.Run(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// broken lists the expectations that did not pass.
func broken(r *scenario.Report) []string {
	var out []string
	for _, e := range r.Results {
		if e.Verdict != scenario.Pass {
			out = append(out, e.Name+": "+string(e.Verdict)+": "+e.Why)
		}
	}
	if r.Problem != "" {
		out = append(out, r.Problem)
	}
	return out
}

// without are the lines in a story that say what happens when a guard is taken away: `# without {PATH: VALUE}: EXPECTATION`.
var without = regexp.MustCompile(`(?m)^# without (\{.*\}): (.*)$`)

// Each guard that a story's topology has written is one that the story would miss: it says which expectation fails without
// it, and that one does.
func TestEveryStoryPassesAndFailsWithoutItsGuard(t *testing.T) {
	for _, path := range library(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range load(t, path, "") {
				if r := play(t, s, scenario.Options{}); !r.Passed() {
					t.Errorf("%s: %q", s.Name, broken(r))
				}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var told []plan.Digest
			for _, m := range without.FindAllStringSubmatch(string(text), -1) {
				all := load(t, path, m[1])
				if failing := failing(t, all); !slices.Contains(failing, m[2]) {
					t.Errorf("without %s the expectation %q should fail, and these do: %q", m[1], m[2], failing)
				}
				told = append(told, all[0].Plan.Digest())
			}
			for _, m := range weakenings(t, path) {
				if m.Removes && !slices.Contains(told, load(t, path, m.Override)[0].Plan.Digest()) {
					t.Errorf("%s %s: the story does not say what fails then: # without %s: one of %q", m.Of, m.What, m.Override, failing(t, load(t, path, m.Override)))
				}
			}
		})
	}
}

// Each threshold that a story's topology has written matters to it: some expectation notices when it is twice as far away.
func TestEveryStoryMindsItsThresholds(t *testing.T) {
	stories := library(t)
	if testing.Short() { // the others are the same runs again, each on one thread
		stories = stories[:1]
	}
	for _, path := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			for _, m := range weakenings(t, path) {
				if !m.Removes && len(failing(t, load(t, path, m.Override))) == 0 {
					t.Errorf("%s %s: nothing fails with %s", m.Of, m.What, m.Override)
				}
			}
		})
	}
}

// weakenings lists how the topology of a file can be weakened in what its author wrote.
func weakenings(t *testing.T, path string) []scenario.Mutation {
	t.Helper()
	l := loaded(t, path, "")
	before := l.Scenarios[0].Plan.Digest()
	settings := l.Settings(0)
	return slices.DeleteFunc(scenario.Mutations(l.Scenarios[0].Plan), func(m scenario.Mutation) bool {
		_, written := m.Written(settings)
		return !written || load(t, path, m.Override)[0].Plan.Digest() == before
	})
}

// failing are the expectations of all scenarios that turn out false.
func failing(t *testing.T, all []*plan.Scenario) []string {
	t.Helper()
	var out []string
	for _, s := range all {
		for _, e := range play(t, s, scenario.Options{}).Results {
			if e.Verdict == scenario.Fail {
				out = append(out, e.Name)
			}
		}
	}
	return out
}

// The traces that are kept beside stories are what the engine decides today. A change that is meant is taken over with
// `lukhas-run test examples/scenarios --update`.
func TestStoriesGoAsTheirTracesSay(t *testing.T) {
	compared := 0
	for _, path := range library(t) {
		text, err := os.ReadFile(strings.TrimSuffix(path, ".yaml") + ".trace")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		goldens, bad := scenario.ParseGoldens(string(text))
		if err != nil || bad != nil {
			t.Fatal(path, err, bad)
		}
		for _, s := range load(t, path, "") {
			got := scenario.Golden{Name: s.Name, Seed: s.Seed, Trace: play(t, s, scenario.Options{Record: true}).Tape.Trace()}
			if !slices.Contains(goldens, got) {
				t.Errorf("%s: %q went another way than its trace says; see and take over with: lukhas-run test %[1]s --update", path, s.Name)
			}
			compared++
		}
	}
	if compared == 0 {
		t.Error("no story has a trace")
	}
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	files := library(t)
	if testing.Short() {
		files = files[:4]
	}
	for _, path := range files {
		s := load(t, path, "")[0]
		first := play(t, s, scenario.Options{}).Digest
		if again := play(t, s, scenario.Options{}).Digest; again != first {
			t.Errorf("%s: %s and %s", path, first, again)
		}
		if other := play(t, s, scenario.Options{Seed: 12345}).Digest; other == first {
			t.Errorf("%s: another seed gives the same run", path)
		}
	}
}
