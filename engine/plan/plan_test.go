package plan_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// full is a plan in which every kind of part is set.
func full(t testing.TB) *plan.Plan {
	p := &plan.Plan{
		Name:     "checkout",
		Labels:   []plan.Label{{Key: "app.io/team", Value: "payments"}},
		Params:   []plan.Param{{Name: "slow", Value: 0.8}},
		Messages: []plan.Message{{Name: "query", Fields: []plan.MessageField{{Name: "id", Kind: "text"}}}},
		Actors: []plan.Actor{
			{
				Name: "root", Path: "root", Parent: -1, Definition: &plan.Definition{
					Kind: plan.Supervisor, Supervisor: &plan.SupervisorSpec{
						Strategy: plan.OneForOne, Intensity: plan.Intensity{Max: 3, Within: time.Minute}, Children: []int{1, 3, 2},
					},
				}},
			worker(0, 1),
			database(t),
			worker(1, 1),
		},
		Groups: []plan.Group{{
			Name: "resize", Path: "root/resize", Members: []string{"root/resize-0", "root/resize-1"},
			Route: plan.Route{Pick: "least_loaded"},
		}},
		Gateway: []plan.Listener{{Name: "public", Listen: "127.0.0.1:8080", Routes: []plan.HTTPRoute{
			{Name: "orders", Path: "/orders/", Methods: []string{"GET"}, To: "root/database"},
		}}},
		Rules: []plan.Rule{
			{Name: "watch", Enabled: true, When: program(t, "1 > 2"), Then: []plan.Action{{Verb: "log", Text: "hot"}}},
			{Name: "calm", Enabled: true},
		},
		Patterns: []plan.Pattern{{Name: "cascade", Failures: 3}},
		Journal:  plan.Journal{Durability: "group", Record: []string{"lifecycle"}},
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

func worker(n, order int) plan.Actor {
	name := fmt.Sprintf("resize-%d", n)
	return plan.Actor{
		Name: name, Path: "root/" + name, Group: "root/resize", Replica: n, Definition: &plan.Definition{
			Kind: plan.Process, Order: order,
			Restart: plan.Restart{Policy: plan.Always, Backoff: plan.Backoff{Initial: 100 * time.Millisecond, Factor: 2}},
			Mailbox: plan.Mailbox{Capacity: 1024, Overflow: "reject"},
			Process: &plan.ProcessSpec{
				Command: []string{"python3", "worker.py"},
				Env:     []plan.EnvVar{{Name: "TOKEN", Value: "t0ps3cret", Secret: true}},
			},
		}}
}

func database(t testing.TB) plan.Actor {
	return plan.Actor{
		Name: "database", Path: "root/database", Definition: &plan.Definition{
			Kind: plan.Upstream, Order: 2,
			Upstream: &plan.UpstreamSpec{URL: "http://127.0.0.1:9001", Operations: []plan.Operation{
				{Message: "query", Method: "GET", Path: program(t, `"/orders"`)},
			}},
			Guard: &plan.Guard{Name: "database", Timeout: time.Second, Breaker: &plan.Breaker{
				Name:   "database",
				Policy: breaker.Policy{Trip: breaker.Trip{ConsecutiveFailures: 5, Triggers: []breaker.Trigger{spike(3)}}},
			}},
		}}
}

type spike int

func (s spike) Trip(breaker.Stats) (bool, string) { return false, "" }
func (s spike) String() string                    { return fmt.Sprintf("spike %d", int(s)) }

type mute struct{}

func (mute) Trip(breaker.Stats) (bool, string) { return false, "" }

func program(t testing.TB, text string) *rules.Program {
	p, problems := rules.Compile(text, rules.Any, rules.Scope{Place: rules.AtEval})
	if p == nil {
		t.Fatalf("%q: %v", text, problems)
	}
	return p
}

func TestLeavesAreNamedAndHideSecrets(t *testing.T) {
	p := full(t)
	got := map[string]string{}
	for _, l := range p.Leaves() {
		if _, twice := got[l.Path]; twice {
			t.Errorf("%s stands twice", l.Path)
		}
		got[l.Path] = l.Text
	}
	for path, want := range map[string]string{
		"name":                                          "checkout",
		`labels."app.io/team"`:                          "payments",
		"params.slow":                                   "0.8",
		"messages.query.fields.id":                      "text",
		"actors.root.kind":                              "supervisor",
		"actors.root.supervisor.strategy":               "one_for_one",
		"actors.root/resize-0.process.command":          `["python3","worker.py"]`,
		"actors.root/resize-0.process.env.TOKEN":        "***",
		"actors.root/resize-0.process.env.TOKEN.secret": "true",
		"actors.root/resize-0.restart.backoff.initial":  "100ms",
		"actors.root/database.guard.breaker.trip.consecutive_failures": "5",
		"actors.root/database.guard.breaker.trip.triggers.0":           "spike 3",
		"actors.root/database.upstream.operations.query.path":          `"/orders"`,
		"gateway.public.routes.orders.methods":                         `["GET"]`,
		"rules.watch.when":                                             "1 > 2",
		"rules.watch.then.0.verb":                                      "log",
		"rules.order":                                                  "watch, calm",
	} {
		if got[path] != want {
			t.Errorf("%s is %q, want %q", path, got[path], want)
		}
	}
	if _, ok := got["rules.calm.when"]; ok {
		t.Error("an expression that is left out has a leaf")
	}
}

func TestSecretsAreHashedButNeverShown(t *testing.T) {
	p, q := full(t), full(t)
	q.Actors[1].Process.Env[0].Value = "an0ther"
	p.Actors[2].Upstream.URL, p.Secrets = "http://user:hunter22@db", []string{"hunter22"}
	q.Actors[2].Upstream.URL, q.Secrets = "http://user:swordfish@db", []string{"swordfish"}
	for _, x := range []*plan.Plan{p, q} {
		if err := x.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	changes := plan.Diff(p, q)
	if len(changes) != 2 || p.Digest() == q.Digest() {
		t.Fatalf("two changed secrets give %v", changes)
	}
	var text strings.Builder
	for _, err := range []error{plan.PrintChanges(&text, changes), plan.Print(&text, p), plan.Print(&text, q)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range q.Leaves() {
		text.WriteString(l.Text + "\n")
	}
	for _, secret := range []string{"an0ther", "t0ps3cret", "hunter22", "swordfish"} {
		if strings.Contains(text.String(), secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}

// TestEveryLeafCounts changes each value of the plan in turn and expects another digest and a difference.
func TestEveryLeafCounts(t *testing.T) {
	p := full(t)
	n := 0
	mutate(t, reflect.ValueOf(full(t)).Elem(), "", func(path string, change func(reflect.Value)) {
		q := full(t)
		change(reflect.ValueOf(q).Elem())
		n++
		if err := q.Seal(); err != nil {
			return // a change of a name or index that the invariants refuse
		}
		if q.Digest() == p.Digest() {
			t.Errorf("a change of %s leaves the digest", path)
		}
		if len(plan.Diff(p, q)) == 0 {
			t.Errorf("a change of %s is no difference", path)
		}
	})
	if n < 150 {
		t.Errorf("only %d values were changed", n)
	}
}

// mutate calls try with a change for every scalar below v that is neither untagged nor unexported.
func mutate(t *testing.T, v reflect.Value, path string, try func(string, func(reflect.Value))) {
	var visit func(v reflect.Value, path string, reach func(reflect.Value) reflect.Value)
	visit = func(v reflect.Value, path string, reach func(reflect.Value) reflect.Value) {
		at := func(step func(reflect.Value) reflect.Value) func(reflect.Value) reflect.Value {
			return func(r reflect.Value) reflect.Value { return step(reach(r)) }
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				f := v.Type().Field(i)
				if !f.IsExported() || f.Tag.Get("plan") == "-" {
					continue
				}
				visit(v.Field(i), path+"."+f.Name, at(func(r reflect.Value) reflect.Value { return r.Field(i) }))
			}
		case reflect.Pointer:
			if !v.IsNil() && v.Type() != reflect.TypeFor[*rules.Program]() {
				visit(v.Elem(), path, at(reflect.Value.Elem))
			}
		case reflect.Slice:
			for i := range v.Len() {
				visit(v.Index(i), fmt.Sprintf("%s[%d]", path, i), at(func(r reflect.Value) reflect.Value { return r.Index(i) }))
			}
		default:
			try(path, func(r reflect.Value) { bump(reach(r)) })
		}
	}
	visit(v, path, func(r reflect.Value) reflect.Value { return r })
}

func bump(v reflect.Value) {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(v.String() + "x")
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.CanInt():
		v.SetInt(v.Int() + 1)
	case v.CanUint():
		v.SetUint(v.Uint() + 1)
	case v.CanFloat():
		v.SetFloat(v.Float() + 1)
	case v.Type() == reflect.TypeFor[breaker.Trigger]():
		v.Set(reflect.ValueOf(spike(9)))
	case v.Kind() == reflect.Interface:
		v.Set(reflect.ValueOf("another"))
	}
}

func TestDiffTellsClassAndPlace(t *testing.T) {
	cases := []struct {
		name   string
		change func(p *plan.Plan)
		want   []string
	}{
		{"nothing", func(p *plan.Plan) {}, nil},
		{"a threshold", func(p *plan.Plan) { p.Actors[2].Guard.Breaker.Policy.Trip.ConsecutiveFailures = 3 },
			[]string{"root/database actors.root/database.guard.breaker.trip.consecutive_failures 5->3 hot"}},
		{"a command", func(p *plan.Plan) { p.Actors[1].Process.Command = []string{"ruby"} },
			[]string{`root/resize-0 actors.root/resize-0.process.command ["python3","worker.py"]->["ruby"] restart_actor`}},
		{"a guard goes", func(p *plan.Plan) { p.Actors[2].Guard.Breaker = nil; p.Actors[2].Guard.Timeout = 0 }, nil},
		{"one more replica", func(p *plan.Plan) {
			p.Actors = append(p.Actors, worker(2, 1))
			p.Actors[0].Supervisor.Children = []int{1, 3, 4, 2}
			p.Groups[0].Members = append(p.Groups[0].Members, "root/resize-2")
		}, []string{
			`root/resize groups.root/resize.members ["root/resize-0","root/resize-1"]->["root/resize-0","root/resize-1","root/resize-2"] start`,
			"root/resize-2 actors.root/resize-2 ->process start",
		}},
		{"one replica less", func(p *plan.Plan) {
			p.Actors = p.Actors[:3]
			p.Actors[0].Supervisor.Children = []int{1, 2}
			p.Groups[0].Members = p.Groups[0].Members[:1]
		}, []string{
			`root/resize groups.root/resize.members ["root/resize-0","root/resize-1"]->["root/resize-0"] start`,
			"root/resize-1 actors.root/resize-1 process-> stop",
		}},
		{"an address", func(p *plan.Plan) { p.Gateway[0].Listen = "127.0.0.1:9" },
			[]string{" gateway.public.listen 127.0.0.1:8080->127.0.0.1:9 recreate"}},
		{"a listener", func(p *plan.Plan) { p.Gateway = append(p.Gateway, plan.Listener{Name: "staff"}) },
			[]string{" gateway.staff ->added start"}},
		{"no listener", func(p *plan.Plan) { p.Gateway = nil }, []string{" gateway.public removed-> stop"}},
		{"durability", func(p *plan.Plan) { p.Journal.Durability = "each" },
			[]string{" journal.durability group->each restart_engine"}},
		{"rules change places", func(p *plan.Plan) { slices.Reverse(p.Rules) },
			[]string{" rules.order watch, calm->calm, watch hot"}},
		{"a rule before the others", func(p *plan.Plan) { p.Rules = slices.Insert(p.Rules, 0, plan.Rule{Name: "new"}) },
			[]string{" rules.new ->added hot"}},
		{"a param", func(p *plan.Plan) { p.Params[0].Value = 1.2 }, []string{" params.slow 0.8->1.2 hot"}},
		{"a dropped expression", func(p *plan.Plan) { p.Rules[0].When = nil }, []string{" rules.watch.when 1 > 2-> hot"}},
		{"another kind", func(p *plan.Plan) {
			p.Actors[2].Kind, p.Actors[2].Upstream, p.Actors[2].Go = plan.Go, nil, &plan.GoSpec{Behaviour: "db"}
		}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			q := full(t)
			c.change(q)
			if err := q.Seal(); err != nil {
				t.Fatal(err)
			}
			changes := plan.Diff(full(t), q)
			var got []string
			for _, x := range changes {
				got = append(got, fmt.Sprintf("%s %s %s->%s %v", x.Actor, x.Path, x.Old, x.New, x.Class))
			}
			switch c.name {
			case "a guard goes":
				if changes.Worst() != plan.Hot || len(changes) < 5 {
					t.Errorf("got %v", got)
				}
			case "another kind":
				if changes.Worst() != plan.Recreate || changes.Actors()[0].Path != "root/database" {
					t.Errorf("got %v", got)
				}
			default:
				if !slices.Equal(got, c.want) {
					t.Errorf("got  %q\nwant %q", got, c.want)
				}
			}
		})
	}
}

func TestChangesAreCountedAndPrinted(t *testing.T) {
	q := full(t)
	q.Actors[2].Guard.Timeout = 2 * time.Second
	q.Actors[1].Process.Env[0].Value = "other"
	q.Journal.Overflow = "gap"
	if err := q.Seal(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	changes := plan.Diff(full(t), q)
	if err := plan.PrintChanges(&text, changes); err != nil {
		t.Fatal(err)
	}
	want := `+ journal.overflow: gap  [restart_engine]
root/resize-0
  ~ process.env.TOKEN: *** -> ***  [restart_actor]
root/database
  ~ guard.timeout: 1s -> 2s  [hot]
3 changes: 1 hot, 1 restart_actor, 1 restart_engine
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
	actors := changes.Actors()
	if len(actors) != 2 || actors[0].Class != plan.RestartActor || actors[1].Class != plan.Hot {
		t.Errorf("grouped as %v", actors)
	}
	if got := (plan.Changes)(nil).Summary(); got != "no changes" {
		t.Errorf("no changes are %q", got)
	}
}

func TestResolve(t *testing.T) {
	p := full(t)
	p.Actors = append(p.Actors,
		plan.Actor{
			Name: "sub", Path: "root/sub", Definition: &plan.Definition{
				Kind: plan.Supervisor, Order: 3,
				Supervisor: &plan.SupervisorSpec{Strategy: plan.RestForOne, Children: []int{5}},
			}},
		plan.Actor{Name: "database", Path: "root/sub/database", Parent: 4, Definition: &plan.Definition{Kind: plan.Go, Go: &plan.GoSpec{Behaviour: "x"}}})
	p.Actors[0].Supervisor.Children = append(p.Actors[0].Supervisor.Children, 4)
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		want []int
		err  string
	}{
		{"root/database", []int{2}, ""},
		{"sub/database", []int{5}, ""},
		{"resize-1", []int{3}, ""},
		{"resize", []int{1, 3}, ""},
		{"root/resize", []int{1, 3}, ""},
		{"root", []int{0}, ""},
		{"database", nil, `ambiguous name "database": use one of the paths root/database, root/sub/database`},
		{"resise", nil, `unknown actor "resise"; did you mean "resize"?`},
		{"root/sub/databse", nil, `unknown actor "root/sub/databse"; did you mean "root/sub/database"?`},
		{"zzzzzzzzzz", nil, `unknown actor "zzzzzzzzzz"`},
	}
	for _, c := range cases {
		got, err := p.Resolve(c.name)
		if !slices.Equal(got, c.want) || text(err) != c.err {
			t.Errorf("Resolve(%q) is %v, %v; want %v, %v", c.name, got, err, c.want, c.err)
		}
	}
	if got, err := p.Select("sub/*"); err != nil || !slices.Equal(got, []int{5}) {
		t.Errorf(`Select("sub/*") is %v, %v`, got, err)
	}
	if got, err := p.Select("root/**"); err != nil || len(got) != len(p.Actors) {
		t.Errorf(`Select("root/**") is %v, %v`, got, err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestMatch(t *testing.T) {
	cases := []struct {
		pattern, path string
		want          bool
	}{
		{"root/*", "root/a", true}, {"root/*", "root/a/b", false}, {"root/**", "root/a/b", true}, {"root/**", "root", true},
		{"**", "root/a", true}, {"root/re*-1", "root/resize-1", true}, {"root/re*-1", "root/resize-2", false},
		{"**/b/**/d", "a/b/c/d", true}, {"**/b/**/d", "a/c/d", false}, {"*ab", "aab", true}, {"*", "", true}, {"root/**/x", "root/x", true},
		{strings.Repeat("**/", 40) + "x", strings.Repeat("a/", 60) + "y", false},
	}
	for _, c := range cases {
		if got := plan.Match(c.pattern, c.path); got != c.want {
			t.Errorf("Match(%q, %q) is %v", c.pattern, c.path, got)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	cases := []struct {
		change func(p *plan.Plan)
		want   string
	}{
		{func(p *plan.Plan) { p.Actors = nil }, "the first actor must be a root supervisor"},
		{func(p *plan.Plan) { p.Actors[3].Path, p.Actors[3].Name = "root/resize-0", "resize-0" }, `actor "root/resize-0": path is taken by actor 1`},
		{func(p *plan.Plan) { p.Actors[1].Kind = plan.Go }, "kind is go, but the part that is set is of a process"},
		{func(p *plan.Plan) { p.Actors[1].Parent = 2 }, "parent is 2, want the index of an earlier actor"},
		{func(p *plan.Plan) { p.Actors[3].Parent = 2 }, `parent "root/database" is a upstream, want a supervisor`},
		{func(p *plan.Plan) { p.Actors[3].Path = "root/else" }, `gives the path "root/resize-1"`},
		{func(p *plan.Plan) { p.Actors[0].Supervisor.Children = []int{1, 2} }, "supervisors list 2 children, want each of 3"},
		{func(p *plan.Plan) { p.Actors[0].Supervisor.Children = []int{2, 1, 3} }, `children are not in start order at "root/resize-0"`},
		{func(p *plan.Plan) { p.Actors[0].Supervisor.Strategy = 0 }, "strategy(0), want one_for_one"},
		{func(p *plan.Plan) { p.Groups[0].Members[1] = "root/database" }, `member 1 is "root/database"`},
		{func(p *plan.Plan) { p.Groups[0].Path = "root/database" }, "an actor has that path"},
		{func(p *plan.Plan) { p.Params = []plan.Param{{Name: "b"}, {Name: "a"}} }, `params: "a" after "b"`},
		{func(p *plan.Plan) { p.Rules[1].Name = "watch" }, `rules: "watch" after "watch"`},
		{func(p *plan.Plan) { p.Actors[2].Guard.Breaker.Policy.Trip.Triggers[0] = mute{} },
			"actors.root/database.guard.breaker.trip.triggers.0: plan_test.mute needs a String method"},
		{func(p *plan.Plan) { p.Params[0].Value = func() {} }, "params.slow: json: unsupported type"},
	}
	for _, c := range cases {
		p := full(t)
		c.change(p)
		err := p.Seal()
		if !errors.Is(err, plan.ErrPlan) || !strings.Contains(text(err), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// crowd is a plan of a group whose replicas share their definition, or have equal ones of their own.
func crowd(t testing.TB, shared bool, change func(replica int, d *plan.Definition)) *plan.Plan {
	spec := &plan.SupervisorSpec{Strategy: plan.OneForOne, Intensity: plan.Intensity{Max: 3, Within: time.Minute}}
	p := &plan.Plan{Name: "crowd", Actors: []plan.Actor{
		{Name: "root", Path: "root", Parent: -1, Definition: &plan.Definition{Kind: plan.Supervisor, Supervisor: spec}},
	}, Groups: []plan.Group{{Name: "resize", Path: "root/resize"}}}
	common := worker(0, 0).Definition
	for n := range 4 {
		w := worker(n, 0)
		if shared {
			w.Definition = common
		}
		change(n, w.Definition)
		spec.Children = append(spec.Children, len(p.Actors))
		p.Groups[0].Members = append(p.Groups[0].Members, w.Path)
		p.Actors = append(p.Actors, w)
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

// Whether replicas share a definition shows nowhere: neither in the digest and the leaves nor in what a reload finds.
func TestSharedDefinitionsSayTheSame(t *testing.T) {
	none := func(int, *plan.Definition) {}
	longer := func(_ int, d *plan.Definition) { d.Restart.Backoff.Initial = time.Minute }
	one := func(n int, d *plan.Definition) {
		if n == 2 {
			d.Restart.Backoff.Initial = time.Minute
		}
	}
	shared, own := crowd(t, true, none), crowd(t, false, none)
	if shared.Digest() != own.Digest() || !slices.Equal(shared.Leaves(), own.Leaves()) {
		t.Errorf("a shared definition has other leaves:\n%v\n%v", shared.Leaves(), own.Leaves())
	}
	if d := plan.Diff(shared, own); len(d) != 0 {
		t.Errorf("equal plans differ: %v", d)
	}
	want := plan.Diff(own, crowd(t, false, longer))
	if len(want) != 4 {
		t.Fatalf("%d changes, want one for each replica: %v", len(want), want)
	}
	if got := plan.Diff(shared, crowd(t, true, longer)); !slices.Equal(got, want) {
		t.Errorf("changes of a shared definition: %v, want %v", got, want)
	}
	if got := plan.Diff(shared, crowd(t, false, one)); len(got) != 1 || got[0].Actor != "root/resize-2" {
		t.Errorf("changes of one replica: %v", got)
	}
}
