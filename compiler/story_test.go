package compiler_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

// TestChangesCostWhatTheyShould edits the annotated topology as on-call people do.
func TestChangesCostWhatTheyShould(t *testing.T) {
	cases := []struct {
		name, old, new string
		want           []string
	}{
		{"a threshold", "consecutive_failures: 5", "consecutive_failures: 3", []string{
			"root/services/database guard.breaker.trip.consecutive_failures 5->3 hot",
			"root/services/api guard.breaker.trip.consecutive_failures 5->3 hot",
		}},
		{"a threshold of one", "guard: {use: standard, bulkhead", "guard: {use: standard, timeout: 1s, bulkhead", []string{
			"root/services/database guard.timeout 500ms->1s hot",
		}},
		{"a command", "[python3, worker.py]", "[python3, other.py]", []string{
			`root/workers/resize-0 process.command ["python3","worker.py"]->["python3","other.py"] restart_actor`,
			`root/workers/resize-1 process.command ["python3","worker.py"]->["python3","other.py"] restart_actor`,
			`root/workers/resize-2 process.command ["python3","worker.py"]->["python3","other.py"] restart_actor`,
		}},
		{"one more replica", "replicas: 3", "replicas: 4", []string{
			`root/workers/resize members ["root/workers/resize-0","root/workers/resize-1","root/workers/resize-2"]->["root/workers/resize-0","root/workers/resize-1","root/workers/resize-2","root/workers/resize-3"] start`,
			"root/workers/resize-3  ->process start",
			`root/services/balance consensus.members ["root/workers/resize-0","root/workers/resize-1","root/workers/resize-2"]->["root/workers/resize-0","root/workers/resize-1","root/workers/resize-2","root/workers/resize-3"] hot`,
		}},
		{"an actor goes", "        - name: ledger\n", "        - name: ledger\n          enabled: false\n", []string{
			"root/services/balance order 4->3 hot", "root/services/ledger  go-> stop",
		}},
		{"another kind", "          go: {behaviour: ledger, config: {currency: EUR}}", "          upstream: http://127.0.0.1:5", []string{
			"root/services/ledger kind go->upstream recreate",
			"root/services/ledger concurrency 1->0 restart_actor",
			"root/services/ledger upstream.url ->http://127.0.0.1:5 restart_actor",
			"root/services/ledger go.behaviour ledger-> restart_actor",
			`root/services/ledger go.config {"currency":"EUR"}-> restart_actor`,
		}},
		{"an address", "listen: 127.0.0.1:8080", "listen: 127.0.0.1:8081", []string{
			" gateway.public.listen 127.0.0.1:8080->127.0.0.1:8081 recreate",
		}},
		{"durability", "durability: group", "durability: each", []string{" journal.durability group->each restart_engine"}},
		{"a param", "slow: 800ms", "slow: 900ms", []string{" params.slow 0.8->0.9 hot"}},
		{"a comment", "# typed by the literal", "# typed by how it is written", nil},
	}
	before, _ := compile(t, annotated(t))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(annotated(t), c.old, c.new, 1)
			if text == annotated(t) {
				t.Fatalf("%q is not in the topology", c.old)
			}
			after, diags := compile(t, text)
			if after == nil {
				t.Fatal(brief(diags))
			}
			var got []string
			for _, x := range plan.Diff(before, after) {
				path := x.Path
				if x.Actor != "" {
					_, path, _ = strings.Cut(path, x.Actor)
				}
				got = append(got, fmt.Sprintf("%s %s %s->%s %v", x.Actor, strings.TrimPrefix(path, "."), x.Old, x.New, x.Class))
			}
			if c.name == "another kind" {
				got = slices.DeleteFunc(got, func(s string) bool { return !slices.Contains(c.want, s) })
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestNamesLeadToActorsAndGuards(t *testing.T) {
	p, diags := compile(t, header+`root:
  children:
    - name: east
      children:
        - {name: db, upstream: "http://127.0.0.1:1", guard: {breaker: {trip: {consecutive_failures: 3}}}}
    - name: west
      restart_breaker: {trip: {consecutive_failures: 3}}
      children:
        - {name: db, replicas: 2, upstream: "http://127.0.0.1:2", guard: {breaker: {trip: {consecutive_failures: 3}, per: replica}}}
        - name: api
          script:
            handlers:
              go:
                calls:
                  - {to: east/db, message: q, guard: {breaker: {trip: {consecutive_failures: 3}}}}
                  - {to: root/west/db, message: q, guard: {timeout: 1s}}
                  - {to: db-1, message: q, guard: {timeout: 2s}}
gateway:
  - name: public
    listen: 127.0.0.1:0
    routes: [{name: all, path: /, to: west/db, guard: {breaker: {trip: {consecutive_failures: 3}}}}]
rules:
  - name: r
    when: breaker("east/db").state == "open" && breaker("public/all").calls > 1 && breaker("api->east/db").calls > 1 && breaker("db-1").calls > 1
    then: [{force_open: east/db}, {pause: db-0}, {restart: west}, {resume: west/db}]
  - {name: s, when: 'breaker("west/restarts").state == "open"', then: [{stop: api}]}
`)
	if p == nil || len(diags) > 0 {
		t.Fatalf("findings:\n%s", brief(diags))
	}
	var got []string
	for i := range p.Actors {
		if g := p.Actors[i].Guard; g != nil {
			got = append(got, p.Actors[i].Path+" "+g.Name)
		}
		if s := p.Actors[i].Script; s != nil {
			for _, call := range s.Handlers[0].Calls {
				got = append(got, call.To+" "+call.Guard.Name)
			}
		}
	}
	for i := range p.Groups {
		got = append(got, p.Groups[i].Path+" "+p.Groups[i].Guard.Name)
	}
	got = append(got, p.Gateway[0].Routes[0].Guard.Name, p.Actor("root/west").Supervisor.RestartBreaker.Name)
	for _, a := range p.Rules[0].Then {
		got = append(got, a.Verb+" "+a.Target)
	}
	want := []string{
		"root/east/db east/db", "root/east/db api->east/db", "root/west/db api->west/db", "root/west/db-1 api->west/db-1",
		"root/west/db west/db", "public/all", "west/restarts",
		"force_open east/db", "pause root/west/db-0", "restart root/west", "resume root/west/db",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPlacesDoNotDependOnStyle writes one mistake in every style of scalar.
func TestPlacesDoNotDependOnStyle(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"  when: actor.calls > 5 && actor.eror_rate > 1", "LR303 13:34"},
		{"  when: 'actor.name == ''its'' || actor.eror_rate > 1'", "LR303 13:41"},
		{`  when: "actor.name == \"x\" && actor.eror_rate > 1"`, "LR303 13:39"},
		{"  when: |\n    actor.calls > 5\n    && actor.eror_rate > 1", "LR303 15:14"},
		{"  when: actor.calls > 5\n    && actor.eror_rate > 1", "LR303 14:14"},
	} {
		_, diags := compile(t, with("rules:", "- name: r", "  for_each: actor", c.text, "  then: [{pause: {}}]"))
		if got := brief(diags); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s\ngives %s, want %s", c.text, got, c.want)
		}
	}
}

func TestCompileTwiceIsTheSame(t *testing.T) {
	set, _ := spec.Parse("t.yaml", []byte(full(t)), options())
	var first []byte
	for range 5 {
		p, diags := compiler.Compile(set, compiler.Options{})
		if p == nil {
			t.Fatal(diags)
		}
		var text bytes.Buffer
		if err := plan.Print(&text, p); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = text.Bytes()
		}
		if !bytes.Equal(first, text.Bytes()) {
			t.Fatal("two compilations of one set differ")
		}
	}
}

func TestFindingsComeTogetherAndBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(header + "templates: {w: {guard: {breaker: {trip: {when: callz > 5}}}}}\nroot:\n  children:\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "    - {name: a%d, use: w, upstream: \"http://127.0.0.1:1\", guard: {fallback: [{to: nobody%d}]}}\n", i, i)
	}
	p, diags := compile(t, b.String())
	if p != nil || len(diags) != spec.MaxDiagnostics {
		t.Fatalf("%d findings", len(diags))
	}
	if diags[0].Code != "LR303" || diags[1].Pos.Line != 7 {
		t.Errorf("the first are %s", brief(diags[:3]))
	}
}

// FuzzCompile changes bytes of real topologies: whatever comes of it, nothing panics, and a plan only comes without errors.
func FuzzCompile(f *testing.F) {
	f.Add(annotated(f))
	f.Add(full(f))
	f.Add(with("rules: [{name: r, when: noww > 5, then: [{pause: dbb}]}]"))
	f.Fuzz(func(t *testing.T, text string) {
		set, diags := spec.Parse("t.yaml", []byte(text), options())
		p, more := compiler.Compile(set, compiler.Options{})
		if (p == nil) != more.HasErrors() {
			t.Fatalf("plan %v with findings %v", p != nil, more)
		}
		_, _ = compiler.Explain(set, compiler.Options{})
		_ = diags
	})
}

// TestMutilatedTopologiesDoNotPanic leaves out each line, and then each half line, of a topology that has everything.
func TestMutilatedTopologiesDoNotPanic(t *testing.T) {
	for _, text := range []string{annotated(t), full(t)} {
		lines := strings.SplitAfter(text, "\n")
		for i := range lines {
			for _, keep := range []int{0, len(lines[i]) / 2} {
				cut := strings.Join(lines[:i], "") + lines[i][:keep] + "\n" + strings.Join(lines[i+1:], "")
				set, _ := spec.Parse("t.yaml", []byte(cut), options())
				if p, diags := compiler.Compile(set, compiler.Options{}); p == nil && !diags.HasErrors() {
					t.Fatalf("line %d: no plan and no error", i+1)
				}
			}
		}
	}
}

func TestOneReplicaIsAGroup(t *testing.T) {
	p, diags := compile(t, children(`- {name: w, replicas: 1, labels: {n: "${name} of ${replica}"}, upstream: "http://127.0.0.1:1"}`, "- {name: a, upstream: http://127.0.0.1:2}"))
	if p == nil {
		t.Fatal(brief(diags))
	}
	if w := p.Actor("root/w-0"); w == nil || len(p.Groups) != 1 || w.Group != "root/w" || w.Labels[0].Value != "w-0 of 0" {
		t.Errorf("actors %v, groups %v", w, p.Groups)
	}
	if a := p.Actor("root/a"); a == nil || a.Group != "" {
		t.Errorf("an actor without replicas is %v", a)
	}
}
