package scenario_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/scenario"
)

func TestATraceTellsWhatWasDecided(t *testing.T) {
	s := load(t, "../../examples/scenarios/dependency-outage.yaml", "")[0]
	text := play(t, s, scenario.Options{Record: true}).Tape.Trace()
	want := []string{
		"0:00.000000   root/cache ready after 0s\n", "1:00.000000   - fail outage on root/database\n",
		"breaker database closed -> open: consecutive_failures", "- moment opened\n", "1:30.000000   - fail outage on root/database over\n",
		"breaker database open -> half_open", "breaker database half_open -> closed",
	}
	for rest := text; len(want) > 0; want = want[1:] {
		_, after, ok := strings.Cut(rest, want[0])
		if !ok {
			t.Fatalf("%q is missing, or too early, in\n%s", want[0], text)
		}
		rest = after
	}
	if again := play(t, s, scenario.Options{Record: true}).Tape.Trace(); again != text {
		t.Error("two runs give two traces")
	}
	if strings.Contains(text, "input of") || strings.Contains(text, "dead letter") {
		t.Errorf("traffic is no decision:\n%s", text)
	}
}

func TestGoldensComeBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z ,=]{0,8}[a-z]`), 0, 4, rapid.ID[string]).Draw(t, "names")
		var all []scenario.Golden
		for _, n := range names {
			lines := rapid.SliceOfN(rapid.StringMatching(`[0-9]:[a-z =>-]{1,20}`), 1, 5).Draw(t, "lines")
			all = append(all, scenario.Golden{Name: n, Seed: rapid.Uint64().Draw(t, "seed"), Trace: strings.Join(lines, "\n") + "\n"})
		}
		back, err := scenario.ParseGoldens(scenario.FormatGoldens(all))
		if err != nil || len(back) != len(all) {
			t.Fatal(back, err)
		}
		for i := range all {
			if all[i] != back[i] {
				t.Fatalf("%+v came back as %+v", all[i], back[i])
			}
		}
	})
}

func FuzzParseGoldens(f *testing.F) {
	f.Add("== seed 1, a\n0:00 x\n\n== seed 2, b\n")
	f.Add("== seed x\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := scenario.ParseGoldens(text)
		if err != nil {
			return
		}
		back, err := scenario.ParseGoldens(scenario.FormatGoldens(all))
		if err != nil || len(back) != len(all) {
			t.Fatalf("%q: %v, %v", text, back, err)
		}
	})
}
