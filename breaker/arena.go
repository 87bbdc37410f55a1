package breaker

import "slices"

// cell is a machine of a Keyed at rest. No pointers: the garbage collector skips arenas of it.
type cell struct {
	hash   uint64
	since  int64
	until  int64
	end    int64 // when the newest bucket ends
	gen    uint32
	streak uint32
	credit uint32
	used   uint32 // when last used, in seconds since the stripe began
	opens  uint16
	half   [5]uint16 // calls, failures, slow, issued, ignored of the probes
	state  State
	mode   Mode
	at     uint8 // where the newest bucket lies
	taken  bool
}

// A packed bucket is 24 bits of calls, 20 of failures and 20 of slow calls.
const (
	packedPart  = 20
	packedMost  = 1<<packedPart - 1
	packedCalls = 2 * packedPart
)

func packBucket(b bucket) uint64 {
	for b.calls > packedMost {
		b.counts = b.counts.halved()
	}
	return uint64(b.calls)<<packedCalls | uint64(b.failures)<<packedPart | uint64(b.slow)
}

func unpackBucket(w uint64) bucket {
	return bucket{counts: counts{calls: uint32(w >> packedCalls), failures: uint32(w >> packedPart & packedMost), slow: uint32(w & packedMost)}}
}

// chunkSize is how many cells are allocated at once.
const chunkSize = 512

type chunk struct {
	cells   []cell
	buckets []uint64
}

// arena holds cells by index and finds them by hash: an open-addressing table of indices with linear probing.
type arena struct {
	chunks []chunk
	table  []uint32 // index + 1 of a cell, 0 is empty; a power of two long
	free   []uint32 // cells that were removed
	most   int      // cells the arena may hold
	used   int      // cells handed out so far, free ones included
	live   int      // cells taken
	width  int      // buckets a cell
	hand   int      // the next cell the sweep looks at
}

const leastTable = 16

func (a *arena) start(most, width int) {
	*a = arena{most: most, width: width, table: make([]uint32, leastTable)}
}

func (a *arena) cell(index int) *cell { return &a.chunks[index/chunkSize].cells[index%chunkSize] }

func (a *arena) buckets(index int) []uint64 {
	at := index % chunkSize * a.width
	return a.chunks[index/chunkSize].buckets[at : at+a.width]
}

// find is the index of the cell with that hash, -1 if there is none.
func (a *arena) find(h uint64) int {
	mask := uint64(len(a.table) - 1)
	for at := h & mask; a.table[at] != 0; at = (at + 1) & mask {
		if index := int(a.table[at] - 1); a.cell(index).hash == h {
			return index
		}
	}
	return -1
}

// place makes an empty cell for a hash that has none.
func (a *arena) place(h uint64) int {
	if (a.live+1)*4 > len(a.table)*3 {
		a.grow()
	}
	index := a.vacant()
	*a.cell(index) = cell{hash: h, taken: true}
	clear(a.buckets(index))
	a.live++
	a.enlist(index, h)
	return index
}

func (a *arena) vacant() int {
	if n := len(a.free); n > 0 {
		index := a.free[n-1]
		a.free = a.free[:n-1]
		return int(index)
	}
	if a.used == len(a.chunks)*chunkSize {
		size := min(chunkSize, a.most-a.used)
		a.chunks = append(a.chunks, chunk{cells: make([]cell, size), buckets: make([]uint64, size*a.width)})
	}
	a.used++
	return a.used - 1
}

func (a *arena) enlist(index int, h uint64) {
	mask := uint64(len(a.table) - 1)
	at := h & mask
	for a.table[at] != 0 {
		at = (at + 1) & mask
	}
	a.table[at] = uint32(index + 1)
}

func (a *arena) grow() {
	a.table = make([]uint32, 2*len(a.table))
	for index := range a.used {
		if c := a.cell(index); c.taken {
			a.enlist(index, c.hash)
		}
	}
}

// remove frees a cell. Entries behind it in the table move up, so that no probe sequence has a gap.
func (a *arena) remove(index int) {
	c := a.cell(index)
	mask := uint64(len(a.table) - 1)
	at := c.hash & mask
	for a.table[at] != uint32(index+1) {
		at = (at + 1) & mask
	}
	for next := (at + 1) & mask; a.table[next] != 0; next = (next + 1) & mask {
		home := a.cell(int(a.table[next]-1)).hash & mask
		// The entry may move to the gap if its home is not between the gap and where it lies.
		if (next-home)&mask >= (next-at)&mask {
			a.table[at] = a.table[next]
			at = next
		}
	}
	a.table[at] = 0
	*c = cell{}
	a.live--
	a.free = append(a.free, uint32(index))
}

// turn is the next cell of an endless round over all.
func (a *arena) turn() int {
	if a.hand++; a.hand >= a.used {
		a.hand = 0
	}
	return a.hand
}

// unpack makes the scratch machine that of a cell.
func (s *stripe) unpack(index int) *machine { return s.unpackFrom(index, s.probes[uint32(index)]) }

func (s *stripe) unpackFrom(index int, probes []probe) *machine {
	c, m := s.cell(index), &s.scratch
	m.seed = s.seed ^ c.hash
	m.probes = append(m.probes[:0], probes...)
	m.memory = memory{
		gen: uint64(c.gen), last: s.last, since: c.since, until: c.until, closedAt: c.since,
		streak: c.streak, opens: uint32(c.opens), credit: c.credit, state: c.state, mode: c.mode,
		half: halfOpen{
			counts: counts{calls: uint32(c.half[0]), failures: uint32(c.half[1]), slow: uint32(c.half[2])},
			issued: uint32(c.half[3]), ignored: uint32(c.half[4]),
		},
	}
	if s.ring == nil {
		return m
	}
	s.ring.end, s.ring.at, s.ring.total = c.end, uint32(c.at), counts{}
	for i, packed := range s.buckets(index) {
		b := unpackBucket(packed)
		s.ring.buckets[i] = b
		s.ring.total.add(b.counts)
	}
	return m
}

// pack puts the machine back into its cell.
func (s *stripe) pack(index int, m *machine) {
	c, h := s.cell(index), &m.half
	c.gen, c.since, c.until = uint32(m.gen), m.since, m.until
	c.streak, c.credit, c.used = m.streak, m.credit, s.clock()
	c.opens = uint16(min(m.opens, 1<<16-1))
	for i, n := range [5]uint32{h.calls, h.failures, h.slow, h.issued, h.ignored} {
		c.half[i] = uint16(min(n, 1<<16-1))
	}
	if len(m.probes) > 0 {
		s.probes[uint32(index)] = slices.Clone(m.probes)
	} else if c.state == HalfOpen {
		delete(s.probes, uint32(index))
	}
	c.state, c.mode = m.state, m.mode
	if s.ring == nil {
		return
	}
	c.end, c.at = s.ring.end, uint8(s.ring.at)
	packed := s.buckets(index)
	for i := range packed {
		packed[i] = packBucket(s.ring.buckets[i])
	}
}
