package guard

import (
	"maps"
	"testing"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Retries through an actor's own guard and through those of edges to it add up; a group's are spread over its replicas; an
// edge that two calls name counts once.
func TestRetriesAreCountedForTheCallee(t *testing.T) {
	edge := &plan.Guard{Name: "api->db"}
	calls := []plan.CallSpec{{To: "root/db", Guard: edge}, {To: "root/db", Guard: edge}}
	p := &plan.Plan{
		Actors: []plan.Actor{
			{
				Name: "root", Path: "root", Parent: -1, Definition: &plan.Definition{
					Kind: plan.Supervisor, Supervisor: &plan.SupervisorSpec{
						Strategy: plan.OneForOne, Intensity: plan.Intensity{Max: 1, Within: 1}, Children: []int{1, 2, 3, 4}},
				}},
			{
				Name: "db", Path: "root/db", Definition: &plan.Definition{
					Kind: plan.Script, Script: &plan.ScriptSpec{}, Guard: &plan.Guard{Name: "db"},
					Restart: plan.Restart{Policy: plan.Always},
				}},
			{Name: "w-0", Path: "root/w-0", Group: "root/w", Definition: &plan.Definition{Order: 1, Kind: plan.Script, Script: &plan.ScriptSpec{}, Restart: plan.Restart{Policy: plan.Always}}},
			{Name: "w-1", Path: "root/w-1", Group: "root/w", Replica: 1, Definition: &plan.Definition{Order: 1, Kind: plan.Script, Script: &plan.ScriptSpec{}, Restart: plan.Restart{Policy: plan.Always}}},
			{
				Name: "api", Path: "root/api", Definition: &plan.Definition{
					Order: 2, Kind: plan.Script, Script: &plan.ScriptSpec{Handlers: []plan.Handler{{Message: "m", Calls: calls}}},
					Restart: plan.Restart{Policy: plan.Always},
				}},
		},
		Groups: []plan.Group{{Name: "w", Path: "root/w", Members: []string{"root/w-0", "root/w-1"}, Guard: &plan.Guard{Name: "w"}}},
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	got := Retries(p, []Snapshot{{Name: "db", Retries: 3}, {Name: "api->db", Retries: 4}, {Name: "w", Retries: 10}, {Name: "gone", Retries: 5}})
	if want := map[string]uint64{"root/db": 7, "root/w-0": 5, "root/w-1": 5}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
