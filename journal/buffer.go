package journal

// buffer holds the rows that wait for the writer. It is guarded by Journal.mu.
type buffer struct {
	active *chunk   // takes events; never nil
	queue  []*chunk // full, oldest first
	spare  []*chunk // written, to be used again
	bytes  int      // in active, queue and in the writer's hands
	gap    Gap      // of dropped events not yet told, Dropped 0 when none
}

func newBuffer() buffer { return buffer{active: &chunk{}} }

// cut moves the active chunk to the queue.
func (b *buffer) cut() {
	if b.active.count == 0 {
		return
	}
	b.queue = append(b.queue, b.active)
	if n := len(b.spare); n > 0 {
		b.active, b.spare = b.spare[n-1], b.spare[:n-1]
		return
	}
	b.active = &chunk{rows: make([]byte, 0, frameTarget+frameTarget/8)}
}

// reuse takes back chunks that have been written.
func (b *buffer) reuse(chunks []*chunk) {
	const keep = 8
	for _, c := range chunks {
		b.bytes -= len(c.rows)
		if len(b.spare) < keep && cap(c.rows) <= 2*frameTarget {
			*c = chunk{rows: c.rows[:0]}
			b.spare = append(b.spare, c)
		}
	}
}

// drop counts events that found no room.
func (b *buffer) drop(now int64, n int) {
	if b.gap.Dropped == 0 {
		b.gap.From, b.gap.Reason = now, "the journal's buffer was full"
	}
	b.gap.To = now
	b.gap.Dropped += uint64(n)
}
