package engine

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

func everyInput(p *plan.Plan) []Input {
	f := Failure{Kind: "crash", Message: "boom", By: "root/a", MessageType: "m", Correlation: "c", ExitCode: 3, Signal: "KILL", LastLines: []string{"x"}, Starting: true}
	return []Input{
		Boot{Plan: p, Seed: math.MaxUint64},
		Started{ID: 1, Epoch: 2},
		Failed{ID: 1, Epoch: 2, Failure: f},
		Exited{ID: 1, Epoch: 2},
		Exited{ID: 1, Epoch: 2, Failure: &f},
		Stopped{ID: 1, Epoch: 2, Leaked: true},
		Due{Timer: 1<<63 + 1},
		BreakerChanged{Breaker: "db", From: "closed", To: "open", Generation: 4, Reason: "r", Until: time.Second},
		Probed{ID: 3, Epoch: 1, Healthy: true, Why: "ok"},
		Sampled{
			Actors:   []rules.Actor{{Path: "root/a", Labels: map[string]string{"k": "v"}, ErrorRate: 0.5, Latency: rules.Latency{P99: 1.5}, Metrics: map[string]float64{"q": 2}}},
			Breakers: []rules.Breaker{{Name: "db", Key: "k", State: "open", Opens: 2}},
			System:   rules.System{Anomaly: 0.25}, Node: rules.Node{Name: "n", CPU: 0.5},
			Since: Figures{Generation: 2, Span: time.Second, Rates: rules.Rates{Calls: 3, ErrorRate: 0.5, Latency: rules.Latency{P99: 0.25}}},
		},
		Commanded{Number: 9, By: "me", Action: Steer{Verb: "inject", Target: "a", For: time.Minute, MaxShare: 0.5, Message: "m",
			Payload: map[string]any{"a": []any{1.5, "x", nil, true}}, Text: "t", Level: "warn", Count: 2, Reason: "why",
			Headers: []plan.Label{{Key: "k", Value: "v"}}, Timeout: time.Second}},
		Reloaded{Plan: p, Generation: 2, By: "me", Why: "because", Before: Figures{Span: time.Minute, Rates: rules.Rates{Calls: 7}}},
		RollBackFailed{Generation: 2, Why: "in use"},
		Shutdown{Why: "signal"},
	}
}

func onePlan(t testing.TB) (*plan.Plan, PlanOf) {
	p, err := growPlan([]string{"root", "  a"})
	if err != nil {
		t.Fatal(err)
	}
	return p, func(d plan.Digest) (*plan.Plan, error) {
		if d != p.Digest() {
			return nil, nil
		}
		return p, nil
	}
}

// Every input comes back from its encoded form as it was.
func TestInputsSurviveTheCodec(t *testing.T) {
	p, planOf := onePlan(t)
	samePlan := cmp.Comparer(func(a, b *plan.Plan) bool { return a == b })
	for _, in := range everyInput(p) {
		data, err := AppendInput([]byte("x"), in)
		if err != nil {
			t.Fatalf("%T: %v", in, err)
		}
		got, err := DecodeInput(data[1:], planOf)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(in, got, samePlan, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s\n%s", data, diff)
		}
	}
}

// What cannot be read says why.
func TestBadInputsAreRefused(t *testing.T) {
	_, planOf := onePlan(t)
	for text, want := range map[string]string{
		``:                                "EOF",
		`{"v":3,"input":"due","data":{}}`: "version 3",
		`{"v":1,"input":"dew","data":{}}`: `unknown input "dew"`,
		`{"v":1,"input":"due","data":{"Tmer":1}}`:                      "unknown field",
		`{"v":1,"input":"due","data":{}} {}`:                           "follows",
		`{"v":1,"input":"boot","data":{"Plan":"zz"}}`:                  "digest in hexadecimal",
		`{"v":1,"input":"boot","data":{"Plan":"` + zeros(64) + `"}}`:   "no plan has the digest",
		`{"v":1,"input":"started","data":{"ID":-1}}`:                   "ID",
		`{"v":1,"input":"exited","data":{"Failure":{"ExitCode":"x"}}}`: "ExitCode",
		strings.Repeat(" ", MaxInput+1):                                "at most",
	} {
		_, err := DecodeInput([]byte(text), planOf)
		if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
	if _, err := AppendInput(nil, Sampled{Node: rules.Node{CPU: math.NaN()}}); err == nil {
		t.Error("a NaN was encoded")
	}
}

func zeros(n int) string { return strings.Repeat("0", n) }

// FuzzDecodeInput: nothing panics, and what is read can be written and read again to the same bytes.
func FuzzDecodeInput(f *testing.F) {
	p, planOf := onePlan(f)
	for _, in := range everyInput(p) {
		data, err := AppendInput(nil, in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := DecodeInput(data, planOf)
		if err != nil {
			return
		}
		once, err := AppendInput(nil, in)
		if err != nil {
			t.Fatalf("%q was read but cannot be written: %v", data, err)
		}
		again, err := DecodeInput(once, planOf)
		if err != nil {
			t.Fatalf("%q cannot be read again: %v", once, err)
		}
		twice, err := AppendInput(nil, again)
		if err != nil || string(once) != string(twice) {
			t.Fatalf("%q became %q (%v)", once, twice, err)
		}
	})
}
