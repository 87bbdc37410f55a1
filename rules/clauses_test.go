package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatAClaimSays(t *testing.T) {
	scope := Scope{Place: AtExpect}
	for _, c := range []struct{ claim, want string }{
		{`always actor("db").restarts == 0`, `-`},
		{`never call.to == "db"`, `-`},
		{`never call.to == "db" && call.error.kind == "timeout"`, `call.to == "db"`},
		{`never call.error.kind == "timeout" && call.to == "db"`, `call.to == "db"`},
		{`never call.to == "db" && breaker("db").state == "open" && !call.probe`, `call.to == "db" && !call.probe & breaker("db").state == "open"`},
		{`never call.from == "a" && call.to == "b"`, `call.to == "b"`},
		{`never call.from == "a" && call.attempt > 3`, `-`},
		{`never call.took > 1s`, `-`},
		{`never event.type == "failed" && event.actor == "db"`, `-`},
		{`never event.type == "failed" && breaker("db").state == "open"`, `breaker("db").state == "open"`},
		{`never event.type == "started" && actor("db").restarts > 2`, `-`},
		{`never call.to == "db" && actor("db").mailbox > 100`, `call.to == "db"`},
		{`never actor("a").restarts > 3 && actor("b").restarts > 3`, `-`},
		{`never call.to == "a" && call.took > 1s || call.to == "b" && call.took > 2s`, `call.to == "a" / call.to == "b"`},
		{`always breaker("db").state != "open" || actor("db").in_flight <= 3`, `breaker("db").state == "open"`},
		{`always !system.emergency || system.health < 0.5`, `system.emergency`},
		{`always system.health < 0.5 || !system.emergency`, `-`}, // the last one is the claim
		{`always system.health < 0.5 || system.emergency`, `-`},
		{`always !(system.emergency && system.health > 0.9)`, `-`},
		{`always system.emergency ? system.health < 0.5 : true`, `system.emergency`},
		{`always system.emergency ? true : system.health > 0.5`, `!(system.emergency)`},
		{`always system.emergency ? system.health < 0.5 : system.health > 0.5`, `system.emergency / !(system.emergency)`},
		{`always (!system.emergency || system.health < 0.5) && now > 0`, `system.emergency / -`},
		{`always call.to != "db" || call.error.kind == ""`, `call.to == "db"`},
		{`always not (call.to == "db") or call.took < 1s`, `call.to == "db"`},
		{`never !system.emergency`, `-`},
		{`never call.to ==`, ``},
	} {
		kind, text, _ := strings.Cut(c.claim, " ")
		var got []string
		for _, clause := range Clauses(text, kind == "always", scope) {
			var premises []string
			for _, p := range clause.Premises {
				premises = append(premises, p.Source())
			}
			if len(premises) == 0 {
				premises = []string{"-"}
			}
			got = append(got, strings.Join(premises, " & "))
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " / ")); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.claim, diff)
		}
	}
}

func TestLeaves(t *testing.T) {
	for text, want := range map[string]string{
		`actor.error_rate > 0.5 && actor.calls >= 20`:             `actor.error_rate > 0.5 / actor.calls >= 20`,
		`!(actor.quarantined || actor.mailbox > 3)`:               `actor.quarantined / actor.mailbox > 3`,
		`actor.quarantined ? actor.calls > 1 : actor.calls > 2`:   `actor.quarantined / actor.calls > 1 / actor.calls > 2`,
		`actor.quarantined ? true : actor.latency.p99 > 500ms`:    `actor.quarantined / actor.latency.p99 > 0.5`,
		`actor.path startsWith "root/"`:                           `actor.path startsWith "root/"`,
		`actor("a").calls > 1 and not (share("open") > params.x)`: `actor("a").calls > 1 / share("open") > params.x`,
	} {
		var got []string
		for _, p := range Leaves(text, Scope{Place: AtRule, Params: []Field{{Name: "x"}}}) {
			got = append(got, p.Source())
		}
		if diff := cmp.Diff(want, strings.Join(got, " / ")); diff != "" {
			t.Errorf("%s: -want +got\n%s", text, diff)
		}
	}
}

func TestDoubled(t *testing.T) {
	for text, want := range map[string]string{
		`actor.error_rate > 0.5 && actor.calls >= 20`:             `actor.error_rate > 1 && actor.calls >= 20 / actor.error_rate > 0.5 && actor.calls >= 40`,
		`!(0.25 < actor.error_rate) || actor.latency.p99 > 500ms`: `!(0.5 < actor.error_rate) || actor.latency.p99 > 0.5 / !(0.25 < actor.error_rate) || actor.latency.p99 > 1`,
		`actor.calls > 0`:                             ``,
		`actor.calls > params.x`:                      ``,
		`actor.state == "open"`:                       ``,
		`actor.calls > 1 ? actor.mailbox > 2 : false`: `actor.calls > 2 ? actor.mailbox > 2 : false / actor.calls > 1 ? actor.mailbox > 4 : false`,
	} {
		var got []string
		for _, d := range Doubled(text, Scope{Place: AtRule, Params: []Field{{Name: "x"}}}) {
			got = append(got, d.Text)
		}
		if diff := cmp.Diff(want, strings.Join(got, " / ")); diff != "" {
			t.Errorf("%s: -want +got\n%s", text, diff)
		}
	}
}
