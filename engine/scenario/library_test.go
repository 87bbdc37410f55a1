package scenario_test

import (
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
	return l.Scenarios
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
			lines := without.FindAllStringSubmatch(string(text), -1)
			if len(lines) == 0 {
				t.Error("the story does not say what it is without its guard: # without {PATH: VALUE}: EXPECTATION")
			}
			for _, m := range lines {
				failsWithout(t, path, m[1], m[2])
			}
		})
	}
}

// failsWithout takes a guard away and wants the expectation to fail that is about it.
func failsWithout(t *testing.T, path, override, expectation string) {
	t.Helper()
	var all []string
	for _, s := range load(t, path, override) {
		for _, e := range play(t, s, scenario.Options{}).Results {
			if e.Verdict == scenario.Fail {
				all = append(all, e.Name)
			}
		}
	}
	if !slices.Contains(all, expectation) {
		t.Errorf("without %s the expectation %q should fail, and these do: %q", override, expectation, all)
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
