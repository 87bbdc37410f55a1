package spec

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// resolved loads documents and an override and returns the merged topology.
func resolved(t *testing.T, text, override string) (*Topology, Diagnostics) {
	t.Helper()
	set, diags := Parse("t.yaml", []byte(text), testOptions())
	var over *Value
	if override != "" {
		var more Diagnostics
		over, more = ParseOverride("flag", []byte(override), testOptions())
		diags = append(diags, more...)
	}
	topology, more := Resolve(set, over)
	return topology, append(diags, more...)
}

func at(v *Value, path string) *Value {
	for step := range strings.SplitSeq(path, ".") {
		switch {
		case v == nil:
			return nil
		case v.Type.Shape == NamedList:
			v = v.named(step)
		default:
			v = v.Entry(step)
		}
	}
	return v
}

// Each layer beats those before it; the origin tells which one did.
func TestPrecedence(t *testing.T) {
	const path = "root.children.s.children.a.guard.timeout"
	for layers, want := range []struct{ value, origin string }{
		{"", ""},
		{"1s", `policy guard "g"`},
		{"2s", "defaults"},
		{"3s", "defaults"},
		{"4s", `template "low"`},
		{"5s", `template "high"`},
		{"6s", "written here"},
		{"7s", `policy document "on-call"`},
		{"8s", "override"},
	} {
		on := func(layer int, text string) string {
			if layers >= layer {
				return text
			}
			return ""
		}
		text := header + "policies: {guards: {g: {timeout: 1s}}}\n" +
			"defaults: {guard: {" + on(1, "use: g, ") + on(2, "timeout: 2s") + "}}\n" +
			"templates: {low: {guard: {" + on(4, "timeout: 4s") + "}}, high: {guard: {" + on(5, "timeout: 5s") + "}}}\n" +
			"root:\n  children:\n    - name: s\n      defaults: {guard: {" + on(3, "timeout: 3s") + "}}\n      children:\n" +
			"        - {name: a, script: {}, use: [low, high], guard: {" + on(6, "timeout: 6s") + "}}\n"
		if layers >= 7 {
			text += "---\napiVersion: lukhas/v1\nkind: Policy\nmetadata: {name: on-call}\nactors: {root/s/a: {guard: {timeout: 7s}}}\n"
		}
		topology, diags := resolved(t, text, on(8, "actors.a.guard.timeout: 8s"))
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		got := at(topology.Root, path)
		if got.String() != want.value || got != nil && got.Origin.String() != want.origin {
			t.Errorf("with %d layers: %s from %v, want %s from %s", layers, got, got.Origin, want.value, want.origin)
		}
	}
}

func TestNamingAPolicyReplacesTheOneBelow(t *testing.T) {
	text := header + `policies:
  breakers:
    fast: {trip: {consecutive_failures: 3}, window: {calls: 50}}
    rate: {use: fast, trip: {error_rate: 50%}, window: 5s}
defaults: {guard: {breaker: {trip: {failures: 9}}}}
root: {children: [{name: a, script: {}, guard: {breaker: rate}}, {name: b, script: {}, guard: {breaker: {trip: {error_rate: 10%}}}}]}
`
	topology, diags := resolved(t, text, "")
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	a, b := at(topology.Root, "root.children.a.guard.breaker"), at(topology.Root, "root.children.b.guard.breaker")
	if a.At("trip").Has("failures") || a.At("trip").At("error_rate").Float() != 0.5 || a.At("trip").At("consecutive_failures").Int() != 3 {
		t.Error("a named policy did not replace the inherited one, or lost what it uses itself")
	}
	if a.At("window").Has("calls") || a.At("window").At("time").Duration() != 5*time.Second || a.At("use").Text() != "rate" {
		t.Error("fields that exclude each other: the upper one wins")
	}
	if b.At("trip").At("failures").Int() != 9 || b.At("trip").At("error_rate").Float() != 0.1 || b.At("open").At("for").Duration() != 5*time.Second {
		t.Error("changes without a name merge deeply over what is inherited")
	}
}

