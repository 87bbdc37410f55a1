package journal

import (
	"fmt"
	"time"

	"github.com/lukhasai/lukhas-run/internal/clock"
)

// Durability says what an Ack waits for.
type Durability uint8

const (
	// Group acknowledges after an fdatasync that all waiting callers share.
	// Events nobody waits for are synced within Options.Interval. The default.
	Group Durability = iota
	// Each gives every Append its own frame and its own fdatasync.
	Each
	// Interval acknowledges once the operating system has the event and syncs
	// within Options.Interval: a killed process loses nothing that was
	// acknowledged, a power cut loses up to an interval.
	Interval
	// Async acknowledges as Interval does and syncs only when a segment is sealed.
	Async
	// Memory acknowledges at once; events are written soon after.
	Memory
)

// String returns the name used in settings.
func (d Durability) String() string {
	names := [...]string{"group", "each", "interval", "async", "memory"}
	if int(d) < len(names) {
		return names[d]
	}
	return fmt.Sprintf("durability(%d)", uint8(d))
}

// ParseDurability returns the durability with the given name.
func ParseDurability(name string) (Durability, error) {
	for d := Group; d <= Memory; d++ {
		if d.String() == name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("unknown durability %q; use group, each, interval, async or memory", name)
}

// promise is what an Ack of this durability waits for.
func (d Durability) promise() Reach {
	switch d {
	case Memory:
		return Buffered
	case Async, Interval:
		return Written
	}
	return Durable
}

// Full says what Append does when the buffer has no room.
type Full uint8

const (
	// FullBlock makes Append wait for room.
	FullBlock Full = iota
	// FullDrop makes Append refuse the events with ErrDropped; a Gap event
	// counts them as soon as there is room.
	FullDrop
)

// Retention bounds what is kept. Only whole sealed segments are dropped, the
// oldest first. The zero value keeps everything.
type Retention struct {
	Age   time.Duration // drop segments whose newest event is older, 0 for no bound
	Bytes int64         // drop segments while all together are larger, 0 for no bound
	Need  uint64        // events from this number on stay all the same: a reader has not had them; 0 for none
}

// Options shape a Journal. The zero value is usable.
type Options struct {
	Durability   Durability
	Interval     time.Duration // longest time until an unawaited event is synced, default 200 ms
	Linger       time.Duration // longest time an unawaited event stays in the buffer, default 2 ms
	Full         Full
	BufferBytes  int       // of events not yet written, default 8 MiB, at least MaxBatchBytes
	SegmentBytes int64     // a segment is sealed once it is larger, default 64 MiB
	Retain       Retention // applied whenever a segment is sealed
	Clock        clock.Clock
	FS           FS // default the operating system's
}

func (o Options) withDefaults() (Options, error) {
	if o.Interval == 0 {
		o.Interval = 200 * time.Millisecond
	}
	if o.Linger == 0 {
		o.Linger = 2 * time.Millisecond
	}
	if o.BufferBytes == 0 {
		o.BufferBytes = 8 << 20
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.FS == nil {
		o.FS = osFS{}
	}
	switch {
	case o.Durability > Memory:
		return o, fmt.Errorf("journal options: unknown durability %d", o.Durability)
	case o.Interval < 0 || o.Linger < 0:
		return o, fmt.Errorf("journal options: interval %v and linger %v must not be negative", o.Interval, o.Linger)
	case o.BufferBytes < MaxBatchBytes:
		return o, fmt.Errorf("journal options: buffer of %d bytes is less than the %d of one batch", o.BufferBytes, MaxBatchBytes)
	case o.SegmentBytes < 0:
		return o, fmt.Errorf("journal options: segment size %d must not be negative", o.SegmentBytes)
	}
	return o, nil
}
