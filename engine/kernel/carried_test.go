package kernel

import (
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

type rude struct{}

func (rude) MarshalJSON() ([]byte, error) { panic("rude") }

func TestWhatMessagesFromOutsideCarryIsKeptWhereThePlanSaysSo(t *testing.T) {
	p := &plan.Plan{Actors: []plan.Actor{{Path: "root", Definition: &plan.Definition{Kind: plan.Supervisor}}}}
	for _, c := range []struct {
		record, from string
		payload      any
		kept         string
		oversize     int
	}{
		{"payloads", "", map[string]any{"n": 1}, `{"n":1}`, 0},
		{"payloads", "public/orders", "x", `"x"`, 0},
		{"payloads", "roots", "x", `"x"`, 0},
		{"payloads", "root", "x", "", 0},
		{"payloads", "root/api", "x", "", 0},
		{"payloads", "", nil, "", 0},
		{"payloads", "", make(chan int), "", 0},
		{"payloads", "", rude{}, "", 0},
		{"payloads", "", strings.Repeat("x", maxCarried-2), `"` + strings.Repeat("x", maxCarried-2) + `"`, 0},
		{"payloads", "", strings.Repeat("x", maxCarried-1), "", maxCarried + 1},
		{"all", "", "x", "", 0},
		{"calls", "", "x", "", 0},
	} {
		p.Journal.Record = []string{c.record}
		kept, oversize := NewView(p, 1).Carried(&engine.Msg{Type: "m", Payload: c.payload}, c.from)
		if string(kept) != c.kept || oversize != c.oversize {
			t.Errorf("%s from %q: %.40v is kept as %.40q, oversize %d", c.record, c.from, c.payload, kept, oversize)
		}
	}
}
