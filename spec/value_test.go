package spec

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestAccessors(t *testing.T) {
	text := `apiVersion: lukhas/v1
kind: Scenario
metadata: {name: s, labels: {a: b}}
duration: 5m
clock: 2026-05-01T12:00:00Z
load:
  - {name: a, to: x, message: m, rate: 120/m}
  - {name: b, to: x, message: m, rate: {from: 1/s, to: 2/s, over: 10s}}
  - {name: c, to: x, message: m, rate: [{at: 0s, rate: 5/s}]}
world: {x: {memory: {start: 64KiB}, error_rate: 0.1%}}
timeline: [{at: 3m, crash: x}, {id: o, at: o.end + 5s, drop: {from: x}}]
`
	set, diags := Parse("s.yaml", []byte(text), Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	d := set.Scenarios[0]
	if d.Kind != KindScenario || d.Name != "s" || d.Labels["a"] != "b" {
		t.Errorf("%+v", d)
	}
	root := d.Root
	if got := root.At("clock").Time(); got != time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) {
		t.Error(got)
	}
	loads := root.Field("load").Items()
	if loads[0].Field("rate").Float() != 2 || loads[1].Field("rate").Field("to").Float() != 2 || loads[2].Field("rate").Items()[0].Field("rate").Float() != 5 {
		t.Error("rates are per second, in each of their three forms")
	}
	x := root.Field("world").Entry("x")
	if x.Field("memory").Field("start").Bytes() != 64<<10 || x.Field("error_rate").Float() != 0.001 || x.At("latency").At("p50").Duration() != time.Millisecond {
		t.Error("world model")
	}
	steps := root.Field("timeline").Items()
	if anchor, offset := steps[0].Field("at").Moment(); anchor != "start" || offset != 3*time.Minute {
		t.Error(anchor, offset)
	}
	if anchor, offset := steps[1].Field("at").Moment(); anchor != "o.end" || offset != 5*time.Second {
		t.Error(anchor, offset)
	}
	if steps[0].Field("crash").Field("target").Text() != "x" {
		t.Error("a name is short for a target")
	}
}

func TestHold(t *testing.T) {
	for text, want := range map[string][2]time.Duration{
		"5s": {5 * time.Second, 5 * time.Second}, "3s of 5s": {3 * time.Second, 5 * time.Second},
	} {
		v, problem := parseScalar(holdType, scalar{text: text})
		hold, of := v.Hold()
		if problem != nil || hold != want[0] || of != want[1] {
			t.Errorf("%s: %v of %v, %v", text, hold, of, problem)
		}
	}
	for _, text := range []string{"5s of 3s", "5", "5s of", "of 5s", "-1s"} {
		if _, problem := parseScalar(holdType, scalar{text: text}); problem == nil {
			t.Errorf("%s is no hold", text)
		}
	}
}

// An absent value answers like an empty one, all the way down.
func TestNilValues(t *testing.T) {
	var v *Value
	hold, of := v.Hold()
	anchor, offset := v.Moment()
	if v.Field("x").At("y").Entry("z") != nil || v.Text() != "" || v.Int() != 0 || v.Float() != 0 || v.Bool() || v.Bytes() != 0 || v.Interface() != nil ||
		v.Entries() != nil || v.Items() != nil || !v.Time().IsZero() || !v.Expression().IsZero() || v.String() != "" || hold+of+offset != 0 || anchor != "start" {
		t.Error("a nil value is not empty")
	}
	defer func() {
		if recover() == nil {
			t.Error("a field that the table does not know must panic")
		}
	}()
	(&Value{Type: TypeOf(KindPolicy)}).Field("nonsense")
}

func TestDefaultsComeFromTheTable(t *testing.T) {
	topology, diags := resolved(t, header+"root: {children: [{name: a, script: {}, guard: {breaker: {}}}]}\n", "")
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	a := at(topology.Root, "root.children.a")
	breaker := a.At("guard").At("breaker")
	if breaker.At("window").At("time").Duration() != 10*time.Second || breaker.At("open").At("jitter").Float() != 0.1 || breaker.At("mode").Text() != "normal" ||
		a.At("mailbox").At("capacity").Int() != 1024 || breaker.At("key") != nil || a.At("shutdown").At("drain").Origin.String() != "built-in" {
		t.Error("a default is not the table's")
	}
}

func TestFindingsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(header + tree + "params:\n  a: x # fine\n")
	for i := range 80 {
		fmt.Fprintf(&b, "bad%d: 1\n", i)
	}
	set, diags := Parse("t.yaml", []byte(b.String()), Options{})
	if len(diags) != MaxDiagnostics || diags[0].Pos.Line != 7 || diags[49].Pos.Line != 56 {
		t.Errorf("%d findings", len(diags))
	}
	if got := Summary(diags); got != "50 errors in 1 file; no more than 50 are shown: mend these and look again" || len(set.Files) != 1 {
		t.Error(got)
	}
}

func TestErrorsAreKeptBeforeWarnings(t *testing.T) {
	var ds Diagnostics
	for i := range 60 {
		ds = append(ds, Diagnostic{Severity: Warning, Code: "LR302", Pos: Pos{File: "f", Line: i + 1}})
	}
	ds = append(ds, Diagnostic{Code: "LR101", Pos: Pos{File: "f", Line: 99}})
	sorted := ds.Sorted()
	if len(sorted) != MaxDiagnostics || sorted[49].Code != "LR101" {
		t.Errorf("%d findings, last %v", len(sorted), sorted[len(sorted)-1])
	}
}

