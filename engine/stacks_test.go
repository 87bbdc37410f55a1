package engine

import (
	"runtime"
	"testing"

	"github.com/lukhasai/lukhas-run/journal"
)

// here is the stack of whoever calls it at different depths.
func here(depth int) []uintptr {
	if depth > 0 {
		return here(depth - 1)
	}
	pcs := make([]uintptr, 48)
	return pcs[:runtime.Callers(1, pcs)]
}

func TestStacksRememberTheTextOfEachStack(t *testing.T) {
	var s Stacks
	for round := range 2 {
		for depth := range 20 {
			f := &Failure{Kind: KindCrash, Stack: here(depth)}
			got := s.Report(f, 3).(journal.ActorFailed)
			if want := f.Report(3).(journal.ActorFailed); got.Stack != want.Stack || got.Stack == "" || got.Incarnation != 3 {
				t.Fatalf("round %d, depth %d:\n%s\nwant\n%s", round, depth, got.Stack, want.Stack)
			}
		}
		if len(s.known) != 20 {
			t.Fatalf("%d stacks are kept, want 20", len(s.known))
		}
	}
	if got := s.Report(&Failure{}, 1).(journal.ActorFailed).Stack; got != "" {
		t.Errorf("a failure without a stack has the stack %q", got)
	}
}

func TestStacksOfEqualHashAreToldApart(t *testing.T) {
	var s Stacks
	pcs := here(0)
	s.text(pcs)
	for h := range s.known {
		s.known[h] = stack{pcs: pcs[1:], text: "another's"}
	}
	if got := s.text(pcs); got != stackText(pcs) {
		t.Errorf("the text is %q", got)
	}
}

func TestStacksAreBounded(t *testing.T) {
	var s Stacks
	for i := range 3 * maxStacks {
		s.text([]uintptr{uintptr(i + 1)})
	}
	if len(s.known) > maxStacks {
		t.Errorf("%d stacks are kept, at most %d may be", len(s.known), maxStacks)
	}
}
