package scenario_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/spec"
)

// Whatever is drawn can be played, can be written, and what is written plays as it did.
func TestWhatIsDrawnCanBeWrittenAndPlayedAgain(t *testing.T) {
	path := "../../examples/scenarios/cascade.yaml"
	original, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := everyVerb(t, path)
	verbs := map[string]bool{}
	schedules := uint64(30)
	if testing.Short() {
		schedules = 6
	}
	for seed := range schedules {
		steps := scenario.Schedule(s, seed)
		if again := scenario.Schedule(s, seed); len(again) != len(steps) {
			t.Fatal("the same seed draws other faults")
		}
		for _, step := range steps {
			verbs[step.Verb] = true
		}
		r := play(t, s, scenario.Options{Seed: seed + 1, Steps: steps})
		if r.Problem != "" {
			t.Fatal(r.Problem)
		}
		data, err := scenario.Insert(original, s.Place.Line, seed+1, steps)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "found.yaml")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		again := play(t, load(t, file, "")[0], scenario.Options{})
		for i := range r.Results {
			if r.Results[i].Verdict != again.Results[i].Verdict {
				t.Errorf("seed %d: %s was %s and is %s in\n%s", seed, r.Results[i].Name, r.Results[i].Verdict, again.Results[i].Verdict, data[len(original)/2:])
			}
		}
	}
	if schedules == 30 && len(verbs) != len(s.Explore.Verbs) {
		t.Errorf("30 schedules use only %v of %v", verbs, s.Explore.Verbs)
	}
}

// everyVerb is a scenario on which all may be tried that can be.
func everyVerb(t *testing.T, path string) *plan.Scenario {
	l := scenario.Load(spec.OS(), path, spec.Options{}, compiler.Options{Explored: true})
	if l.Diagnostics.HasErrors() {
		t.Fatal(l.Diagnostics)
	}
	s := *l.Scenarios[0]
	s.Explore.Verbs = []string{"crash", "hang", "slow", "fail", "drop", "delay", "duplicate", "reorder", "partition", "clock_skew", "fill_mailbox",
		"corrupt", "exhaust", "poison", "pause", "restart", "reload"}
	return &s
}

// Only what is declared is drawn, on whom it is declared for.
func TestTheVocabularyBoundsWhatIsDrawn(t *testing.T) {
	s := everyVerb(t, "../../examples/scenarios/cascade.yaml")
	s.Explore.Verbs, s.Explore.Targets, s.Explore.Most = []string{"poison", "corrupt", "slow"}, []string{"root/rates"}, 3
	for seed := range uint64(50) {
		steps := scenario.Schedule(s, seed)
		if len(steps) > 3 {
			t.Fatalf("%d faults", len(steps))
		}
		for _, step := range steps {
			if !slices.Contains(s.Explore.Verbs, step.Verb) || step.Fault.Target != "root/rates" || step.At.Offset >= s.Duration {
				t.Fatalf("%s", scenario.Lines(steps))
			}
		}
	}
}

func TestInsertKeepsTheLayout(t *testing.T) {
	step := []plan.Step{{At: &plan.Moment{Step: plan.Whole, Offset: time.Second}, Verb: "crash", Fault: &plan.Fault{Target: "root/a", Rate: 1}}}
	for in, want := range map[string]string{
		"duration: 1m\n": "seed: 9\nduration: 1m\ntimeline:\n  - {at: 1s, crash: {target: root/a}}\n",
		"seed: 1 # lucky\nduration: 1m\ntimeline:\n- {at: 3s}\n":         "seed: 9\nduration: 1m\ntimeline:\n- {at: 1s, crash: {target: root/a}}\n- {at: 3s}\n",
		"duration: 1m\ntimeline: [{at: 3s}]\n---\nduration: 2m\n":        "seed: 9\nduration: 1m\ntimeline: [{at: 1s, crash: {target: root/a}}, {at: 3s}]\n---\nduration: 2m\n",
		"duration: 1m\ntimeline: # what happens\n    - at: 3s\n    #x\n": "seed: 9\nduration: 1m\ntimeline: # what happens\n    - {at: 1s, crash: {target: root/a}}\n    - at: 3s\n    #x\n",
	} {
		got, err := scenario.Insert([]byte(in), 1, 9, step)
		if err != nil || string(got) != want {
			t.Errorf("%q\ngives    %q %v\nexpected %q", in, got, err, want)
		}
	}
	if _, err := scenario.Insert([]byte("{apiVersion: lukhas/v1, duration: 1m}"), 1, 9, step); err == nil {
		t.Error("a layout that does not show the timeline is no error")
	}
}

