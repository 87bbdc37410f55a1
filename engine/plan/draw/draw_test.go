package draw

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

func compile(t testing.TB, place rules.Place, text string) *rules.Program {
	t.Helper()
	p, problems := rules.Compile(text, rules.Any, rules.Scope{Place: place})
	if p == nil {
		t.Fatal(problems)
	}
	return p
}

// shop is a small plan with every relation in it.
func shop(t testing.TB) *plan.Plan {
	t.Helper()
	guard := &plan.Guard{Name: "database", Timeout: 500e6, Bulkhead: &plan.Bulkhead{Concurrent: 64},
		Breaker:  &plan.Breaker{Name: "database", Policy: breaker.Policy{Trip: breaker.Trip{ConsecutiveFailures: 5, ErrorRate: 0.5}}},
		Fallback: []plan.Fallback{{To: "root/api", Message: "stale"}}}
	supervisor := func(children ...int) *plan.SupervisorSpec {
		return &plan.SupervisorSpec{Strategy: plan.OneForOne, Intensity: plan.Intensity{Max: 3, Within: 60e9}, Children: children}
	}
	p := &plan.Plan{Name: "shop", Secrets: []string{"hunter-two"}, Actors: []plan.Actor{
		{Name: "root", Path: "root", Parent: -1, Definition: &plan.Definition{Kind: plan.Supervisor, Supervisor: supervisor(1, 4, 5)}},
		{Name: "workers", Path: "root/workers", Parent: 0, Definition: &plan.Definition{Kind: plan.Supervisor, Supervisor: supervisor(2, 3)}},
		{Name: "resize-0", Path: "root/workers/resize-0", Parent: 1, Group: "root/workers/resize", Definition: &plan.Definition{Kind: plan.Process, Process: &plan.ProcessSpec{Command: []string{"/bin/worker", "hunter-two"}}}},
		{Name: "resize-1", Path: "root/workers/resize-1", Parent: 1, Group: "root/workers/resize", Replica: 1, Definition: &plan.Definition{Kind: plan.Process, Process: &plan.ProcessSpec{Command: []string{"/bin/worker", "hunter-two"}}}},
		{Name: "database", Path: "root/database", Parent: 0, Definition: &plan.Definition{Kind: plan.Upstream, Guard: guard, Upstream: &plan.UpstreamSpec{URL: "http://me:secret@127.0.0.1:9001/v1/"}}},
		{
			Name: "api", Path: "root/api", Parent: 0, Definition: &plan.Definition{
				Kind: plan.Script, Script: &plan.ScriptSpec{Handlers: []plan.Handler{{Message: "buy",
					Calls: []plan.CallSpec{{To: "root/database", Message: "query", Guard: &plan.Guard{Name: "api->database", Breaker: guard.Breaker}}, {To: "root/workers/resize", Message: "shrink"}, {To: "root/workers/resize", Message: "grow"}},
					Tell:  []plan.TellSpec{{To: "root/database", Message: "seen"}}}}},
			}},
	},
		Groups:  []plan.Group{{Name: "resize", Path: "root/workers/resize", Members: []string{"root/workers/resize-0", "root/workers/resize-1"}}},
		Gateway: []plan.Listener{{Name: "public", Listen: "127.0.0.1:8080", Routes: []plan.HTTPRoute{{Name: "buy", Path: "/buy", Methods: []string{"POST"}, To: "root/api"}}}},
		Rules: []plan.Rule{
			{Name: "bad-worker", Enabled: true, Where: compile(t, rules.AtRule, `actor.path startsWith "root/workers/"`), When: compile(t, rules.AtRule, `actor.error_rate > 0.5 && actor("api").calls > 3`),
				Then: []plan.Action{{Verb: "quarantine"}, {Verb: "log"}, {Verb: "force_open", Target: "database"}}},
			{Name: "by-hand", Enabled: true, Then: []plan.Action{{Verb: "restart", Target: "root/**"}, {Verb: "run", Text: "bad-worker"}}},
		}}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOfFindsEveryRelation(t *testing.T) {
	g := Of(shop(t))
	var got []string
	for _, e := range g.Edges {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.From, e.Kind, e.To, edgeText(e))))
	}
	want := []string{
		"root/database fallback root/api stale",
		"root/api call root/database query (breaker: 5 in a row, 50% errors)",
		"root/api call root/workers/resize shrink, grow",
		"root/api tell root/database seen",
		"gateway/public route root/api buy",
		"rules/bad-worker acts root/workers quarantine",
		"rules/bad-worker acts root/database force_open",
		"rules/bad-worker watches root/api",
		"rules/by-hand acts root restart",
		"rules/by-hand acts rules/bad-worker run",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	nodes := map[string]Node{}
	for _, n := range g.Nodes {
		nodes[n.ID] = n
	}
	if n := nodes["root/workers/resize"]; n.Replicas != 2 || n.Detail != "worker ***" || n.Parent != "root/workers" {
		t.Errorf("a group is one node, without secrets: %+v", n)
	}
	if n := nodes["root/database"]; n.Detail != "127.0.0.1:9001/v1" || n.Breaker != "5 in a row, 50% errors" || strings.Join(n.Guards, ", ") != "64 at once, timeout 500ms, fallback" {
		t.Errorf("an upstream: %+v", n)
	}
}

