package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// everyPattern is a policy that looks for all of them and acts.
const everyPattern = `policy
pattern cascade failures=3 within=5s max_depth=2
  then: quarantine for=3s max_share=0.5
pattern flapping changes=3 within=10s
  then: pause for=1s
pattern gray_failure share=0.2 within=2s
pattern hotspot
  then: restart
pattern letters hold=1s
  when: system.dead_letters > 5
pattern mailbox_growth within=1m
pattern retry_storm share=0.3 within=2s
pattern slow_consumer share=0.5 within=2s
rule infected
  when: actor.infected > 0.5
  then: log text=infected level=warn`

// Two trees to reload between: in the second an actor and a replica are gone, and who calls whom differs.
var patternTrees = [...]string{`tree
root 1000/1s
  pool 1000/1s
    w x3
  db breaker=db health=report
  api calls=root:db,root:pool:w
  web calls=root:api`, `tree
root 1000/1s
  pool 1000/1s
    w x2
  db breaker=db health=report
  web calls=root:db`}

// patternStep draws one thing that happens, as a story's line.
func patternStep(t *rapid.T, now time.Duration, paths []string) string {
	path := rapid.SampledFrom(paths).Draw(t, "path")
	other := rapid.SampledFrom(paths).Draw(t, "other")
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0, 1:
		return fmt.Sprintf("%s failed %s=crash@%s#i-%d", now, path, other, rapid.IntRange(0, 3).Draw(t, "incident"))
	case 2:
		return fmt.Sprintf("%s breaker db closed open", now)
	case 3:
		return fmt.Sprintf("%s %s root/db", now, rapid.SampledFrom([]string{"sick", "well"}).Draw(t, "health"))
	default:
		return fmt.Sprintf("%s sample %s calls=%d error_rate=%.1f mailbox=%d capacity=100 retries=%d ; system dead_letters=%d", now, path,
			rapid.IntRange(0, 100).Draw(t, "calls"), rapid.Float64Range(0, 1).Draw(t, "rate"), rapid.IntRange(0, 100).Draw(t, "mailbox"),
			rapid.IntRange(0, 50).Draw(t, "retries"), rapid.IntRange(0, 10).Draw(t, "letters"))
	}
}

// Whatever happens, in whatever order, reloads among it: the same story is told twice the same, scores stay in their range,
// memory stays bounded, and quarantine stays within its share.
func TestPatternsHoldTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var script []string
		now, tree := time.Duration(0), 0
		s := &stage{machine: NewMachine(), seed: 7}
		play := func(block string) {
			script = append(script, block)
			if err := s.play(block); err != nil {
				t.Fatalf("%q: %v", block, err)
			}
		}
		play(everyPattern)
		play(patternTrees[0])
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 20).Draw(t, "pause")) * 100 * time.Millisecond
			if rapid.IntRange(0, 40).Draw(t, "reload") == 0 {
				tree = 1 - tree
				play("reload" + strings.TrimPrefix(patternTrees[tree], "tree"))
				continue
			}
			paths := []string{"root/pool/w-0", "root/pool/w-1", "root/db", "root/web"}
			if tree == 0 {
				paths = append(paths, "root/pool/w-2", "root/api")
			}
			play(patternStep(t, now, paths))
			bounded(t, s.machine)
		}
		again := &stage{machine: NewMachine(), seed: 7}
		for _, block := range script {
			if err := again.play(block); err != nil {
				t.Fatal(err)
			}
		}
		if s.log.String() != again.log.String() {
			t.Fatalf("told differently the second time:\n%s", firstDifference(s.log.String(), again.log.String()))
		}
	})
}

func bounded(t *rapid.T, m *Machine) {
	for _, a := range m.roster.byIndex {
		if score := m.infection(a); !(score >= 0 && score <= 1) {
			t.Fatalf("%s is infected by %v", a.def.Path, score)
		}
	}
	if len(m.contagion.ring) > maxSetbacks || len(m.contagion.sick) > len(m.roster.byID) || len(m.patterns.flips) > maxSetbacks {
		t.Fatalf("%d setbacks, %d sick, %d openings", len(m.contagion.ring), len(m.contagion.sick), len(m.patterns.flips))
	}
	for _, one := range m.Status().Patterns {
		if !(one.Confidence >= 0 && one.Confidence <= 1) || one.Last < one.First || one.Count < 1 {
			t.Fatalf("%+v", one)
		}
		if one.Root != "" && m.plan.Index(one.Root) < 0 {
			t.Fatalf("%s names %s, which is gone", one.Pattern, one.Root)
		}
	}
	for _, g := range m.plan.Groups {
		out := 0
		for _, path := range g.Members {
			if m.roster.byIndex[m.plan.Index(path)].fenced {
				out++
			}
		}
		if 2*out > len(g.Members) && len(g.Members) == 3 {
			t.Fatalf("%d of %d are quarantined", out, len(g.Members))
		}
	}
}

// The last memory of setbacks is what counts: a thousand failures leave the newest.
func TestOldSetbacksMakeRoom(t *testing.T) {
	var c contagion
	for i := range 1000 {
		c.add(setback{actor: ID(i + 1), at: time.Duration(i)})
	}
	want := ID(1000)
	c.each(999, 1<<62, func(s *setback) bool {
		if s.actor != want {
			t.Fatalf("setback of %d, want %d", s.actor, want)
		}
		want--
		return true
	})
	if want != 1000-maxSetbacks {
		t.Errorf("visited down to %d", want)
	}
}

// BenchmarkFailureFollowed is BenchmarkFailure while cascades are looked for.
func BenchmarkFailureFollowed(b *testing.B) {
	const children = 100_000
	p := widePlan(b, children, time.Millisecond)
	next := &plan.Plan{Actors: p.Actors, Patterns: []plan.Pattern{{Name: "cascade", Failures: 3, Within: 5 * time.Second, MaxDepth: 8}}}
	if err := next.Seal(); err != nil {
		b.Fatal(err)
	}
	benchmarkFailures(b, next)
}
