package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/scenario"
)

// tell writes all the reports that are wanted.
func (t *testRun) tell(out, errs io.Writer, took time.Duration) error {
	t.people(errs, took)
	if t.junit != "" {
		if err := t.tellJUnit(); err != nil {
			return err
		}
	}
	if t.github {
		t.annotations(out)
	}
	if t.tap {
		t.writeTAP(out)
	}
	if t.s.output() == "json" {
		return writeJSON(out, t.json())
	}
	return nil
}

// people writes a line for each scenario and all about those that failed.
func (t *testRun) people(w io.Writer, took time.Duration) {
	for _, c := range t.cases {
		if c.passed() {
			if !t.s.quiet() {
				fmt.Fprintf(w, "pass  %s: %s (%s in %s)\n", c.file, c.spec.Name, c.report.Virtual, c.took.Round(time.Millisecond))
			}
			continue
		}
		fmt.Fprintf(w, "FAIL  %s: %s\n", c.file, c.spec.Name)
		for _, f := range t.failures(c) {
			fmt.Fprintln(w, indent(f.text))
		}
	}
	if !t.s.quiet() {
		t.summary(w, took)
	}
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// What is judged of each scenario besides its expectations.
const (
	canBePlayed     = "can be played"
	isDeterministic = "is deterministic"
	followsItsTrace = "goes as its trace says"
)

// failure is one thing wrong with a scenario.
type failure struct {
	name    string // of the expectation
	verdict string // fail, undecided, vacuous, or what is wrong with the whole
	whole   bool   // it is about the scenario as a whole
	title   string // one line
	text    string // all of it
	file    string
	line    int
	col     int
}

// failures lists what is wrong with a case.
func (t *testRun) failures(c *testCase) []failure {
	whole := func(what, why string) failure {
		title, _, _ := strings.Cut(why, "\n")
		return failure{name: what, verdict: "fail", whole: true, title: title, text: strings.TrimRight(why, "\n") + "\n" + t.repro(c), file: c.file, line: c.spec.Place.Line, col: c.spec.Place.Col}
	}
	if c.err != nil {
		return []failure{whole(canBePlayed, c.err.Error())}
	}
	var out []failure
	if c.parted != nil {
		out = append(out, whole(isDeterministic, c.parted.text()))
	}
	if c.report.Problem != "" {
		out = append(out, whole(canBePlayed, c.report.Problem))
	}
	if c.strayed != "" {
		out = append(out, whole(followsItsTrace, "it went another way than its golden trace says; --update writes it anew\n"+c.strayed))
	}
	for i := range c.report.Results {
		r := &c.report.Results[i]
		if r.Verdict != scenario.Pass {
			out = append(out, t.failure(c, r))
		}
	}
	return out
}

func (t *testRun) failure(c *testCase, r *scenario.Result) failure {
	f := failure{name: r.Name, verdict: string(r.Verdict), file: r.Place.File, line: r.Place.Line, col: r.Place.Col}
	f.title = fmt.Sprintf("%s: %s at %s: %s", r.Verdict, r.Name, r.At, r.Why)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q at %s: %s\n", r.Verdict, r.Name, r.At, r.Why)
	fmt.Fprintf(&b, "  --> %s\n", r.Place)
	fmt.Fprintf(&b, "  expected  %s: %s\n", r.Kind, r.Source)
	for _, part := range r.Parts {
		fmt.Fprintf(&b, "    %s %s\n", map[bool]string{true: "true  ", false: "false "}[part.Holds], part.Source)
	}
	for i, s := range r.Seen {
		head := "          "
		if i == 0 {
			head = "seen      "
		}
		fmt.Fprintf(&b, "  %s%s = %s\n", head, s.Name, value(s.Value))
	}
	for i, l := range r.Chain {
		head := "          "
		if i == 0 {
			head = "before    "
		}
		fmt.Fprintf(&b, "  %s%-9s %s\n", head, l.At.Round(time.Microsecond), l.Text)
	}
	if c.report.Ended != "" {
		fmt.Fprintf(&b, "  the engine ended by itself: %s\n", c.report.Ended)
	}
	b.WriteString("  " + t.repro(c) + "\n")
	f.text = b.String()
	return f
}

func value(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

// repro is the command that runs the case again, ready for a shell.
func (t *testRun) repro(c *testCase) string {
	seed := c.spec.Seed
	if t.seed != 0 {
		seed = t.seed
	}
	line := fmt.Sprintf("again     lukhas-run test %s --run '^%s$' --seed %d", quoted(c.file), quoteRE(c.spec.Name), seed)
	if t.shuffle != 0 {
		line += fmt.Sprintf(" --shuffle %d", t.shuffle)
	}
	return line
}

// quoted writes a path as a shell takes it, and as no flag.
func quoted(path string) string {
	if strings.HasPrefix(path, "-") && path != "-" {
		path = "./" + path
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./,:@%+=", r)
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// quoteRE quotes a name for a regular expression within single quotes of a shell.
func quoteRE(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case r == '\'' || r < ' ':
			b.WriteByte('.')
		case strings.ContainsRune(`\.+*?()|[]{}^$`, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// annotations writes GitHub's workflow commands at the lines of what failed.
func (t *testRun) annotations(w io.Writer) {
	for _, c := range t.cases {
		if c.passed() {
			continue
		}
		for _, f := range t.failures(c) {
			fmt.Fprintf(w, "::error title=%s,file=%s,line=%d,col=%d::%s\n", githubProperty(c.spec.Name), githubProperty(f.file), max(1, f.line), max(1, f.col), githubData(f.text))
		}
	}
}

// writeTAP writes the Test Anything Protocol, version 14: a line for each expectation, and for each thing that is wrong with a
// scenario as a whole, with all that is known about what failed.
func (t *testRun) writeTAP(w io.Writer) {
	fmt.Fprintln(w, "TAP version 14")
	n := 0
	point := func(c *testCase, name string, f *failure) {
		n++
		name = strings.NewReplacer("\\", "\\\\", "#", "\\#", "\n", " ", "\r", " ").Replace(c.spec.Name + ": " + name)
		if f == nil {
			fmt.Fprintf(w, "ok %d - %s\n", n, name)
			return
		}
		fmt.Fprintf(w, "not ok %d - %s\n", n, name)
		fmt.Fprintf(w, "  ---\n  message: %s\n  severity: \"fail\"\n  at: {\"file\": %s, \"line\": %d, \"column\": %d}\n  details: %s\n  ...\n", quotedYAML(f.title), quotedYAML(f.file), f.line, f.col, quotedYAML(f.text))
	}
	for _, c := range t.cases {
		wrong := map[string]*failure{}
		all := t.failures(c)
		for i := range all {
			if f := &all[i]; f.whole {
				point(c, f.name, f)
			} else {
				wrong[f.name] = f
			}
		}
		if c.report == nil {
			continue
		}
		for _, r := range c.report.Results {
			point(c, r.Name, wrong[r.Name])
		}
	}
	fmt.Fprintf(w, "1..%d\n", n)
}

// quotedYAML writes a text as YAML's double-quoted scalars have it, which is as JSON has it.
func quotedYAML(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(b)
}

// tellJUnit writes a suite for each scenario, a case for each expectation.
func (t *testRun) tellJUnit() error {
	all, took := junitSuites{Name: "lukhas-run test"}, time.Duration(0)
	for _, c := range t.cases {
		s := t.suite(c)
		all.Tests += s.Tests
		all.Failures += s.Failures
		took += c.took
		all.Suites = append(all.Suites, s)
	}
	all.Time = seconds(took)
	return t.saveJUnit(all)
}

func (t *testRun) saveJUnit(all junitSuites) error {
	var b bytes.Buffer
	if err := writeJUnit(&b, all); err != nil {
		return err
	}
	return os.WriteFile(t.junit, b.Bytes(), 0o644)
}

// refused writes the reports that are wanted of files that are bad, so that nobody takes those of a run before for them.
func (t *testRun) refused(out io.Writer) error {
	found := findings{diags: t.diags}
	if t.junit != "" {
		if err := t.saveJUnit(junitFiles("lukhas-run test", found)); err != nil {
			return err
		}
	}
	if t.github {
		if err := reportGitHub(out, found); err != nil {
			return err
		}
	}
	if t.tap {
		line := strings.Join(strings.Fields(t.diags[0].Error()), " ")
		fmt.Fprintf(out, "TAP version 14\nBail out! %s\n", line)
	}
	if t.s.output() == "json" {
		return writeJSON(out, testJSON{Version: 1, Scenarios: []scenarioJSON{}, Diagnostics: jsonFindings(t.diags)})
	}
	return nil
}

func (t *testRun) suite(c *testCase) junitSuite {
	s := junitSuite{Name: printableXML(c.file + ": " + c.spec.Name), Time: seconds(c.took)}
	all := t.failures(c)
	add := func(whole bool, name string, line int, took time.Duration) {
		out := junitCase{Name: printableXML(name), Class: printableXML(c.spec.Name), File: printableXML(c.file), Line: line, Time: seconds(took)}
		for i := range all {
			if f := &all[i]; f.name == name && f.whole == whole {
				out.Failures = []junitFailure{{Message: printableXML(f.title), Type: f.verdict, Text: printableXML(f.text)}}
				s.Failures++
				break
			}
		}
		if !whole && c.report == nil {
			out.Skipped = &junitSkipped{Message: "the scenario could not be played"}
			s.Skipped++
		}
		s.Cases = append(s.Cases, out)
	}
	add(true, canBePlayed, c.spec.Place.Line, c.took)
	if !t.once {
		add(true, isDeterministic, c.spec.Place.Line, 0)
	}
	if c.golden != nil {
		add(true, followsItsTrace, c.spec.Place.Line, 0)
	}
	for i := range c.spec.Expect {
		add(false, c.spec.Expect[i].Name, c.spec.Expect[i].Place.Line, 0)
	}
	s.Tests = len(s.Cases)
	return s
}

// seconds is a time as JUnit's consumers read it.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// testJSON is the report for machines. Its shape is stable: fields are added, never renamed or removed while version is 1.
type testJSON struct {
	Version   int            `json:"version"`
	OK        bool           `json:"ok"`
	Scenarios []scenarioJSON `json:"scenarios"`
	Coverage  []*coverage    `json:"coverage,omitempty"`  // of each topology, with --coverage
	Mutations []*mutated     `json:"mutations,omitempty"` // of each topology, with --mutate

	Diagnostics []jsonFinding `json:"diagnostics,omitempty"` // of files that are bad; then nothing has run
}

type scenarioJSON struct {
	File   string           `json:"file"`
	Name   string           `json:"name"`
	OK     bool             `json:"ok"`
	Error  string           `json:"error,omitempty"`
	Parted *parting         `json:"parted,omitempty"` // how two runs of it differ
	Trace  string           `json:"trace,omitempty"`  // how it differs from its golden trace
	Took   float64          `json:"took"`             // seconds of the machine's time
	Report *scenario.Report `json:"report,omitempty"`
}

func (t *testRun) json() testJSON {
	out := testJSON{Version: 1, OK: true, Coverage: t.covered, Mutations: t.mutated}
	for _, c := range t.cases {
		s := scenarioJSON{File: c.file, Name: c.spec.Name, OK: c.passed(), Parted: c.parted, Trace: c.strayed, Took: c.took.Seconds(), Report: c.report}
		if c.err != nil {
			s.Error = c.err.Error()
		}
		out.OK = out.OK && s.OK
		out.Scenarios = append(out.Scenarios, s)
	}
	return out
}
