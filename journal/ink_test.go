package journal

import (
	"strings"
	"testing"
	"time"
)

// Payloads in one ink are what they are in memory of their own, keep that while others are written, and end where they end.
func TestInkKeepsPayloadsApart(t *testing.T) {
	var ink Ink
	var written, alone []Event
	for i := range 500 {
		for _, b := range []Body{
			ActorStarted{uint64(i), 7, strings.Repeat("a", i%40)}, ActorReady{uint64(i), time.Duration(i) << (i % 50)},
			ActorStopped{uint64(i), strings.Repeat("\n", i%90), 1}, SupervisorGaveUp{Reason: "r"}, Input{Data: []byte("data")},
		} {
			e := ink.New("a", b)
			if _, inked := b.(swift); inked && len(e.Payload) != cap(e.Payload) {
				t.Fatalf("%s of %d bytes has room for %d: who appends to it would write into another", e.Type, len(e.Payload), cap(e.Payload))
			}
			written, alone = append(written, e), append(alone, New("a", b))
		}
	}
	for i := range written {
		if string(written[i].Payload) != string(alone[i].Payload) {
			t.Fatalf("event %d in ink is %s, alone %s", i, written[i].Payload, alone[i].Payload)
		}
	}
	ready := &ActorReady{1, 2}
	if n := testing.AllocsPerRun(1000, func() { ink.New("a", ready) }); n >= 1 {
		t.Errorf("an event in ink allocates %v times", n)
	}
}
