package rules

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeWorld knows a few subjects; everything else is absent.
type fakeWorld struct {
	actors   map[string]*Actor
	breakers map[string]*Breaker
	loads    map[string]*Load
	trend    map[string]float64
}

func (w *fakeWorld) Actor(name string) *Actor          { return w.actors[name] }
func (w *fakeWorld) Breaker(name, key string) *Breaker { return w.breakers[join(name, key)] }
func (w *fakeWorld) Load(name string) *Load            { return w.loads[name] }

func (w *fakeWorld) Share(state, target string) float64 {
	if state == "open" && target == "" {
		return 0.25
	}
	return 0.5
}

func (w *fakeWorld) Over(subject Reference, seconds float64) *Rates {
	if subject.Name == "nobody" {
		return nil
	}
	return &Rates{Calls: seconds, ErrorRate: 0.3, Latency: Latency{P99: 2}}
}

func (w *fakeWorld) Predict(subject Reference, field string, seconds float64) (float64, bool) {
	v, known := w.trend[field]
	return v * seconds, known
}

func sample() *Env {
	return &Env{
		Params: map[string]any{"slow": 0.8, "limit": 50.0, "region": "eu", "on": true},
		Now:    100,
		World: &fakeWorld{
			actors:   map[string]*Actor{"api": {Name: "api", InFlight: 7, Labels: map[string]string{"tier": "web"}}},
			breakers: map[string]*Breaker{"database": {State: "open", Opens: 3}, "llm.tenant-7": {State: "closed"}},
			loads:    map[string]*Load{"shoppers": {SuccessRate: 0.97}},
			trend:    map[string]float64{"mailbox": 2},
		},
		Call: &Call{From: "gateway", To: "database", Attempt: 2, Priority: 6, Error: &Error{Kind: "crash"}},
		Msg: map[string]any{"id": int64(7), "size": 3.0, "name": "ann", "ok": true, "none": nil,
			"tags": map[string]any{"region": "eu"}, "items": []any{map[string]any{"price": 4.0}, map[string]any{"price": int64(6)}}},
		State: map[string]any{"hits": 41.0},
		Self:  "root/cache", Caller: "root/api",
		Binds: map[string]any{"row": map[string]any{"total": 10.0}, "hit": nil},
		Error: &Error{Kind: "timeout", By: "root/db"}, Status: 503, Took: 1.5,
		Reply:    map[string]any{"total": 10.4},
		Request:  &Request{Method: "GET", Path: "/orders/7", Query: map[string]string{"q": "x"}, JSON: map[string]any{"id": "7"}},
		Response: &Response{Status: 200, Headers: map[string]string{"content-type": "text/plain"}, Text: "hello"},
		Actor: &Actor{Name: "resize-1", Path: "root/workers/resize-1", ErrorRate: 0.6, Calls: 25, Mailbox: 10, Capacity: 100,
			Ready: true, Latency: Latency{P99: 0.9}, Labels: map[string]string{"tier": "workers"}, Metrics: map[string]float64{"depth": 4}},
		Supervisor: &Supervisor{Name: "workers", Restarts: 2},
		Breaker:    &Breaker{Name: "database", State: "open"},
		Node:       &Node{Name: "n1", CPU: 0.5},
		System:     &System{Health: 0.9, Level: "healthy", Reload: Reload{Status: "applied", Code: "LR401"}},
		Window: &Window{Calls: 51, Failures: 20, ErrorRate: 0.4, Latency: Latency{P99: 0.9},
			Class: func(name string) float64 { return float64(len(name)) }},
		Value: map[string]any{"total": 10.6}, Member: &Actor{Name: "resize-0"},
		New: &Rates{ErrorRate: 0.4}, Old: &Rates{ErrorRate: 0.2},
		N: 12, T: 60, Event: &Event{Type: "breaker", Seq: 9},
	}
}

func sampleScope(p Place) Scope {
	return Scope{
		Place:  p,
		Params: []Field{{Name: "slow", Kind: NumberKind}, {Name: "limit", Kind: NumberKind}, {Name: "region", Kind: TextKind}, {Name: "on", Kind: BoolKind}},
		Binds:  []Field{{Name: "row"}, {Name: "hit"}},
	}
}

