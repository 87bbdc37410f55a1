package scenario_test

import (
	"bytes"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/spec"
)

// What is written of a recording is what is read, in the order of time.
func TestARecordingReadsAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []plan.Arrival
		at := time.Duration(0)
		for range rapid.IntRange(0, 20).Draw(t, "calls") {
			at += time.Duration(rapid.IntRange(0, 1e9).Draw(t, "gap"))
			a := plan.Arrival{At: at, To: rapid.StringN(1, 9, -1).Draw(t, "to"), From: rapid.String().Draw(t, "from"),
				Message: rapid.StringN(1, 9, -1).Draw(t, "message"), Key: rapid.String().Draw(t, "key")}
			if rapid.Bool().Draw(t, "carries") {
				a.Payload = map[string]any{"id": float64(rapid.IntRange(0, 9).Draw(t, "id")), "<b>": "&"}
			}
			all = append(all, a)
		}
		var b bytes.Buffer
		if err := scenario.WriteArrivals(&b, all); err != nil {
			t.Fatal(err)
		}
		got, err := scenario.ReadArrivals(&b)
		if err != nil || !reflect.DeepEqual(got, all) {
			t.Fatalf("%v %v\nexpected %v", got, err, all)
		}
	})
}

// FuzzRecording: whatever stands in the file, it is calls in order or an error that says where.
func FuzzRecording(f *testing.F) {
	f.Add([]byte(`{"at_ns":5,"to":"a","message":"m","payload":{"x":[1,null]}}` + "\n\n" + `{"at_ns":1,"to":"a","message":"m"}`))
	f.Add([]byte("{\"at_ns\":-1,\"to\":\"a\"}\n{}\n[]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := scenario.ReadArrivals(bytes.NewReader(data))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Errorf("%v does not say where", err)
			}
			return
		}
		for i, a := range all {
			if a.At < 0 || a.To == "" || a.Message == "" || i > 0 && a.At < all[i-1].At {
				t.Errorf("call %d: %+v", i, a)
			}
		}
	})
}

