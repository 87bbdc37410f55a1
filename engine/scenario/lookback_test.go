package scenario_test

import "testing"

// A rule of the plan that looks back with over(), and none that predicts.
func TestARuleLooksBack(t *testing.T) {
	r := staged(t, `override:
  observe.window: 1s
  rules: [{name: bad, for_each: actor, when: 'over(actor, 3s).error_rate > 0.5', then: [{log: {message: '"bad"'}}]}]
load: [{name: l, to: database, message: query, rate: 20/s}]
timeline: [{at: 5s, for: 5s, fail: {target: database, kind: unreachable}}]
expect: [{name: fires, sometimes: event.type == "rule" && event.kind == "bad"}]
`)
	if !r.Passed() {
		t.Errorf("%q", broken(r))
	}
}
