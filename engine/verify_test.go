package engine

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// trial is what a slow runtime knows about generations.
type trial struct {
	generation uint64 // in force
	proven     *plan.Plan
	provenAs   uint64
	on, doomed bool
	left       time.Duration // when proven was left
	verdicts   int           // on the generation in force
}

// drawReload makes most generations stand a probation.
func drawReload(t *rapid.T) plan.Reload {
	r := plan.Reload{VerifyFor: time.Duration(rapid.IntRange(0, 3).Draw(t, "verify")) * 400 * time.Millisecond}
	if rapid.Bool().Draw(t, "abort") {
		r.AbortIf, _ = rules.Compile("new.calls > 3 || new.restarts > 2 + old.restarts", rules.Condition, rules.Scope{Place: rules.AtAbortIf})
	}
	return r
}

// told follows what is decided about generations: each probation ends once, by passing, by a rollback, or because another
// generation comes, and what was rolled back never passes.
func (r *trial) told(s *slow, body journal.Body) {
	switch b := body.(type) {
	case *journal.ReloadCommitted:
		r.verdicts, r.generation = 0, b.Generation
		if b.Probation == 0 {
			if r.doomed && s.m.plan.Digest() == r.proven.Digest() {
				s.forget(r.left)
			}
			r.pass(s)
			return
		}
		if !r.on {
			r.left = s.now
		}
		if b.Probation != r.proven.Reload.VerifyFor || s.m.plan.Digest() == r.proven.Digest() {
			s.t.Fatalf("generation %d is on probation for %s", b.Generation, b.Probation)
		}
		r.on, r.doomed = true, false
	case *journal.ReloadVerified:
		if r.verdicts++; !r.on || r.doomed || b.Generation != r.generation || r.verdicts > 1 {
			s.t.Fatalf("generation %d passes, %+v", b.Generation, *r)
		}
		r.pass(s)
	case *journal.ReloadRolledBack:
		if r.verdicts++; !r.on || r.doomed || b.Generation != r.generation || b.To != r.provenAs || r.verdicts > 1 {
			s.t.Fatalf("generation %d is rolled back to %d, %+v", b.Generation, b.To, *r)
		}
		r.doomed = true
	}
}

// pass makes the generation in force the one to go back to.
func (r *trial) pass(s *slow) {
	r.on, r.doomed, r.proven, r.provenAs = false, false, s.m.plan, s.m.generation
}

// forget drops the failures of a generation that was rolled back: they are held against nobody, and who ended by one is
// started again, whatever his group is doing.
func (s *slow) forget(since time.Duration) {
	s.groups, s.steered = map[string]*restarting{}, true
	for path, times := range s.starts {
		s.starts[path] = slices.DeleteFunc(times, func(at time.Duration) bool { return at >= since })
	}
}

// rollBack is asked of the runtime: it takes its time, and sometimes it cannot be done.
func (s *slow) rollBack(e *RollBack) {
	if e.Plan != s.trial.proven || e.To != s.trial.provenAs || e.Generation != s.trial.generation {
		s.t.Fatalf("a rollback of %d to %d, %+v", e.Generation, e.To, s.trial)
	}
	if rapid.IntRange(0, 5).Draw(s.t, "impossible") == 0 {
		s.pending = append(s.pending, RollBackFailed{Generation: e.Generation, Why: "in use"})
		return
	}
	s.pending = append(s.pending, Reloaded{Plan: e.Plan, Generation: e.Generation, By: ByVerification})
}

// endRollBack carries a rollback out, unless another reload was faster.
func (s *slow) endRollBack(in Input) {
	switch in := in.(type) {
	case RollBackFailed:
		if in.Generation == s.trial.generation {
			s.trial.on, s.trial.doomed, s.trial.proven, s.trial.provenAs = false, false, s.plan, s.trial.generation
		}
		s.step(in)
		if got := s.m.Reload(); in.Generation == s.trial.generation && (got.Status != ReloadActive || got.Code != CodeStays) {
			s.t.Fatalf("after a rollback that failed: %+v", got)
		}
	case Reloaded:
		if in.Generation != s.trial.generation || s.m.mode != alive {
			return
		}
		in.Generation = uint64(len(s.inputs)) + 1
		want := s.trial.proven.Digest()
		s.commit(in)
		if got := s.m.Status(); got.Digest != want || got.Generation != in.Generation || s.m.Reload().Status != ReloadRolledBack {
			s.t.Fatalf("after a rollback generation %d with %s is in force, want %s: %+v", got.Generation, got.Digest, want, s.m.Reload())
		}
	}
}

// commit takes a plan over.
func (s *slow) commit(in Reloaded) {
	s.groups = map[string]*restarting{} // orders have moved
	s.step(in)
}

// sample tells of calls: sometimes more than abort_if stands, sometimes of a generation that is gone.
func (s *slow) sample() {
	since := Figures{Generation: s.trial.generation - uint64(rapid.IntRange(0, 1).Draw(s.t, "late")), Span: time.Second}
	since.Rates.Calls = float64(rapid.IntRange(0, 4).Draw(s.t, "calls"))
	s.step(Sampled{Since: since})
}