func TestRecordingsSayWhatIsWrongAndWhere(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "outside.jsonl"), `{"at_ns":0,"to":"a","message":"m"}`)
	write(t, filepath.Join(dir, "s", "bad.jsonl"), "{\"at_ns\":0,\"to\":\"a\",\"message\":\"m\"}\n{\"at_ns\":0,\"too\":\"a\"}\n")
	write(t, filepath.Join(dir, "s", "nobody.jsonl"), "\n{\"at_ns\":0,\"message\":\"m\"}\n")
	if err := os.Symlink(filepath.Join(dir, "outside.jsonl"), filepath.Join(dir, "s", "link.jsonl")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"none.jsonl":       "recording none.jsonl: no such file",
		"bad.jsonl":        `recording bad.jsonl: line 2: json: unknown field "too"`,
		"nobody.jsonl":     `recording nobody.jsonl: line 2: "to" is missing`,
		"link.jsonl":       "escapes",
		"../outside.jsonl": "escapes",
		".":                "no journal in",
	} {
		if _, err := scenario.Recording(filepath.Join(dir, "s"), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %s", name, err, want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Calls from outside are found once each: the first attempt, at the outermost guard, at the time it began.
func TestArrivalsAreTheCallsFromOutside(t *testing.T) {
	second := int64(time.Second)
	at := func(s int64, actor string, cause uint64, b journal.Body) journal.Event {
		e := journal.New(actor, b)
		e.Time, e.Causation = s*second, cause
		return e
	}
	events := []journal.Event{
		at(10, "root/db", 0, journal.Call{From: "public/rows", Message: "GET", Breaker: "db", Outcome: "success", Duration: time.Second, Attempt: 1}),
		at(11, "root/db", 0, journal.Call{From: "public/rows", Message: "GET", Breaker: "public/rows", Outcome: "success", Duration: 2 * time.Second, Attempt: 1}),
		at(12, "root/db", 0, journal.Call{From: "operator", Message: "query", Breaker: "db", Outcome: "failure", Duration: time.Second, Attempt: 1}),
		at(13, "root/db", 0, journal.Call{From: "operator", Message: "query", Breaker: "db", Outcome: "success", Attempt: 2}),
		at(13, "root/db", 0, journal.Call{From: "operator", Outcome: "fallback"}),
		at(14, "root/db", 0, journal.Call{From: "root/api", Message: "query", Breaker: "db", Outcome: "success", Attempt: 1}),
		at(15, "root/db", 0, journal.Call{From: "operator", Message: "query", Breaker: "db", Outcome: "rejected", Class: "breaker", Attempt: 1}),
		at(16, "root/db-0", 0, journal.Message{From: "operator", Message: "query", Outcome: "ok"}),
		at(17, "root/api", 0, journal.Message{From: "operator", Message: "get", Outcome: "ok", Took: time.Second, Payload: []byte(`{"n":[1]}`)}),
		at(18, "root/api", 7, journal.Message{Message: "injected", Outcome: "ok"}),
		at(19, "root/api", 0, journal.Message{From: "root/api", Message: "tick", Outcome: "ok"}),
	}
	all := iter.Seq2[journal.Event, error](func(yield func(journal.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	})
	got, err := scenario.Arrivals(all, time.Time{})
	want := []plan.Arrival{
		{At: 0, From: "public/rows", To: "root/db", Message: "get"},
		{At: 2 * time.Second, From: "operator", To: "root/db", Message: "query"},
		{At: 6 * time.Second, From: "operator", To: "root/db", Message: "query"},
		{At: 7 * time.Second, From: "operator", To: "root/api", Message: "get", Payload: map[string]any{"n": []any{1.0}}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot      %+v\nexpected %+v", err, got, want)
	}
	if late, _ := scenario.Arrivals(all, time.Unix(5, 0)); len(late) != 4 || late[0].At != 4*time.Second {
		t.Errorf("counted from a start: %+v", late)
	}
}

// A recorded load calls when and what the recording says, from a file beside the scenario.
func TestARecordedLoadCallsAsItWasRecorded(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "calls.jsonl"), `{"at_ns":2000000000,"to":"api","message":"get","payload":{"n":7}}
{"at_ns":1000000000,"to":"root/database","message":"query"}
{"at_ns":9000000000,"to":"api","message":"get","payload":{"n":7}}
`)
	path := filepath.Join(dir, "t.yaml")
	write(t, path, stage+`load: [{name: l, recorded: {file: calls.jsonl, speed: 2}, from: 3s}]
expect:
  - {name: all come, finally: load("l").sent == 3 && load("l").ok == 3}
  - {name: in order and in time, at: 3499ms, holds: load("l").sent == 0}
  - {name: the first, at: 3501ms, holds: load("l").sent == 1}
  - {name: the last, at: 7501ms, holds: load("l").sent == 3}
  - {name: the message, sometimes: 'call.to == "api" && call.message == "get" && call.from == "l"'}
`)
	l := scenario.Load(spec.OS(), path, spec.Options{}, compiler.Options{})
	if l.Diagnostics.HasErrors() {
		t.Fatal(l.Diagnostics)
	}
	if r := play(t, l.Scenarios[0], scenario.Options{}); !r.Passed() {
		t.Errorf("%q", broken(r))
	}
}

// A journal's directory is a recording as it is: the calls from outside that it tells of.
func TestAJournalIsARecording(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		e := journal.New("root/api", journal.Message{From: "operator", Message: "get", Outcome: "ok"})
		e.Time = int64(i+1) * int64(time.Second)
		j.Append(e)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "t.yaml")
	write(t, path, stage+`load: [{name: l, recorded: {file: journal, skip: 1s}, payload: {n: n}}]
expect: [{name: all but the first come, finally: load("l").ok == 4}, {name: a second apart, at: 1500ms, holds: load("l").sent == 2}]
`)
	l := scenario.Load(spec.OS(), path, spec.Options{}, compiler.Options{})
	if l.Diagnostics.HasErrors() {
		t.Fatal(l.Diagnostics)
	}
	if r := play(t, l.Scenarios[0], scenario.Options{}); !r.Passed() {
		t.Errorf("%q", broken(r))
	}
}

// A recorded call that comes through a route carries what the route made of the request then.
func TestRecordedCallsThroughARouteCarryWhatTheyCarried(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "calls.jsonl"), `{"at_ns":0,"from":"public/order","to":"root/api","message":"order","payload":{"amount":7}}`+"\n")
	path := filepath.Join(dir, "s.yaml")
	write(t, path, `apiVersion: lukhas/v1
kind: Topology
metadata: {name: orders}
root: {children: [{name: api, script: {handlers: {order: {fail: {when: msg.amount != 7, kind: other}, reply: {ok: true}}}}}]}
gateway: [{name: public, listen: "127.0.0.1:0", routes: [{name: order, path: /order, methods: [POST], to: api, message: order, with: request.json}]}]
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: s}
duration: 5s
load: [{name: l, via: public/order, request: {method: POST, body: {amount: 1}}, recorded: {file: calls.jsonl, caller: public/order}}]
expect: [{name: as it came, finally: load("l").ok == 1}]
`)
	if r := play(t, load(t, path, "")[0], scenario.Options{}); !r.Passed() {
		t.Errorf("%q", broken(r))
	}
}