// Shrinking ends with a schedule that still fails, from which no single fault can be left out.
func TestShrinkFindsWhatIsNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "faults")
		var steps []plan.Step
		for i := range n {
			steps = append(steps, plan.Step{Verb: "fail", For: 8 * time.Second, Fault: &plan.Fault{Target: string(rune('a' + i)), Rate: 1},
				At: &plan.Moment{Step: plan.Whole, Offset: time.Duration(i) * time.Second}})
		}
		needed := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, min(n, 3), rapid.ID[int]).Draw(t, "needed")
		fails := func(steps []plan.Step) bool {
			for _, i := range needed {
				if !slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Fault.Target == string(rune('a'+i)) && s.For >= time.Second }) {
					return false
				}
			}
			return true
		}
		found, runs := scenario.Shrink(scenario.Found{Steps: steps}, func(f scenario.Found) bool { return fails(f.Steps) })
		small := found.Steps
		if len(small) != len(needed) || !fails(small) || runs > scenario.MaxShrink {
			t.Fatalf("%d of %d faults are needed, shrunk to %d in %d runs", len(needed), n, len(small), runs)
		}
		for _, s := range small {
			if s.For != time.Second {
				t.Fatalf("a fault of 1s is enough, and it lasts %s", s.For)
			}
		}
	})
}

// A hole that random faults find: without its breaker, a slow cascade fills the tiers above.
func TestExploringFindsAHole(t *testing.T) {
	s := load(t, "../../examples/scenarios/cascade.yaml", "{actors.rates.guard.breaker.mode: disabled}")[0]
	s = faultless(s)
	fails := func(steps []plan.Step) bool {
		return slices.ContainsFunc(play(t, s, scenario.Options{Steps: steps}).Results, func(r scenario.Result) bool {
			return r.Name == "everybody pays" && r.Verdict == scenario.Fail
		})
	}
	for seed := range uint64(300) {
		steps := scenario.Schedule(s, seed)
		if !fails(steps) {
			continue
		}
		found, runs := scenario.Shrink(scenario.Found{Steps: steps}, func(f scenario.Found) bool { return fails(f.Steps) })
		small := found.Steps
		if len(small) > 2 || !fails(small) {
			t.Errorf("%d faults shrink to %d in %d runs", len(steps), len(small), runs)
		}
		return
	}
	t.Error("300 schedules found nothing")
}

// faultless is the scenario without its own faults.
func faultless(s *plan.Scenario) *plan.Scenario {
	out := *s
	out.Steps = nil
	out.Expect = slices.DeleteFunc(slices.Clone(s.Expect), func(e plan.Expectation) bool { return e.After != nil || e.Until != nil })
	return &out
}

// A plain run is the run that it leaves the telling out of: the same verdicts, the same events under the same numbers.
func TestAPlainRunIsTheSameRun(t *testing.T) {
	for _, s := range load(t, "testdata/explored.yaml", "") {
		for seed := range uint64(5) {
			o := scenario.Options{Seed: seed + 1, Shuffle: seed, Steps: scenario.Schedule(s, seed), Record: true}
			whole := play(t, s, o)
			o.Plain = true
			plain := play(t, s, o)
			if plain.Digest != "" || whole.Moves != plain.Moves || whole.Messages != plain.Messages {
				t.Fatalf("digest %q, %d moves instead of %d", plain.Digest, plain.Moves, whole.Moves)
			}
			for i := range whole.Results {
				if a, b := whole.Results[i], plain.Results[i]; a.Verdict != b.Verdict || a.At != b.At || a.Judged != b.Judged {
					t.Errorf("%s: %s at %s instead of %s at %s", a.Name, b.Verdict, b.At, a.Verdict, a.At)
				}
			}
			told := func(r *scenario.Report) []scenario.Entry {
				return slices.DeleteFunc(r.Tape.Entries, func(e scenario.Entry) bool { return e.Event.Type == journal.TypeInput })
			}
			same := func(a, b scenario.Entry) bool {
				return a.At == b.At && a.Event.Seq == b.Event.Seq && a.Event.Correlation == b.Event.Correlation && a.Event.Causation == b.Event.Causation &&
					string(a.Event.Payload) == string(b.Event.Payload) && a.Text == b.Text
			}
			if a, b := told(whole), told(plain); !slices.EqualFunc(a, b, same) {
				t.Errorf("seed %d: %d events instead of %d, or others", seed, len(b), len(a))
			}
		}
	}
}
