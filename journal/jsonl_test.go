package journal

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEventsAsJSON(t *testing.T) {
	e := New("shop/w1", ActorReady{Incarnation: 2, Took: time.Second})
	e.Seq, e.Time, e.Correlation, e.Causation = 7, 1_790_000_000_123_456_789, "c1", 6
	line, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"seq":7,"time":"2026-09-21T14:13:20.123456789Z","type":"actor_ready","actor":"shop/w1","correlation":"c1","causation":6,` +
		`"version":1,"content":1,"payload":{"incarnation":2,"took_ns":1000000000}}`
	if string(line) != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
	for _, e := range []Event{
		e, New("", Input{Data: []byte{0, 255}}), {Type: 999, Version: 3, Content: 7, Payload: []byte("x")},
		{Type: TypeLogged, Version: 1, Content: ContentJSON, Payload: []byte("{broken")}, {Type: TypeLogged, Time: -5},
	} {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back Event
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, back); diff != "" {
			t.Errorf("%s changed on the way through JSON:\n%s", line, diff)
		}
	}
	for _, bad := range []string{
		`{}`, `{"type":"nonsense","time":"2026-09-21T14:13:20Z"}`, `{"type":"logged","time":"yesterday"}`,
		`{"type":"logged","time":"2026-09-21T14:13:20Z","payload":1,"bytes":"eA=="}`,
	} {
		if err := json.Unmarshal([]byte(bad), &Event{}); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