// both evaluates in the closures and in the virtual machine and insists that they agree.
func both(t *testing.T, text string, want Want, scope Scope, env *Env) (any, error) {
	t.Helper()
	fast, problems := compileFor(closuresFirst, text, want, scope)
	if fast == nil {
		t.Fatalf("%s: %v", text, problems)
	}
	slow, problems := compileFor(machineOnly, text, want, scope)
	if slow == nil {
		t.Fatalf("%s in the machine: %v", text, problems)
	}
	a, errA := fast.Value(env)
	b, errB := slow.Value(env)
	if (errA == nil) != (errB == nil) || !cmp.Equal(a, b) {
		t.Fatalf("%s: closures %v (%v), machine %v (%v)", text, a, errA, b, errB)
	}
	return a, errA
}

func TestEveryPlaceSeesItsNames(t *testing.T) {
	for _, tt := range []struct {
		place Place
		text  string
		want  any
	}{
		{AtTripWhen, `latency.p99 > params.slow && calls > 50`, true},
		{AtTripWhen, `class("timeout") + failures`, 27.0},
		{AtTripWhen, `share("open") > 0.2 || in_flight > 3`, true},
		{AtOutcome, `status >= 500 || error.kind in ["timeout", "crash"] ? "failure" : "success"`, "failure"},
		{AtOutcome, `"failure"`, "failure"},
		{AtOutcome, `status == 404 ? "ignored" : took > 1s ? "slow" : "success"`, "slow"},
		{AtRetryWhen, `error.kind != "invalid" && call.attempt < 3`, true},
		{AtFallback, `{degraded: true, why: error.kind}`, map[string]any{"degraded": true, "why": "timeout"}},
		{AtKey, `msg.tags.region`, "eu"},
		{AtAdmit, `call.priority >= 5`, true},
		{AtOperation, `"/orders/" + msg.name`, "/orders/ann"},
		{AtOperationReply, `response.status == 200 ? response.text : nil`, "hello"},
		{AtOperationReply, `response.headers["content-type"]`, "text/plain"},
		{AtWorldReply, `{total: 10}`, map[string]any{"total": 10.0}},
		{AtPoison, `msg.size > 2`, true},
		{AtRoute, `request.json`, map[string]any{"id": "7"}},
		{AtRoute, `request.query.q + request.method`, "xGET"},
		{AtHandler, `state.hits + 1`, 42.0},
		{AtHandler, `{row: row.total, hit: hit, key: msg.id, by: caller, me: self}`,
			map[string]any{"row": 10.0, "hit": nil, "key": int64(7), "by": "root/api", "me": "root/cache"}},
		{AtOnFailure, `error.kind == "invalid" ? "resume" : "restart"`, "restart"},
		{AtOnFailure, `supervisor.restarts > 1 && actor.calls > 3 ? "stop" : "restart"`, "stop"},
		{AtCompare, `round(value.total)`, 11.0},
		{AtCompare, `member.name`, "resize-0"},
		{AtAbortIf, `new.error_rate > 1.5 * old.error_rate`, true},
		{AtRule, `actor.path startsWith "root/workers/"`, true},
		{AtRule, `actor.error_rate > 0.5 && actor.calls >= 20`, true},
		{AtRule, `actor("api").in_flight + actor.mailbox`, 17.0},
		{AtRule, `actor("api").labels.tier + actor.labels["tier"]`, "webworkers"},
		{AtRule, `breaker("database").state == "open"`, true},
		{AtRule, `breaker("llm", "tenant-7").state`, "closed"},
		{AtRule, `breaker(actor.labels.tier == "x" ? "y" : "database").opens`, 3.0},
		{AtRule, `over(actor, 1m).calls`, 60.0},
		{AtRule, `over(actor("api"), 1m30s).latency.p99 > 1s`, true},
		{AtRule, `predict(actor.mailbox, 5m) > actor.capacity`, true},
		{AtRule, `predict(actor.calls, 5m)`, 25.0},
		{AtRule, `actor.metrics.depth + actor.metrics.absent`, 4.0},
		{AtRuleAction, `{deep: true, who: actor.name}`, map[string]any{"deep": true, "who": "resize-1"}},
		{AtActionWhere, `actor.anomaly > 0.8`, false},
		{AtHealth, `mean([1 - share("open"), 1 - share("quarantined"), 1 - system.anomaly])`, 0.75},
		{AtEmergency, `system.health < 0.3 || share("open") > 0.5`, false},
		{AtPattern, `system.dead_letters > 5`, false},
		{AtLoad, `{id: n, at: t}`, map[string]any{"id": 12.0, "at": 60.0}},
		{AtExpect, `call.to == "database" && breaker("database").state == "open" && !call.probe`, true},
		{AtExpect, `load("shoppers").success_rate >= 0.95 && event.type == "breaker"`, true},
		{AtTimeline, `breaker("database").state == "open" && load("shoppers").sent == 0`, true},
		{AtMetric, `state.hits / 2`, 20.5},
		{AtEval, `system.reload.status + params.region`, "appliedeu"},
	} {
		got, err := both(t, tt.text, Any, sampleScope(tt.place), sample())
		if err != nil || !cmp.Equal(got, tt.want) {
			t.Errorf("%s: %s = %v (%v), want %v", tt.place, tt.text, got, err, tt.want)
		}
	}
}