func TestDefaultsReachOnlyTheActorsThatTakeThem(t *testing.T) {
	text := header + "defaults: {mailbox: {capacity: 7}, strategy: all_for_one, restart: {policy: never}}\n" +
		"root: {children: [{name: s, children: [{name: a, script: {}}]}]}\n"
	topology, diags := resolved(t, text, "")
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	s, a := at(topology.Root, "root.children.s"), at(topology.Root, "root.children.s.children.a")
	if s.Has("mailbox") || s.Field("strategy").Text() != "all_for_one" || !s.Has("restart") {
		t.Error("a supervisor takes strategy and restart, no mailbox")
	}
	if a.Has("strategy") || a.At("mailbox").At("capacity").Int() != 7 || !a.Has("restart") {
		t.Error("an actor takes mailbox and restart, no strategy")
	}
}

// What the walker reported is not reported again as missing, even when layers
// above and below are merged.
func TestReportedFieldsAreNotMissing(t *testing.T) {
	text := header + "templates: {w: {process: {cmd: [a]}}}\nroot: {children: [{name: a, use: w, process: {cwd: /}}]}\n"
	want := `LR104 4:27 unknown field "cmd" in templates.w.process; did you mean "cwd"?`
	if got := findings(t, "t.yaml", text); got != want {
		t.Errorf("got %s", got)
	}
}

func policyDocument(name, body string) string {
	return "---\napiVersion: lukhas/v1\nkind: Policy\nmetadata: {name: " + name + "}\n" + body + "\n"
}