func TestMermaid(t *testing.T) {
	var b strings.Builder
	if err := Mermaid(&b, Of(shop(t))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"flowchart LR\n", "subgraph boxn1 [\"workers\"]", "n2[\"resize ×2<br/>worker ***\"]:::process", "-->|\"shrink, grow\"|", "-.->|\"quarantine\"|", "classDef rule"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Count(b.String(), "subgraph") != strings.Count(b.String(), "end\n") {
		t.Error("subgraphs are left open")
	}
	if got := mermaidText("a \"b\" #1 <c>"); got != "a #quot;b#quot; #35;1 #lt;c#gt;" {
		t.Errorf("%q", got)
	}
}

func TestDot(t *testing.T) {
	var b strings.Builder
	if err := Dot(&b, Of(shop(t))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`digraph "shop" {`, "subgraph cluster_n1 {", `label="resize ×2\nworker ***"`, "style=dashed"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Count(b.String(), "{") != strings.Count(b.String(), "}") {
		t.Error("braces do not match")
	}
}

func TestSVGIsWellFormed(t *testing.T) {
	g := Of(shop(t))
	g.Name = `<shop> & "co"`
	var b strings.Builder
	if err := SVG(&b, g); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(b.String(), "hunter") || strings.Contains(b.String(), "secret") {
		t.Error("a secret is drawn")
	}
	for _, n := range g.Nodes {
		if !strings.Contains(b.String(), "<title>"+n.ID) {
			t.Errorf("%s is not drawn", n.ID)
		}
	}
	if err := SVG(io.Discard, Graph{Nodes: make([]Node, MaxDrawn+1)}); err == nil {
		t.Error("a picture of too much is drawn")
	}
}

// forest draws a random graph: a tree of supervisors and leaves, listeners, rules, and edges between any of them.
func forest(t *rapid.T) Graph {
	g := Graph{Nodes: []Node{{ID: "n0", Name: "root", Kind: "supervisor", Detail: "one_for_one"}}}
	supervisors := []string{"n0"}
	texts := rapid.SampledFrom([]string{"", "x", "a rather long text that says much more than a card can hold", "WWWWWWWWWWWWWWWWWWWWWWWWWWWW"})
	for i := range rapid.IntRange(0, 80).Draw(t, "nodes") {
		n := Node{ID: fmt.Sprintf("n%d", i+1), Name: "node" + texts.Draw(t, "name"), Detail: texts.Draw(t, "detail"), Breaker: texts.Draw(t, "breaker"),
			Kind: rapid.SampledFrom([]string{"supervisor", "script", "script", "process", "listener", "rule"}).Draw(t, "kind"), Replicas: rapid.IntRange(0, 4).Draw(t, "replicas")}
		if n.Kind != "listener" && n.Kind != "rule" {
			n.Parent = rapid.SampledFrom(supervisors).Draw(t, "parent")
		}
		if n.Kind == "supervisor" {
			supervisors = append(supervisors, n.ID)
		}
		g.Nodes = append(g.Nodes, n)
	}
	for range rapid.IntRange(0, 60).Draw(t, "edges") {
		end := func() string { return g.Nodes[rapid.IntRange(0, len(g.Nodes)-1).Draw(t, "end")].ID }
		g.Edges = append(g.Edges, Edge{From: end(), To: end(), Kind: rapid.SampledFrom(edgeKinds()).Draw(t, "edge")})
	}
	return g
}

// However the tree grows, no card covers another, no line between supervisor and child runs through a card, every text
// fits its card, everything is within the picture, and every edge begins and ends at the side of its cards.
func TestNothingOverlaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := arrange(forest(t))
		for i, a := range l.cards {
			if a.x < 0 || a.y < 0 || a.x+a.w > l.width || a.y+a.h > l.height {
				t.Fatalf("%s is outside the picture: %+v", a.node.ID, a)
			}
			for _, ln := range a.lines {
				if TextWidth(ln.text, ln.size, ln.bold) > a.w-2*pad+0.5 {
					t.Fatalf("%s: %q is wider than its card", a.node.ID, ln.text)
				}
			}
			for _, b := range l.cards[i+1:] {
				if a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
					t.Fatalf("%s and %s overlap: %+v %+v", a.node.ID, b.node.ID, a, b)
				}
			}
			for _, r := range l.rungs {
				if r.x1 < a.x+a.w-1 && max(r.x1, r.x2) > a.x+1 && min(r.x1, r.x2) < a.x+a.w-1 && max(r.y1, r.y2) > a.y+1 && min(r.y1, r.y2) < a.y+a.h-1 {
					t.Fatalf("a line runs through %s: %+v %+v", a.node.ID, r, a)
				}
			}
		}
		for _, c := range l.curves() {
			if c.y1 < c.from.y || c.y1 > c.from.y+c.from.h || c.y2 < c.to.y || c.y2 > c.to.y+c.to.h {
				t.Fatalf("edge %+v misses its cards", c.edge)
			}
		}
	})
}

func BenchmarkSVG200(b *testing.B) {
	g := Graph{Name: "big", Nodes: []Node{{ID: "root", Name: "root", Kind: "supervisor"}}}
	for i := range 200 {
		id := fmt.Sprintf("n%d", i)
		g.Nodes = append(g.Nodes, Node{ID: id, Name: id, Kind: "script", Parent: "root"})
		g.Edges = append(g.Edges, Edge{From: id, To: fmt.Sprintf("n%d", (i*7)%200), Kind: "call"})
	}
	for b.Loop() {
		if err := SVG(io.Discard, g); err != nil {
			b.Fatal(err)
		}
	}
}
