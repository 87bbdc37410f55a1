package compiler_test

import "testing"

// Replicas share one definition, unless a text in it is filled in for each.
func TestReplicasShareTheirDefinition(t *testing.T) {
	for _, c := range []struct {
		part   string
		shared bool
	}{
		{"script: {handlers: {go: {reply: 1}}}", true},
		{"process: {command: [sleep, 1m]}, labels: {tier: back}", true},
		{"process: {command: [sleep, 1m]}, labels: {number: '${replica}'}", false},
		{"process: {command: [serve, --port, '80${replica}']}", false},
		{"upstream: 'http://10.0.0.${replica}:80'", false},
		{"upstream: http://10.0.0.1:80, health: {http: '/${name}'}", false},
	} {
		p, diags := compile(t, children("- {name: w, replicas: 3, "+c.part+"}"))
		if len(diags) > 0 {
			t.Errorf("%s: %v", c.part, diags)
			continue
		}
		first, second := p.Actor("root/w-0"), p.Actor("root/w-1")
		if first == nil || second == nil {
			t.Fatalf("%s: no replicas", c.part)
		}
		if got := first.Definition == second.Definition; got != c.shared {
			t.Errorf("%s: shared is %v", c.part, got)
		}
		if first.Name != "w-0" || second.Name != "w-1" || first.Replica != 0 || second.Replica != 1 {
			t.Errorf("%s: %d is %q and %d is %q", c.part, first.Replica, first.Name, second.Replica, second.Name)
		}
	}
}
