package journal

import (
	"encoding/binary"
	"unsafe"
)

// chunk collects the rows of the next frame. It is guarded by Journal.mu until
// the writer takes it.
type chunk struct {
	rows             []byte
	first            uint64 // Seq of the first event
	count            uint32
	minTime, maxTime int64
	lastTime         int64
}

// rowBound returns at least the encoded size of e.
func rowBound(e *Event) int {
	const fixed = 3 + 1 + 1 + binary.MaxVarintLen64*2 + 3*4
	return fixed + len(e.Actor) + len(e.Correlation) + len(e.Payload)
}

// add encodes e, whose Seq, Time and Causation are final.
func (c *chunk) add(e *Event) {
	if c.count == 0 {
		c.first, c.minTime, c.maxTime, c.lastTime = e.Seq, e.Time, e.Time, 0
	}
	c.count++
	c.minTime, c.maxTime = min(c.minTime, e.Time), max(c.maxTime, e.Time)
	b := binary.AppendUvarint(c.rows, uint64(e.Type))
	b = append(b, e.Version, byte(e.Content))
	b = binary.AppendVarint(b, e.Time-c.lastTime)
	c.lastTime = e.Time
	distance := uint64(0)
	if e.Causation != 0 {
		distance = e.Seq - e.Causation
	}
	b = binary.AppendUvarint(b, distance)
	b = binary.AppendUvarint(b, uint64(len(e.Actor)))
	b = append(b, e.Actor...)
	b = binary.AppendUvarint(b, uint64(len(e.Correlation)))
	b = append(b, e.Correlation...)
	b = binary.AppendUvarint(b, uint64(len(e.Payload)))
	c.rows = append(b, e.Payload...)
}

// rowReader decodes the rows of one frame. The events share its bytes, which
// must never change afterwards.
type rowReader struct {
	rest []byte
	seq  uint64
	time int64
	left uint32
}

// next decodes one row into e, and returns false after the last one.
func (r *rowReader) next(e *Event) (bool, error) {
	if r.left == 0 {
		if len(r.rest) != 0 {
			return false, errRow
		}
		return false, nil
	}
	ok := true
	kind := r.uvarint(&ok)
	if kind > 1<<16-1 || len(r.rest) < 2 {
		return false, errRow
	}
	version, content := r.rest[0], r.rest[1]
	r.rest = r.rest[2:]
	delta, n := binary.Varint(r.rest)
	if n <= 0 {
		return false, errRow
	}
	r.rest = r.rest[n:]
	r.time += delta
	distance := r.uvarint(&ok)
	actor := r.bytes(&ok, MaxActorBytes)
	correlation := r.bytes(&ok, MaxCorrelationBytes)
	payload := r.bytes(&ok, MaxEventBytes)
	if !ok || distance >= r.seq {
		return false, errRow
	}
	*e = Event{
		Seq: r.seq, Time: r.time, Type: Type(kind), Version: version, Content: ContentType(content),
		Actor: shared(actor), Correlation: shared(correlation), Payload: payload,
	}
	if distance != 0 {
		e.Causation = r.seq - distance
	}
	r.seq++
	r.left--
	return true, nil
}

func (r *rowReader) uvarint(ok *bool) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		*ok = false
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *rowReader) bytes(ok *bool, limit uint64) []byte {
	n := r.uvarint(ok)
	if n > limit || n > uint64(len(r.rest)) {
		*ok = false
		return nil
	}
	if n == 0 {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// shared returns b as a string without a copy. A frame's bytes are written once
// before any event is handed out, and payloads do not overlap names.
func shared(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}
