package sim

import (
	"encoding/json"
	"fmt"
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
	tell    func(Step) // nil: nobody is told
	off     bool       // nothing is taken in
}

// Step is one thing that the digest has taken in, in words.
type Step struct {
	At     time.Duration
	Actor  string // path; "" for the Machine's decisions
	Text   string
	Digest uint64 // of the messages, this one included
}

// Mark is the digest of all that was before a moment. Two runs that differ have their first differing Mark just after
// they part.
type Mark struct {
	At   time.Duration
	Data uint64
}

// fold takes in one number.
func (d *digest) fold(x uint64) { d.data = stir(d.data^x, guard.Golden) }

// message takes in a message that an actor is about to handle.
func (d *digest) message(now time.Duration, a *actor, env *envelope) {
	d.count++
	if d.off {
		return
	}
	d.mark(now)
	d.fold(uint64(now) ^ a.seat)
	d.fold(textPrint(env.msg.Type) ^ uint64(env.meta.Attempt))
	d.fold(payloadPrint(env.msg.Payload, 0))
	if d.tell != nil {
		d.step(now, a.path, "takes "+env.msg.Type+" "+words(env.msg.Payload))
	}
}

// words are a payload as people read it.
func words(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Appendf(nil, "%v", v)
	}
	return string(text)
}

// ended takes in how a message's handling ended.
func (d *digest) ended(now time.Duration, a *actor, failed bool) {
	if d.off {
		return
	}
	d.fold(uint64(now) + a.seat)
	text := "is done"
	if failed {
		d.fold(1)
		text = "fails"
	}
	if d.tell != nil {
		d.step(now, a.path, text)
	}
}

// answer takes in what an actor answers.
func (d *digest) answer(now time.Duration, a *actor, value any, err error) {
	if d.off {
		return
	}
	d.fold(payloadPrint(value, 0))
	if d.tell == nil {
		return
	}
	text := "answers " + words(value)
	if err != nil {
		text = "answers: " + err.Error()
	}
	d.step(now, a.path, text)
}

// decided takes in a step of the Machine.
func (d *digest) decided(now time.Duration, in engine.Input, effects []engine.Effect) {
	if d.off {
		return
	}
	d.mark(now)
	d.control.Fold(now, in, effects)
	d.fold(uint64(now))
	if d.tell != nil {
		d.step(now, "", engine.StepText(in, effects))
	}
}

func (d *digest) step(now time.Duration, actor, text string) { d.tell(Step{now, actor, text, d.data}) }

// mark notes the digest at the end of each interval.
func (d *digest) mark(now time.Duration) {
	if d.every <= 0 {
		return
	}
	for n := len(d.marks) + 1; time.Duration(n)*d.every <= now; n++ {
		d.marks = append(d.marks, Mark{time.Duration(n) * d.every, d.data})
	}
}

// Digest is one line about the run so far: equal for equal runs, on every machine, in every process. It is "" of a plain run.
func (e *Engine) Digest() string {
	if e.digest.off {
		return ""
	}
	return fmt.Sprintf("%s-%016x-%d", e.digest.control.String(), e.digest.data, e.digest.count)
}

// Marks are the digests at the ends of the intervals of Options.MarkEvery.
func (e *Engine) Marks() []Mark { return e.digest.marks }

// Messages is how many messages were handled, by actors and models.
func (e *Engine) Messages() uint64 { return e.digest.count }
