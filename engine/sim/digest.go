package sim

import (
	"fmt"
	"math"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
)

// digest folds a run: what the Machine was told and decided, and every message that was handled, in order.
type digest struct {
	control engine.RunDigest
	data    uint64
	count   uint64
	every   time.Duration
	marks   []Mark
}

// Mark is the digest of all that was before a moment. Two runs that differ have their first differing Mark just after
// they part.
type Mark struct {
	At   time.Duration
	Data uint64
}

// fold takes in one number.
func (d *digest) fold(x uint64) { d.data = guard.Mix(d.data + guard.Golden ^ x) }

// message takes in a message that an actor is about to handle.
func (d *digest) message(now time.Duration, a *actor, env *envelope) {
	d.mark(now)
	d.count++
	d.fold(uint64(now) ^ a.seat)
	d.fold(guard.Hash(env.msg.Type) ^ uint64(env.meta.Attempt))
	d.payload(env.msg.Payload)
}

// payload takes in what is cheap to read of a payload.
func (d *digest) payload(v any) {
	switch v := v.(type) {
	case float64:
		d.fold(math.Float64bits(v))
	case string:
		d.fold(guard.Hash(v))
	case map[string]any:
		d.fold(uint64(len(v)))
	}
}

// ended takes in how a message's handling ended.
func (d *digest) ended(now time.Duration, a *actor, failed bool) {
	d.fold(uint64(now) + a.seat)
	if failed {
		d.fold(1)
	}
}

// step takes in a step of the Machine.
func (d *digest) step(now time.Duration, in engine.Input, effects []engine.Effect) {
	d.mark(now)
	d.control.Fold(now, in, effects)
	d.fold(uint64(now))
}

// mark notes the digest at the end of each interval.
func (d *digest) mark(now time.Duration) {
	if d.every <= 0 {
		return
	}
	for n := len(d.marks) + 1; time.Duration(n)*d.every <= now; n++ {
		d.marks = append(d.marks, Mark{time.Duration(n) * d.every, d.data})
	}
}

// Digest is one line about the run so far: equal for equal runs, on every machine, in every process.
func (e *Engine) Digest() string {
	return fmt.Sprintf("%s-%016x-%d", e.digest.control.String(), e.digest.data, e.digest.count)
}

// Marks are the digests at the ends of the intervals of Options.MarkEvery.
func (e *Engine) Marks() []Mark { return e.digest.marks }

// Messages is how many messages were handled, by actors and models.
func (e *Engine) Messages() uint64 { return e.digest.count }
