package live

import (
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
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
				Deadline: time.Duration(rapid.IntRange(0, 9).Draw(t, "deadline")),
			}
			e := c.enclose(engine.Msg{Type: "n"}, &m)
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
	if size := unsafe.Sizeof(envelope{}); size > 80 {
		t.Errorf("an envelope takes %d bytes", size)
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
