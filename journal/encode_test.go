package journal

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Bodies that encode themselves give the bytes of encoding/json, whatever is in them.
func TestSwiftBodiesAreThoseOfEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string {
			return rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z /.:\n\t]{0,300}`),
				rapid.SampledFrom([]string{"", "\"", `\`, "<&>", "\u2028", "\xff", "\x00", "\x7f", "é"})).Draw(t, name)
		}
		number := func(name string) uint64 { return rapid.Uint64().Draw(t, name) }
		took := func(name string) time.Duration { return time.Duration(rapid.Int64().Draw(t, name)) }
		lines := rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "lines")
		failed := ActorFailed{Incarnation: number("i"), Kind: text("kind"), Message: text("message"), LastLines: lines}
		if rapid.Bool().Draw(t, "full") {
			failed.ExitCode, failed.Signal = rapid.Int().Draw(t, "code"), text("signal")
			failed.Stack, failed.MessageType = text("stack"), text("type")
		}
		change, err := json.Marshal(map[string]any{text("field"): text("value")})
		if err != nil {
			t.Fatal(err)
		}
		bodies := []Body{
			StateChanged{number("sequence"), rapid.Bool().Draw(t, "whole"), change}, StateChanged{Whole: true},
			failed, &failed,
			Message{text("from"), text("type"), text("outcome"), took("took"), time.Duration(rapid.IntRange(0, 1).Draw(t, "waited")), change, 0},
			Call{text("from"), text("type"), text("guard"), text("outcome"), text("class"), took("took"), rapid.IntRange(0, 1).Draw(t, "attempt"),
				rapid.IntRange(0, 1).Draw(t, "hedge"), text("replica"), rapid.IntRange(0, 1).Draw(t, "status"), nil, rapid.IntRange(0, 1).Draw(t, "oversize")},
			ActorStarting{number("n")},
			ActorStarted{number("n"), rapid.IntRange(0, 2).Draw(t, "pid"), text("address")},
			ActorReady{number("n"), took("took")},
			&ActorStopping{number("n"), text("why")},
			ActorStopped{number("n"), text("reason"), took("took")},
			&ActorRestarting{rapid.Int().Draw(t, "attempt"), took("delay"), text("directive"), number("restarts")},
		}
		for _, b := range bodies {
			if _, ok := b.(swift); !ok {
				t.Fatalf("%T does not encode itself", b)
			}
			want, err := json.Marshal(b)
			if err != nil {
				t.Fatal(err)
			}
			if got := (*Ink)(nil).encodeJSON(b); string(got) != string(want) {
				t.Fatalf("%T:\n got %s\nwant %s", b, got, want)
			}
		}
	})
}
