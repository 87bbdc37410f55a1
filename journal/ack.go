package journal

import (
	"context"
	"fmt"
)

// Reach says how far an event has come.
type Reach uint8

const (
	// Refused events are not in the journal.
	Refused Reach = iota
	// Buffered events are lost if the process dies.
	Buffered
	// Written events survive the process, not a power cut.
	Written
	// Durable events survive a power cut.
	Durable
)

// String returns the level's name.
func (r Reach) String() string {
	names := [...]string{"refused", "buffered", "written", "durable"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("reach(%d)", uint8(r))
}

// Ack is the promise made for one Append. The zero Ack refers to nothing and is
// Refused. It may be copied and waited for from any goroutine.
type Ack struct {
	journal *Journal
	last    uint64 // newest event of the Append
	err     error
}

// Wait waits until the events have come as far as the journal's durability
// promises, or the journal fails, or ctx ends. It returns how far they have
// come by then, never more; the error is nil exactly when the promise is kept.
func (a Ack) Wait(ctx context.Context) (Reach, error) {
	if a.journal == nil {
		return Refused, a.err
	}
	return a.journal.wait(ctx, a.last, a.journal.options.Durability.promise())
}

// Reached tells whether the promise is kept already. It does not wait.
func (a Ack) Reached() bool {
	if a.journal == nil {
		return false
	}
	a.journal.mu.Lock()
	defer a.journal.mu.Unlock()
	return a.journal.state.reached(a.last) >= a.journal.options.Durability.promise()
}

// Err returns why the events were refused, or nil when they are in the buffer
// or beyond. It does not wait.
func (a Ack) Err() error { return a.err }

// Sync waits until everything appended before the call is durable, whatever the
// journal's durability.
func (j *Journal) Sync(ctx context.Context) error {
	j.mu.Lock()
	last := j.state.next - 1
	j.mu.Unlock()
	_, err := j.wait(ctx, last, Durable)
	return err
}

// wait waits until event seq has reached at least the given level.
func (j *Journal) wait(ctx context.Context, seq uint64, reach Reach) (Reach, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		at := j.state.reached(seq)
		if at >= reach {
			return at, nil
		}
		if j.state.err != nil {
			return at, j.state.err
		}
		if reach == Durable {
			j.state.wanted = max(j.state.wanted, seq)
		}
		j.state.hurry = true
		j.kick()
		if err := j.sleep(ctx); err != nil {
			return j.state.reached(seq), err
		}
	}
}

// sleep releases mu until there is progress or ctx ends.
func (j *Journal) sleep(ctx context.Context) error {
	if j.state.changed == nil {
		j.state.changed = make(chan struct{})
	}
	changed := j.state.changed
	j.mu.Unlock()
	defer j.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