func TestStandardInput(t *testing.T) {
	set, diags := Load(OS(), []string{"-"}, Options{Stdin: strings.NewReader(header + tree)})
	if len(diags) > 0 || set.Topology.File != "-" {
		t.Error(diags)
	}
	if _, diags = Load(OS(), []string{"-"}, Options{}); diags.Sorted()[0].Error() != "-: LR015 cannot read -: no standard input" {
		t.Error(diags)
	}
	endless := io.LimitReader(neverEnding{}, MaxFileSize+100)
	if _, diags = Load(OS(), []string{"-"}, Options{Stdin: endless}); len(diags) != 1 || diags[0].Code != "LR014" {
		t.Error(diags)
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}

func TestNamesAreBounded(t *testing.T) {
	for n, ok := range map[int]bool{63: true, 64: false} {
		if _, problem := parseScalar(nameType, scalar{text: strings.Repeat("a", n)}); (problem == nil) != ok {
			t.Errorf("a name of %d letters: %+v", n, problem)
		}
	}
}

// Like the shell's ${VAR:-default}: a variable that is set but empty takes the
// default, without one it is empty.
func TestEmptyVariables(t *testing.T) {
	opts := Options{Env: func(string) (string, bool) { return "", true }}
	for text, want := range map[string]string{"${A:-b}": "b", "x${A}": "x"} {
		in := interpolation{opts: &opts}
		if in.fill(text); joined(in.parts) != want {
			t.Errorf("%s became %q", text, joined(in.parts))
		}
	}
}

func TestRenderKeepsControlCharactersOffTheTerminal(t *testing.T) {
	d := Diagnostic{Code: "LR104", Message: "unknown field \"\x1b[31m\"", Pos: Pos{File: "f", Line: 1, Col: 1, Len: 2}, Help: "none"}
	var out strings.Builder
	if err := Render(&out, Diagnostics{d}, []File{{Path: "f", Data: []byte("\x1b[31m")}}, false); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	if err := Render(&out, Diagnostics{d}, nil, true); err != nil || !strings.HasPrefix(out.String(), "\x1b[1;31merror[LR104]\x1b[0m") {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]time.Duration{"1w2d": 9 * 24 * time.Hour, "1.5h": 90 * time.Minute, "300us": 300 * time.Microsecond, "-5s": -5 * time.Second, "0.1s": 100 * time.Millisecond} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-", "5", "s", "5x", "1s2", "1..5s", "200000w", "1 s"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	for _, c := range []struct {
		t    *Type
		text string
		want float64
	}{
		{sizeType, "64KiB", 65536}, {sizeType, "1.5MB", 1.5e6}, {sizeType, "7B", 7},
		{rateType, "200/s", 200}, {rateType, "30/m", 0.5}, {rateType, "1/ms", 1000},
		{ratioType, "50%", 0.5}, {ratioType, "0.25", 0.25}, {ratioType, ".5", 0.5},
		{intType, "0x10", 16}, {intType, "0o10", 8}, {numberType, "1e3", 1000},
	} {
		v, problem := parseScalar(c.t, scalar{text: c.text})
		if got := float64(v.whole) + v.number; problem != nil || got != c.want {
			t.Errorf("%s: %v, %+v", c.text, got, problem)
		}
	}
}

func TestParamsAreTypedByTheirLiteral(t *testing.T) {
	for text, want := range map[string]Shape{"800ms": Duration, "50%": Ratio, "64KiB": Size, "200/s": Rate, "5": Int, "-5": Int, "0.5": Number, "true": Bool, "word": Text, `"5s"`: Text, "-3s": Duration} {
		set, diags := Parse("t.yaml", []byte(header+"params: {a: "+text+"}\n"+tree), Options{})
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		if got := set.Topology.Root.Field("params").Entry("a").Type.Shape; got != want {
			t.Errorf("%s has shape %d, want %d", text, got, want)
		}
	}
}

func TestFindingsBeyondTheBoundCostNothingAndAreMentioned(t *testing.T) {
	text := "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: x}\nroot: {strategy: one_for_one, children: []}\nparams:\n" + strings.Repeat("  Wrong-Name: 010\n", 100000)
	var diags Diagnostics
	allocated := testing.AllocsPerRun(1, func() { _, diags = Parse("x.yaml", []byte(text), Options{}) })
	if len(diags) != MaxDiagnostics || !strings.HasSuffix(Summary(diags), "no more than 50 are shown: mend these and look again") {
		t.Errorf("%d findings: %s", len(diags), Summary(diags))
	}
	if allocated > 3e6 {
		t.Errorf("%g allocations for 100,000 wrong lines", allocated)
	}
	if few := Summary(diags[:3]); strings.Contains(few, "shown") {
		t.Errorf("three findings: %s", few)
	}
}

// A scenario of years, by a slip of the pen, would be played for as long as somebody waits.
func TestAScenariosDurationIsBounded(t *testing.T) {
	const long = `"32d" is too long, at most 31d; write a shorter duration`
	if _, p := parseScalar(playedType, scalar{text: "32d"}); p == nil || p.code != "LR113" || p.message != long {
		t.Errorf("%+v", p)
	}
	if _, p := parseScalar(playedType, scalar{text: "31d"}); p != nil {
		t.Errorf("%+v", p)
	}
}
