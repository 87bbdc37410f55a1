package breaker

import (
	"sync/atomic"
	"unsafe"
)

// shardCount is a power of two, several times the threads that can meet on one breaker of a busy machine.
const shardCount = 16

// shards are cells on cache lines of their own, made once callers are seen to meet on the single cell. A sum over
// cells does not depend on who used which, so decisions do not either.
type shards [shardCount]shard

type shard struct {
	cell atomic.Uint64
	_    [56]byte
}

// mine returns the cell of the calling goroutine, chosen by where its stack lies: the same goroutine mostly gets the
// same cell, goroutines that run at once mostly get different ones. The address is hashed, never followed.
func (s *shards) mine() *atomic.Uint64 {
	var here byte
	at := uint64(uintptr(unsafe.Pointer(&here))) >> 11 // stacks begin at multiples of 2 KiB
	return &s[at*golden>>60].cell
}

func (s *shards) store(base uint64) {
	if s == nil {
		return
	}
	for i := range s {
		s[i].cell.Store(base)
	}
}

// swap sets each cell to base and returns how far they were above the old one.
func (s *shards) swap(base, old uint64) uint64 {
	n := uint64(0)
	for i := range s {
		n += s[i].cell.Swap(base) - old
	}
	return n
}

// crowded gives the breaker its shards, which it gets once several callers have met on the one cell.
func (b *Breaker) crowded() *shards {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.shards.Load()
	if s == nil {
		s = new(shards)
		s.store(b.base)
		b.shards.Store(s)
	}
	return s
}
