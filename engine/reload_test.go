package engine

import (
	"encoding/json"
	"testing"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// However much a reload changes, what it tells of that fits an event of the journal.
func TestAReloadOfVeryMuchFitsAnEvent(t *testing.T) {
	changes := make(plan.Changes, 20000)
	for i := range changes {
		changes[i] = plan.Change{Path: "actors.root/group/actor.guard.timeout", Old: "1s", New: "2s"}
	}
	m := NewMachine()
	body := m.committed(Reloaded{Plan: &plan.Plan{}}, changes)
	data, err := json.Marshal(body)
	if err != nil || len(data) > journal.MaxEventBytes/2 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if n := len(body.Changes); n < 1000 || n+body.Omitted != len(changes) {
		t.Errorf("%d told, %d omitted of %d", n, body.Omitted, len(changes))
	}
	if few := m.committed(Reloaded{Plan: &plan.Plan{}}, changes[:3]); len(few.Changes) != 3 || few.Omitted != 0 {
		t.Errorf("%+v", few)
	}
}
