package engine

import (
	"slices"
	"sync"

	"github.com/lukhasai/lukhas-run/journal"
)

// maxStacks bounds the stacks whose text is kept. A program panics at few places, over and over.
const maxStacks = 256

// Stacks makes text of the stacks of failures and remembers it: naming the frames of a stack costs more than the whole
// rest of a restart. The zero value works; it is safe for concurrent use.
type Stacks struct {
	mu    sync.Mutex
	known map[uint64]stack // by the hash of pcs
}

type stack struct {
	pcs  []uintptr
	text string
}

// Report is f.Report(epoch), with the stack's text from memory where it is known.
func (s *Stacks) Report(f *Failure, epoch Epoch) journal.Body {
	if len(f.Stack) == 0 {
		return f.report(epoch, "")
	}
	return f.report(epoch, s.text(f.Stack))
}

func (s *Stacks) text(pcs []uintptr) string {
	h := uint64(14695981039346656037) // FNV-1a, a word at a time
	for _, pc := range pcs {
		h = (h ^ uint64(pc)) * 1099511628211
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.known[h]; ok && slices.Equal(k.pcs, pcs) {
		return k.text
	}
	if s.known == nil || len(s.known) >= maxStacks {
		s.known = map[uint64]stack{}
	}
	text := stackText(pcs)
	s.known[h] = stack{slices.Clone(pcs), text}
	return text
}