func TestValues(t *testing.T) {
	for text, want := range map[string]any{
		`1 + 2`:                             3.0,
		`7 / 2`:                             3.5,
		`7 % 4`:                             3.0,
		`-7 % 4`:                            -3.0,
		`msg.id % 4`:                        3.0,
		`msg.id == 7`:                       true,
		`7.0 == msg.id`:                     true,
		`msg.id`:                            int64(7),
		`msg.id + 1`:                        8.0,
		`msg.id in [1, 7]`:                  true,
		`2 ** 10`:                           1024.0,
		`msg.none == nil`:                   true,
		`msg.absent == nil`:                 true,
		`msg.none == 3`:                     false,
		`msg.none contains "a"`:             false,
		`msg.name matches "^a"`:             true,
		`msg.none ?? "x"`:                   "x",
		`msg?.none?.deep`:                   nil,
		`msg.items[1].price`:                int64(6),
		`msg.items[-1].price == 6`:          true,
		`msg.items[0:1] == [{price: 4}]`:    true,
		`any(msg.items, .price > 5)`:        true,
		`count(msg.items, .price > 1)`:      2.0,
		`sum(msg.items, .price)`:            10.0,
		`sum(map(msg.items, .price * 2))`:   20.0,
		`map(msg.items, #index)`:            []any{0.0, 1.0},
		`filter(msg.items, .price > 5)`:     []any{map[string]any{"price": int64(6)}},
		`find(msg.items, .price > 5).price`: int64(6),
	} {
		checkValue(t, text, want)
	}
}

func checkValue(t *testing.T, text string, want any) {
	t.Helper()
	got, err := both(t, text, Any, sampleScope(AtEval), sample())
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%s = %#v (%v), want %#v", text, got, err, want)
	}
}

