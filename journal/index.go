package journal

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
)

// index says where in a segment its frames stand and which of them may hold
// events of an actor or a correlation. Readers may look at the one that the
// writer still adds to.
type index struct {
	mu           sync.RWMutex
	frames       []frameRef
	actors       postings
	correlations postings
}

// frameRef is what an index knows of one frame.
type frameRef struct {
	offset           int64
	first            uint64
	count            uint32
	minTime, maxTime int64
}

func (r *frameRef) last() uint64 { return r.first + uint64(r.count) - 1 }

// postings lists, under the hash of a name, the frames where it may occur, ascending.
type postings map[uint64][]uint32

// fnv1a is the 64-bit FNV-1a hash (Fowler, Noll, Vo).
func fnv1a(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h ^= uint64(s[i])
		h *= 1099511628211
	}
	return h
}

func (p postings) add(name string, frame uint32) {
	if name == "" {
		return
	}
	h := fnv1a(name)
	at := p[h]
	if n := len(at); n == 0 || at[n-1] != frame {
		p[h] = append(at, frame)
	}
}

func newIndex() *index {
	return &index{actors: postings{}, correlations: postings{}}
}

// addFrame notes a frame at offset and the names in its rows.
func (x *index) addFrame(f *frame, offset int64, rows rowReader) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := uint32(len(x.frames))
	x.frames = append(x.frames, frameRef{offset, f.first, f.count, f.minTime, f.maxTime})
	for {
		var e Event
		more, err := rows.next(&e)
		if err != nil || !more {
			return err
		}
		x.actors.add(e.Actor, n)
		x.correlations.add(e.Correlation, n)
	}
}

// choose returns the frames up to event last that may hold what a query asks for.
func (x *index) choose(q *Query, last uint64) []frameRef {
	x.mu.RLock()
	defer x.mu.RUnlock()
	frames := x.frames
	for len(frames) > 0 && frames[len(frames)-1].last() > last {
		frames = frames[:len(frames)-1]
	}
	var may []bool
	if q.Actors != nil {
		may = make([]bool, len(frames))
		for name, after := range q.Actors {
			for _, n := range x.actors[fnv1a(name)] {
				if int(n) < len(frames) && frames[n].last() > after {
					may[n] = true
				}
			}
		}
	}
	return q.choose(frames, may, x.actors.where(q.Actor, len(frames)), x.correlations.where(q.Correlation, len(frames)))
}

// where is sealedIndex.where for postings that are not encoded.
func (p postings) where(name string, frames int) []bool {
	if name == "" {
		return nil
	}
	may := make([]bool, frames)
	for _, n := range p[fnv1a(name)] {
		if int(n) < frames {
			may[n] = true
		}
	}
	return may
}

func (x *index) encode(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(x.frames)))
	var before frameRef
	for _, f := range x.frames {
		dst = binary.AppendUvarint(dst, uint64(f.offset-before.offset))
		dst = binary.AppendUvarint(dst, f.first-before.first)
		dst = binary.AppendUvarint(dst, uint64(f.count))
		dst = binary.AppendVarint(dst, f.minTime-before.minTime)
		dst = binary.AppendUvarint(dst, uint64(f.maxTime-f.minTime))
		before = f
	}
	return x.correlations.encode(x.actors.encode(dst))
}

func (p postings) encode(dst []byte) []byte {
	hashes := make([]uint64, 0, len(p))
	for h := range p {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	dst = binary.AppendUvarint(dst, uint64(len(hashes)))
	for _, h := range hashes {
		dst = binary.LittleEndian.AppendUint64(dst, h)
		dst = binary.AppendUvarint(dst, uint64(len(p[h])))
		before := uint32(0)
		for _, n := range p[h] {
			dst = binary.AppendUvarint(dst, uint64(n-before))
			before = n
		}
	}
	return dst
}

// sealedIndex is the index of a sealed segment as it stands in the footer. The
// postings stay encoded: a query looks for one name among a million.
type sealedIndex struct {
	frames       []frameRef
	actors       []byte
	correlations []byte
}

// indexReader decodes an index; ok turns false at the first malformed byte.
type indexReader struct {
	rest []byte
	ok   bool
}

func (r *indexReader) uvarint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		v := uint64(r.rest[0])
		r.rest = r.rest[1:]
		return v
	}
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.ok, r.rest = false, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *indexReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.ok, r.rest = false, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// length reads a number of things that take at least size bytes each.
func (r *indexReader) length(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/size) {
		r.ok = false
		return 0
	}
	return int(n)
}

func parseIndex(data []byte) (*sealedIndex, error) {
	r := &indexReader{rest: data, ok: true}
	x := &sealedIndex{}
	var f frameRef
	for range r.length(5) {
		f.offset += int64(r.uvarint())
		f.first += r.uvarint()
		f.count = uint32(r.uvarint())
		f.minTime += r.varint()
		f.maxTime = f.minTime + int64(r.uvarint())
		x.frames = append(x.frames, f)
	}
	x.actors = r.rest
	r.walk(nil)
	x.correlations = r.rest
	r.walk(nil)
	if !r.ok || len(r.rest) != 0 {
		return nil, fmt.Errorf("malformed index")
	}
	return x, nil
}

// walk goes over one table of postings and calls listed for each name's hash and
// each frame listed under it; listed may be nil.
func (r *indexReader) walk(listed func(h, frame uint64)) {
	for range r.length(9) {
		if len(r.rest) < 8 {
			r.ok = false
			return
		}
		h := binary.LittleEndian.Uint64(r.rest)
		r.rest = r.rest[8:]
		frame := uint64(0)
		for range r.length(1) {
			frame += r.uvarint()
			if listed != nil {
				listed(h, frame)
			}
		}
	}
}

// choose returns the frames that may hold what a query asks for.
func (x *sealedIndex) choose(q *Query) []frameRef {
	return q.choose(x.frames, x.among(q.Actors), x.where(x.actors, q.Actor), x.where(x.correlations, q.Correlation))
}

// among returns which frames may hold events of any of the actors that come after their numbers, nil for all when there are none.
func (x *sealedIndex) among(actors map[string]uint64) []bool {
	if actors == nil {
		return nil
	}
	wanted := make(map[uint64]uint64, len(actors))
	for name, after := range actors {
		h := fnv1a(name)
		if least, twice := wanted[h]; !twice || after < least {
			wanted[h] = after
		}
	}
	may := make([]bool, len(x.frames))
	r := &indexReader{rest: x.actors, ok: true}
	r.walk(func(h, frame uint64) {
		if after, ok := wanted[h]; ok && frame < uint64(len(may)) && x.frames[frame].last() > after {
			may[frame] = true
		}
	})
	return may
}

// where returns which frames may hold the name, nil for all when it is empty.
func (x *sealedIndex) where(table []byte, name string) []bool {
	if name == "" {
		return nil
	}
	may := make([]bool, len(x.frames))
	r := &indexReader{rest: table, ok: true}
	sought := fnv1a(name)
	r.walk(func(h, frame uint64) {
		if h == sought && frame < uint64(len(may)) {
			may[frame] = true
		}
	})
	return may
}
