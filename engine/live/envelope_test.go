package live

import (
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// An envelope carries whatever a message's meta says, whoever sends it.
func TestAnEnvelopeCarriesTheMeta(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "root/a", "b"})
	rapid.Check(t, func(t *rapid.T) {
		c := &caller{}
		if rapid.Bool().Draw(t, "actor") {
			c.actor = &actor{path: "root/a"}
		}
		for range 3 { // so that a slip is used again
			m := engine.Meta{
				Correlation: text.Draw(t, "correlation"), Causation: rapid.Uint64Range(0, 2).Draw(t, "causation"), From: text.Draw(t, "from"),
				Key: text.Draw(t, "key"), Priority: rapid.IntRange(0, 9).Draw(t, "priority"), Idempotent: rapid.Bool().Draw(t, "idempotent"),
				Probe: rapid.Bool().Draw(t, "probe"), Attempt: rapid.IntRange(1, 300).Draw(t, "attempt"),
			}
			var e envelope
			c.enclose(&e, &engine.Msg{Type: "n"}, &m)
			if got := e.meta(); got != m {
				t.Fatalf("%+v, want %+v", got, m)
			}
			if e.cause() != (engine.Cause{Correlation: m.Correlation, Seq: m.Causation}) || e.only() != 0 {
				t.Fatalf("cause %v, only %d", e.cause(), e.only())
			}
		}
	})
}

// A message is copied into a mailbox and out of it, and of a thousand receivers each holds some.
func TestAnEnvelopeIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(envelope{}); size > 64 {
		t.Errorf("an envelope takes %d bytes", size)
	}
}

// A failed delivery is counted on a slip of the message's own, which nobody shares.
func TestFailedDeliveriesAreTheMessagesOwn(t *testing.T) {
	shared := &slip{correlation: "i-1"}
	e := envelope{slip: shared}
	e.failed()
	e.failed()
	if e.tries() != 2 || e.cause().Correlation != "i-1" || shared.tries != 0 {
		t.Errorf("%d tries of %v, %d of the others", e.tries(), e.cause(), shared.tries)
	}
	if none := (&envelope{}); none.tries() != 0 || none.reply() != (ticket{}) {
		t.Error("an empty envelope has been tried, or has an asker")
	}
}

// Only the wait that an ask belongs to is answered through its envelope, and its end is that wait's.
func TestAnEnvelopeKnowsItsWait(t *testing.T) {
	w := newWaiter(clock.NewVirtual(time.Unix(0, 0)))
	var e envelope
	e.ask(w.begin(kernel.ForAnswer, nil, nil, time.Hour))
	if until, waits := e.asked(); until != time.Hour || !waits {
		t.Errorf("waits %v until %v", waits, until)
	}
	e.reply().settle(1, nil)
	_, _ = w.wait()
	w.begin(kernel.ForAnswer, nil, nil, 2*time.Hour)
	if _, waits := e.asked(); waits || e.reply().settle(2, nil) {
		t.Error("another wait is taken for its own")
	}
}

// Passing messages on allocates nothing, whatever incident they belong to.
func TestPassingOnAllocatesNothing(t *testing.T) {
	f := &frame{env: envelope{slip: &slip{correlation: "i-1", causation: 7, from: "the gateway"}}}
	f.actor = &actor{path: "root/a"}
	f.onward()
	if n := testing.AllocsPerRun(100, func() { f.onward() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if s := f.onward(); *s != (slip{correlation: "i-1", causation: 7}) {
		t.Errorf("passed on: %+v", *s)
	}
}