func TestFunctions(t *testing.T) {
	for text, want := range map[string]any{
		`keys(msg.tags)`:                           []any{"region"},
		`values({b: 1, a: 2})`:                     []any{2.0, 1.0},
		`1 < msg.size <= 3`:                        true,
		`msg.size > 1m ? "long" : "short"`:         "short",
		`upper(msg.name) + "-" + string(3)`:        "ANN-3",
		`replace("a.b", ".", "/")`:                 "a/b",
		`join(split("a,b", ","), "+")`:             "a+b",
		`len(msg.items) + len("abc")`:              5.0,
		`max(1, msg.size, [9, 2])`:                 9.0,
		`min([3, 2])`:                              2.0,
		`median([3, 1, 2])`:                        2.0,
		`sort([3, 1, 2])`:                          []any{1.0, 2.0, 3.0},
		`take([1, 2], 1)`:                          []any{1.0},
		`concat([1], [2])`:                         []any{1.0, 2.0},
		`first([])`:                                nil,
		`last([1, 2])`:                             2.0,
		`int("7") + float("0.5") + int(1.9)`:       8.5,
		`duration("1m30s") == 1m30s`:               true,
		`hash("a") == hash("a")`:                   true,
		`hash(msg.id) == hash(7)`:                  true,
		`hash({a: 1, b: 2}) == hash({b: 2, a: 1})`: true,
		`"1m30s"`:                                  "1m30s",
		`'it\'s 5m'`:                               "it's 5m",
		`error`:                                    map[string]any{"kind": "timeout", "message": "", "by": "root/db"},
		`call.error`:                               map[string]any{"kind": "crash", "message": "", "by": ""},
		`params.on and not msg.ok`:                 false,
		`msg.ok ? 1 : "x"`:                         1.0,
		`"region" in msg.tags`:                     true,
		`abs(-3) + ceil(0.2) + floor(1.9)`:         5.0,
		`if msg.ok { 1 } else { 2 }`:               1.0,
		`len("äö") + indexOf("äöü", "ü")`:          4.0,
		`[msg.id] == [7]`:                          true,
		`msg.name[-2:] + msg.name[:-2]`:            "nna",
		`indexOf("a", "b")`:                        -1.0,
		`"äöü"[1:2]`:                               "ö",
		`msg.name[0:2]`:                            "an",
		`-msg.size`:                                -3.0,
		`msg.name | upper()`:                       "ANN",
	} {
		checkValue(t, text, want)
	}
}

func TestRunTimeErrors(t *testing.T) {
	for text, part := range map[string]string{
		`msg.items[5]`:                        "index",
		`msg.absent.deep`:                     "of nothing",
		`msg.size % (msg.size - 3)`:           "% 0",
		`msg.size % 0.5`:                      "whole numbers",
		`msg.name > 3`:                        "cannot compare",
		`msg.name + 3 > 1`:                    "expected",
		`msg.none > 3`:                        "cannot compare nothing",
		`msg.size && true`:                    "true or false expected",
		`actor("nobody").calls`:               `no actor "nobody"`,
		`over(actor("nobody"), 1m).calls > 1`: "unknown",
		`1 / (msg.size - 3)`:                  "finite",
		`any(msg.size, # > 1)`:                "list expected",
		`int("x")`:                            "not a number",
		`duration(msg.name)`:                  "not a duration",
		`msg.items[0.5]`:                      "whole number",
		`mean([])`:                            "of nothing",
		`msg.name matches "a" && msg.size matches "b"`: "text expected",
	} {
		got, err := both(t, text, Any, sampleScope(AtEval), sample())
		if err == nil || got != nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "msg") && !strings.Contains(text, "(") {
			t.Errorf("%s = %v, error %v, want one with %q", text, got, err, part)
		}
	}
}

func TestWantedResults(t *testing.T) {
	scope, env := sampleScope(AtEval), sample()
	compiled := func(text string, want Want) *Program {
		p, problems := Compile(text, want, scope)
		if p == nil {
			t.Fatal(text, problems)
		}
		return p
	}
	if b, err := compiled("msg.ok", Condition).Condition(env); !b || err != nil {
		t.Error(b, err)
	}
	if _, err := compiled("msg.size", Condition).Condition(env); !errors.Is(err, ErrNotCondition) {
		t.Error(err)
	}
	if n, err := compiled("msg.id", Number).Number(env); n != 7 || err != nil {
		t.Error(n, err)
	}
	if _, err := compiled("msg.name", Number).Number(env); !errors.Is(err, ErrNotNumber) {
		t.Error(err)
	}
	if _, err := compiled("1 / msg.size", Number).Number(&Env{Msg: map[string]any{"size": 0.0}}); !errors.Is(err, ErrNotNumber) {
		t.Error(err)
	}
	if s, err := compiled("msg.name", Text).Text(env); s != "ann" || err != nil {
		t.Error(s, err)
	}
	if _, err := compiled("msg.id", Text).Text(env); !errors.Is(err, ErrNotText) {
		t.Error(err)
	}
}

