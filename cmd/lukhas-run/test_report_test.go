package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const oddNames = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: shop}
root: {children: [{name: api, script: {handlers: {get: {reply: {n: 1}}}}}]}
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: 'a <b> & "c" #1 \ (50%)'}
duration: 5s
load: [{name: l, to: api, message: get, rate: 5/s}]
expect:
  - {name: 'it''s <fine> #1', finally: load("l").ok > 0}
  - {name: 'both "and" \ fail', always: actor("api").restarts == 0 && load("l").sent < 3}
  - {name: can be played, never: 'call.to == "nobody" && call.took > 1s'}
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: it cannot be played}
duration: 5s
load: [{name: l, to: api, message: get, rate: 5/s, payload: {n: 1 % (n - n)}}]
expect: [{name: never judged, finally: now > 0}]
`

func oddReport(t *testing.T, flags ...string) (out, junit string) {
	t.Helper()
	dir := t.TempDir()
	path, report := filepath.Join(dir, "odd.yaml"), filepath.Join(dir, "odd.xml")
	if err := os.WriteFile(path, []byte(oddNames), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errs := testVerb(append([]string{path, "--once", "--junit", report}, flags...)...)
	if code != exitFailed {
		t.Fatalf("exit %d: %s", code, errs)
	}
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	return out, string(data)
}

// The elements and attributes that the usual consumers know (the schema that Jenkins publishes, and what GitLab reads).
func TestJUnitHasTheUsualShape(t *testing.T) {
	allowed := map[string][]string{
		"testsuites": {"name", "tests", "failures", "errors", "time"}, // as in Jenkins' schema
		"testsuite":  {"name", "tests", "failures", "errors", "skipped", "time"},
		"testcase":   {"name", "classname", "file", "line", "time"},
		"failure":    {"message", "type"}, "skipped": {"message"},
	}
	within := map[string]string{"testsuites": "", "testsuite": "testsuites", "testcase": "testsuite", "failure": "testcase", "skipped": "testcase"}
	_, text := oddReport(t)
	counts, stack := map[string]int{}, []string{""}
	declared := map[string]int{}
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			name := e.Name.Local
			if parent, ok := within[name]; !ok || parent != stack[len(stack)-1] {
				t.Errorf("%s within %s", name, stack[len(stack)-1])
			}
			counts[name]++
			for _, a := range e.Attr {
				if !slices.Contains(allowed[name], a.Name.Local) {
					t.Errorf("%s has an attribute %s", name, a.Name.Local)
				}
				if n, err := strconv.ParseFloat(a.Value, 64); err == nil && (name == "testsuites" || a.Name.Local == "skipped") {
					declared[a.Name.Local] += int(n)
				} else if a.Name.Local == "time" && err != nil {
					t.Errorf("time %q", a.Value)
				}
			}
			stack = append(stack, name)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
	if declared["tests"] != counts["testcase"] || declared["failures"] != counts["failure"] || declared["skipped"] != counts["skipped"] || counts["testsuite"] != 2 || counts["testcase"] != 6 {
		t.Errorf("declared %v, counted %v in\n%s", declared, counts, text)
	}
	for _, want := range []string{`name="it&#39;s &lt;fine&gt; #1"`, `<failure message="vacuous: can be played at`, `type="vacuous"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
}

// TAP's descriptions escape what would begin a directive, and the diagnostics are YAML.
func TestTAPCanBeRead(t *testing.T) {
	out, _ := oddReport(t, "--tap")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if lines[0] != "TAP version 14" || lines[len(lines)-1] != "1..5" {
		t.Fatalf("%q … %q", lines[0], lines[len(lines)-1])
	}
	points, blocks := 0, []string(nil)
	for i := 0; i < len(lines); i++ {
		if strings.HasPrefix(lines[i], "ok ") || strings.HasPrefix(lines[i], "not ok ") {
			points++
			if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(lines[i], `\\`, ""), `\#`, ""), "#") {
				t.Errorf("%s has a directive", lines[i])
			}
		}
		if lines[i] == "  ---" {
			end := i + slices.Index(lines[i:], "  ...")
			blocks = append(blocks, strings.Join(lines[i+1:end], "\n"))
		}
	}
	if points != 5 || len(blocks) != 3 {
		t.Fatalf("%d points, %d diagnostics:\n%s", points, len(blocks), out)
	}
	for _, b := range blocks {
		var read struct {
			Message, Severity, Details string
			At                         struct {
				File         string
				Line, Column int
			}
		}
		var pairs []string // each value is JSON, which is YAML too
		for _, line := range strings.Split(b, "\n") {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			pairs = append(pairs, strconv.Quote(key)+": "+value)
		}
		d := json.NewDecoder(strings.NewReader("{" + strings.Join(pairs, ", ") + "}"))
		d.DisallowUnknownFields()
		if err := d.Decode(&read); err != nil || read.Message == "" || read.Severity != "fail" || read.At.Line == 0 || !strings.Contains(read.Details, "again     lukhas-run test") {
			t.Errorf("%v: %+v", err, read)
		}
	}
}

// A failure says which of the joined conditions does not hold.
func TestAFailureTellsItsParts(t *testing.T) {
	out, _ := oddReport(t, "--github")
	for _, want := range []string{`true   actor("api").restarts == 0`, `false  load("l").sent < 3`, `load("l").sent = 3`, "title=a <b> & \"c\" #1 \\ (50%25),"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in\n%s", want, out)
		}
	}
}

// Whoever reads reports hears of files that are bad too.
func TestABadFileIsInEveryReport(t *testing.T) {
	dir := t.TempDir()
	path, report := filepath.Join(dir, "bad.yaml"), filepath.Join(dir, "report.xml")
	if err := os.WriteFile(path, []byte("apiVersion: lukhas/v1\nkind: Scenario\nmetadata: {name: s}\nduratoin: 5s\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, _ := testVerb(path, "--github", "--tap", "--junit", report)
	if code != exitBadScenario || !strings.Contains(out, "::error title=LR") || !strings.Contains(out, ",line=4,") || !strings.Contains(out, "\nBail out! ") {
		t.Errorf("exit %d\n%s", code, out)
	}
	var all struct {
		Failures int `xml:"failures,attr"`
	}
	text, err := os.ReadFile(report)
	if err == nil {
		err = xml.Unmarshal(text, &all)
	}
	if err != nil || all.Failures == 0 {
		t.Errorf("%v\n%s", err, text)
	}
	if _, out, _ := testVerb(path, "-o", "json"); !strings.Contains(out, `"ok": false`) || !strings.Contains(out, "duratoin") {
		t.Errorf("%s", out)
	}
}