func TestPolicyDocuments(t *testing.T) {
	base := header + "params: {slow: 1s}\nrules: [{name: r, when: params.slow > 1, then: [{log: '\"x\"'}]}]\n" +
		"root: {children: [{name: s, children: [{name: a, script: {}}]}, {name: u, children: [{name: a, script: {}}, {name: w, replicas: 2, script: {}}]}]}\n"
	for _, c := range []struct{ name, text, want string }{
		{"agree", policyDocument("x", "params: {slow: 2s}") + policyDocument("y", "params: {slow: 2s}"), ""},
		{"disagree", policyDocument("x", "params: {slow: 2s}") + policyDocument("y", "params: {slow: 3s}"),
			`t.yaml:16:16: LR207 two policies set params.slow: "3s" here, "2s" at t.yaml:11:16`},
		{"disagree in a rule", policyDocument("x", "rules: [{name: r, hold: 1s}]") + policyDocument("y", "rules: [{name: r, hold: 2s}]"),
			`t.yaml:16:25: LR207 two policies set rules.r.hold: "2s" here, "1s" at t.yaml:11:25`},
		{"unknown actor", policyDocument("x", "actors: {W: {}}") + policyDocument("y", "actors: {v: {guard: {timeout: 1s}}}"),
			`t.yaml:11:10: LR201 names are lower case: "w"` + "\n" + `t.yaml:16:10: LR203 unknown actor "v"`},
		{"ambiguous", policyDocument("x", "actors: {a: {guard: {timeout: 1s}}}"), `t.yaml:11:10: LR206 "a" is ambiguous; write one of root/s/a, root/u/a`},
		{"path", policyDocument("x", "actors: {root/u/a: {guard: {timeout: 1s}}}"), ""},
		{"not hot", policyDocument("x", "actors: {w: {replicas: 5}}"), `t.yaml:11:14: LR104 unknown field "replicas" in actors.w`},
		{"rule switched off", policyDocument("x", "rules: [{name: r, enabled: false}]"), ""},
		{"rule without action", policyDocument("x", "rules: [{name: new, when: true}]"), `t.yaml:11:9: LR107 "then" is missing in rule "new"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, diags := resolved(t, base+c.text, "")
			var lines []string
			for _, d := range diags {
				lines = append(lines, d.Error())
			}
			if got := strings.Join(lines, "\n"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestExpiredPoliciesDropOut(t *testing.T) {
	text := header + "params: {slow: 1s}\n" + tree + policyDocument("x", "expires: 2026-12-01\nparams: {slow: 2s}")
	for _, c := range []struct {
		now  string
		want time.Duration
	}{{"2026-11-30", 2 * time.Second}, {"2026-12-01", time.Second}} {
		now, err := time.Parse(time.DateOnly, c.now)
		if err != nil {
			t.Fatal(err)
		}
		set, _ := Parse("t.yaml", []byte(text), Options{Now: now})
		topology, diags := Resolve(set, nil)
		if got := topology.Root.Field("params").Entry("slow").Duration(); len(diags) > 0 || got != c.want {
			t.Errorf("%s: %v, %v", c.now, got, diags)
		}
	}
}

func TestOverridePaths(t *testing.T) {
	text := header + "params: {slow: 1s}\nrules: [{name: r, when: a > 1, then: []}]\n" +
		"policies: {breakers: {b: {open: {for: 1s}}}}\nroot: {children: [{name: a, script: {}, guard: {breaker: b}}]}\n"
	for _, c := range []struct{ name, over, path, want string }{
		{"policy", "policies.breakers.b.open.for: 2s", "root.children.a.guard.breaker.open.for", "2s"},
		{"rule by name", "rules.r.when: b > 2", "rules.r.when", "b > 2"},
		{"nested", "{policies: {breakers.b: {open.for: 3s}}}", "root.children.a.guard.breaker.open.for", "3s"},
		{"two paths", "{policies.breakers.b.open.for: 3s, policies.breakers.b.open.max: 9s}", "root.children.a.guard.breaker.open.max", "9s"},
		{"param", "params.slow: 5s", "params.slow", "5s"},
		{"actor", "actors.a.mailbox.capacity: 7", "root.children.a.mailbox.capacity", "7"},
		{"typo", "policies.breakers.b.opn.for: 1s", "", `flag:1:1: LR104 unknown field "opn" in policies.breakers.b; did you mean "open"?`},
		{"into a list", "journal.record.first: calls", "", "flag:1:1: LR122 journal.record has no fields below it"},
		{"wrong type", "policies.breakers.b.open.for: 5", "", `flag:1:31: LR113 add a unit: "5s"`},
		{"no actor", "actors.nobody.guard.timeout: 5s", "", `flag:1:1: LR203 unknown actor "nobody"`},
		{"empty", "# nothing", "", "flag: LR001 flag is empty; expected PATH: VALUE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			topology, diags := resolved(t, text, c.over)
			got := ""
			if len(diags) > 0 {
				got = diags[0].Error()
			} else {
				got = at(topology.Root, c.path).String()
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestParamsReplicasAndSecretsInText(t *testing.T) {
	text := header + "params: {port: 8080, wait: 300ms}\n" +
		"root: {children: [{name: a, replicas: 2, process: {command: [\"${exe}\", \"--port\", \"${params.port}\"], env: {N: \"$${x}-${name}-${replica}\", T: \"${secret:PASSWORD}\"}}, guard: {timeout: \"${params.wait}\"}}]}\n"
	set, diags := Parse("t.yaml", []byte(text), Options{Env: environment, Exe: "/bin/me"})
	topology, more := Resolve(set, nil)
	if diags = append(diags, more...); len(diags) > 0 {
		t.Fatal(diags)
	}
	a := at(topology.Root, "root.children.a")
	command := a.Field("process").Field("command").Items()
	if command[0].Text() != "/bin/me" || command[2].Text() != "8080" || a.Field("guard").Field("timeout").Duration() != 300*time.Millisecond {
		t.Error("exe or params were not filled in")
	}
	env := a.Field("process").Field("env")
	if got := env.Entry("N").TextFor(map[string]string{"name": "a-1", "replica": "1"}); got != "${x}-a-1-1" {
		t.Errorf("for a replica: %q", got)
	}
	if got := env.Entry("T"); got.Text() != "hunter2" || fmt.Sprint(got) != "***" || !got.Secret || len(set.Secrets) != 1 {
		t.Errorf("a secret is %v", got)
	}
}

func TestMergeKeysBringWhatIsNotWritten(t *testing.T) {
	text := header + "x-base: &base {open: {for: 3s}, min_calls: 7}\npolicies: {breakers: {b: {<<: *base, min_calls: 9}}}\n" + tree
	topology, diags := resolved(t, text, "")
	b := at(topology.Root, "policies.breakers.b")
	if len(diags) > 0 || b.At("open").At("for").Duration() != 3*time.Second || b.At("min_calls").Int() != 9 {
		t.Error(diags, b.Interface())
	}
}

// Places inside an expression are found whatever style it is written in.
func TestPlacesInsideExpressions(t *testing.T) {
	for _, style := range []string{
		"when: aa > ßß + cc",
		"when: 'aa > ßß + cc'",
		`when: "aa > \u00df\u00df + cc"`,
		"when: |\n      aa >\n      ßß + cc",
		"when: aa >\n      ßß\n      + cc",
		"when: \"aa >\n      ßß + cc\"",
		"when: 'x != ''y'' && aa > ßß + cc'",
	} {
		text := header + "rules:\n  - name: r\n    " + style + "\n    then: []\n" + tree
		set, diags := Parse("t.yaml", []byte(text), testOptions())
		if len(diags) > 0 {
			t.Fatal(style, diags)
		}
		e := set.Topology.Root.Field("rules").Items()[0].Field("when").Expression()
		runes := []rune(e.Text)
		for i, c := range runes {
			if c != 'c' {
				continue
			}
			pos := e.At(i, 2)
			line := []rune(strings.Split(text, "\n")[pos.Line-1])
			if pos.Col > len(line) || line[pos.Col-1] != 'c' || pos.Len != 2 {
				t.Errorf("%s: rune %d of %q is said to be at %v", style, i, e.Text, pos)
			}
		}
	}
}

// model merges plain data as Merge merges Values of the language's tables.
func model(base, over any) any {
	b, ok1 := base.(map[string]any)
	o, ok2 := over.(map[string]any)
	if !ok1 || !ok2 {
		return over
	}
	out := map[string]any{}
	for k, v := range b {
		out[k] = v
	}
	for k, v := range o {
		if have, ok := out[k]; ok {
			v = model(have, v)
		}
		out[k] = v
	}
	return out
}

func drawData(t *rapid.T, depth int) string {
	if depth == 0 || rapid.Bool().Draw(t, "leaf") {
		return rapid.SampledFrom([]string{"1", "text", "[1, 2]", "true"}).Draw(t, "value")
	}
	var parts []string
	for _, key := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, key) {
			parts = append(parts, key+": "+drawData(t, depth-1))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func TestMergeAgreesWithAModel(t *testing.T) {
	data := func(t *rapid.T) *Value {
		text := header + "root: {children: [{name: a, go: {behaviour: b, config: {x: " + drawData(t, 4) + "}}}]}\n"
		set, diags := Parse("t.yaml", []byte(text), Options{})
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		return at(set.Topology.Root, "root.children.a.go.config")
	}
	rapid.Check(t, func(t *rapid.T) {
		base, over := data(t), data(t)
		before := fmt.Sprint(base.Interface(), over.Interface())
		got, want := fmt.Sprint(Merge(base, over).Interface()), fmt.Sprint(model(base.Interface(), over.Interface()))
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if before != fmt.Sprint(base.Interface(), over.Interface()) {
			t.Error("merging changed its arguments")
		}
	})
}