func TestAnEmptyEnvReadsAsZero(t *testing.T) {
	for text, want := range map[string]any{
		`error.kind`: "", `call.error.kind`: "", `actor.latency.p99`: 0.0, `call.probe`: false, `actor.labels.x`: "",
		`class("x")`: 0.0, `status`: 0.0, `msg == nil`: true,
	} {
		got, err := both(t, text, Any, sampleScope(AtEval), &Env{})
		if err != nil || got != want {
			t.Errorf("%s = %v (%v), want %v", text, got, err, want)
		}
	}
	if _, err := both(t, `share("open")`, Any, sampleScope(AtEval), &Env{}); err == nil {
		t.Error("share answered without a world")
	}
}

func TestReadsAndNames(t *testing.T) {
	text := `actor.error_rate > params.slow && breaker("db").latency.p99 > 1 && share("open", "root/**") > 0 && msg.a.b == actor("x").labels.t`
	p, problems := Compile(text, Condition, sampleScope(AtEval))
	if p == nil {
		t.Fatal(problems)
	}
	want := []string{`actor("x").labels.t`, "actor.error_rate", `breaker("db").latency.p99`, "msg.a.b", "params.slow", `share("open", "root/**")`}
	if diff := cmp.Diff(want, p.Reads()); diff != "" {
		t.Error(diff)
	}
	var named []string
	for _, n := range p.Names() {
		named = append(named, n.Function+" "+n.Name+" "+text[n.Offset:n.Offset+n.Len])
	}
	wantNames := []string{`breaker db "db"`, `share.state open "open"`, `share.target root/** "root/**"`, `actor x "x"`}
	if diff := cmp.Diff(wantNames, named); diff != "" {
		t.Error(diff)
	}
	if !p.NeedsQuantiles() || !p.Compiled() {
		t.Error("quantiles", p.NeedsQuantiles(), "compiled", p.Compiled())
	}
	if q, _ := Compile("actor.latency.mean > 1", Condition, sampleScope(AtRule)); q.NeedsQuantiles() {
		t.Error("a mean needs no quantiles")
	}
}

func TestHashIsTheSameForEver(t *testing.T) {
	if got := hash("tenant-7"); got != math.Trunc(got) || got < 0 || got >= 1<<53 {
		t.Errorf("hash is %v", got)
	}
}

func TestTemplates(t *testing.T) {
	leaf := func(text string) *Template {
		p, problems := Compile(text, Any, sampleScope(AtHandler))
		if p == nil {
			t.Fatal(problems)
		}
		return Expression(p)
	}
	tree := Mapping([]TemplateField{
		{Name: "hits", Value: leaf("state.hits + 1")},
		{Name: "deep", Value: Mapping([]TemplateField{{Name: "list", Value: List([]*Template{leaf("msg.id"), leaf(`"EUR"`)})}})},
	})
	got, err := tree.Build(sample())
	want := map[string]any{"hits": 42.0, "deep": map[string]any{"list": []any{int64(7), "EUR"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if n := len(tree.Programs()); n != 3 {
		t.Errorf("%d programs", n)
	}
	_, err = tree.Build(&Env{State: map[string]any{"hits": 1.0}})
	if err == nil || !strings.Contains(err.Error(), `deep: list: item 0: "msg.id"`) {
		t.Error(err)
	}
}

func TestProgramsAreSafeForConcurrentUse(t *testing.T) {
	var group sync.WaitGroup
	for _, text := range []string{`any(msg.items, .price > 5) && msg.name matches "^a"`, fourComparisons + ` || breaker(msg.name == "" ? "x" : "database").opens > 1`} {
		p, problems := Compile(text, Condition, sampleScope(AtEval))
		if p == nil {
			t.Fatal(problems)
		}
		for range 4 {
			group.Go(func() {
				env := sample()
				for range 200 {
					if ok, err := p.Condition(env); !ok || err != nil {
						t.Error(text, ok, err)
						return
					}
				}
			})
		}
	}
	group.Wait()
}
