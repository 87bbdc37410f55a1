package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// result is what one command line did.
type result struct {
	code     int
	out, err string
}

// lukhas runs a command line with text on its standard input.
func lukhas(t *testing.T, in string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := execute(args, strings.NewReader(in), &out, &errs)
	return result{code, out.String(), errs.String()}
}

// files writes a directory of files and gives its path.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const header = "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: shop}\n"

const small = header + `root:
  children:
    - name: api
      script: {handlers: {get: {reply: {ok: true}}}}
      guard: {breaker: {trip: {consecutive_failures: 3}}, timeout: 1s}
`

const wrong = header + `root:
  children:
    - name: api
      script: {handlers: {get: {reply: {ok: true}}}}
      guard: {breakr: {trip: {consecutive_failures: 3}}}
    - name: api
      script: {handlers: {get: {reply: {ok: true}}}}
`

const odd = header + `templates:
  worker: {labels: {tier: workers}}
root:
  children:
    - name: api
      script: {handlers: {get: {reply: {ok: true}}}}
`

const policy = "apiVersion: lukhas/v1\nkind: Policy\nmetadata: {name: on-call}\n"

func TestValidateSaysOK(t *testing.T) {
	dir := files(t, map[string]string{"shop.yaml": small})
	got := lukhas(t, "", "validate", filepath.Join(dir, "shop.yaml"))
	if got.code != 0 || got.out != "" || !strings.HasPrefix(got.err, "ok: 1 topology, 2 actors, 1 breaker, 0 rules in ") {
		t.Errorf("%+v", got)
	}
	if got := lukhas(t, small, "lint", "-", "-q"); got != (result{}) {
		t.Errorf("quiet from standard input: %+v", got)
	}
}

func TestValidateTellsAllAtOnce(t *testing.T) {
	dir := files(t, map[string]string{"shop.yaml": wrong})
	got := lukhas(t, "", "check", filepath.Join(dir, "shop.yaml"))
	for _, want := range []string{"error[LR104]", `did you mean "breaker"?`, "error[LR202]", "2 errors in 1 file", "^^^^^^"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("no %q in\n%s", want, got.err)
		}
	}
	if got.code != 1 || got.out != "" {
		t.Errorf("code %d, out %q", got.code, got.out)
	}
}

func TestValidateExitCodes(t *testing.T) {
	dir := files(t, map[string]string{"good.yaml": small, "odd.yaml": odd, "bad.yaml": wrong})
	for _, c := range []struct {
		args string
		code int
	}{
		{"good.yaml", 0}, {"odd.yaml", 0}, {"odd.yaml --fail-on warning", 3}, {"bad.yaml --fail-on warning", 1}, {"none.yaml", 66},
		{"good.yaml --fail-on never", 64}, {"good.yaml -o xml", 64}, {"good.yaml --frobnicate", 64}, {"", 64},
	} {
		args := strings.Fields(c.args)
		if len(args) > 0 {
			args[0] = filepath.Join(dir, args[0])
		}
		if got := lukhas(t, "", append([]string{"validate"}, args...)...); got.code != c.code {
			t.Errorf("validate %s: exit %d, want %d\n%s", c.args, got.code, c.code, got.err)
		}
	}
}

func TestValidateSchemaOnlyLooksAtShapes(t *testing.T) {
	unknown := strings.Replace(small, "breaker: {trip", "breaker: {use: nobody, trip", 1)
	if got := lukhas(t, unknown, "validate", "-"); got.code != 1 || !strings.Contains(got.err, "LR203") {
		t.Errorf("everything: %+v", got)
	}
	if got := lukhas(t, unknown, "validate", "-", "--schema-only"); got.code != 0 {
		t.Errorf("shapes: %+v", got)
	}
	if got := lukhas(t, wrong, "validate", "-", "--schema-only"); got.code != 1 || !strings.Contains(got.err, "LR104") {
		t.Errorf("a wrong shape: %+v", got)
	}
}

func TestValidateAllowsMissingEnv(t *testing.T) {
	text := strings.Replace(small, "shop", "\"shop ${LUKHAS_TEST_UNSET}\"", 1)
	if got := lukhas(t, text, "validate", "-"); got.code != 1 || !strings.Contains(got.err, "LR601") {
		t.Errorf("strict: %+v", got)
	}
	if got := lukhas(t, text, "validate", "-", "--allow-missing-env"); got.code != 0 || !strings.Contains(got.err, "warning[LR601]") {
		t.Errorf("lenient: %+v", got)
	}
}

// Each topology has its own policies and scenarios, wherever they stand in the tree.
func TestValidateDirectory(t *testing.T) {
	dir := files(t, map[string]string{
		"shop/topology.yaml":       small,
		"shop/policies/night.yaml": policy + "actors: {api: {guard: {timeout: 2s}}}\n",
		"mill/topology.yml":        "include: [parts/*.yaml]\n" + strings.Replace(small, "name: api", "name: wheel", 1),
		"mill/parts/params.yaml":   "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: parts}\nparams: {slow: 1s}\n",
		"mill/night.yaml":          policy + "actors: {wheel: {guard: {timeout: 2s}}}\n",
		"mill/calm.yaml":           "apiVersion: lukhas/v1\nkind: Scenario\nmetadata: {name: calm}\ntopology: topology.yml\noverride: {actors.wheel.guard.timeout: 3s}\nduration: 1m\nexpect: [{name: calm, always: system.health > 0.5}]\n",
		"deploy/service.yaml":      "apiVersion: v1\nkind: Service\n",
		".git/config.yaml":         "nonsense: [",
	})
	got := lukhas(t, "", "validate", dir)
	want := []string{"note: skipped " + filepath.Join(dir, "deploy/service.yaml"), "ok: 2 topologies, 2 policies, 1 scenario, 4 actors, 2 breakers, 0 rules"}
	for _, w := range want {
		if !strings.Contains(got.err, w) {
			t.Errorf("no %q in\n%s", w, got.err)
		}
	}
	if got.code != 0 {
		t.Errorf("code %d\n%s", got.code, got.err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mill/night.yaml"), []byte(policy+"actors: {whel: {guard: {timeout: 2s}}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := lukhas(t, "", "validate", dir); got.code != 1 || !strings.Contains(got.err, `unknown actor "whel"`) || !strings.Contains(got.err, `did you mean "wheel"?`) {
		t.Errorf("a policy for nobody: %d\n%s", got.code, got.err)
	}
	if got := lukhas(t, "", "validate", filepath.Join(dir, ".git", "none")); got.code != 66 {
		t.Errorf("nothing there: %+v", got)
	}
}

func TestValidateScenarioOverridesAreChecked(t *testing.T) {
	scenario := "---\napiVersion: lukhas/v1\nkind: Scenario\nmetadata: {name: calm}\noverride: {actors.apy.guard.timeout: 3s}\nduration: 1m\nexpect: [{name: calm, always: system.health > 0.5}]\n"
	dir := files(t, map[string]string{"shop.yaml": small + scenario})
	if got := lukhas(t, "", "validate", filepath.Join(dir, "shop.yaml")); got.code != 1 || !strings.Contains(got.err, `did you mean "api"?`) {
		t.Errorf("%+v", got)
	}
}

// A policy with two possible topologies must fit one of them.
func TestValidatePolicyFitsOne(t *testing.T) {
	dir := files(t, map[string]string{
		"a.yaml": small, "b.yaml": strings.Replace(small, "name: api", "name: wheel", 1), "p.yaml": policy + "actors: {wheel: {guard: {timeout: 2s}}}\n",
	})
	if got := lukhas(t, "", "validate", dir); got.code != 0 {
		t.Errorf("fits b: %+v", got)
	}
	if got := lukhas(t, "", "validate", filepath.Join(dir, "p.yaml")); got.code != 0 || !strings.Contains(got.err, "name its topology too") {
		t.Errorf("alone: %+v", got)
	}
}

func TestReportJSON(t *testing.T) {
	got := lukhas(t, wrong, "validate", "-", "-o", "json")
	var r jsonReport
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		t.Fatalf("%v in\n%s", err, got.out)
	}
	if got.code != 1 || got.err != "" || r.Version != 1 || r.OK || r.Errors != 2 || len(r.Diagnostics) != 2 {
		t.Errorf("%+v", got)
	}
	first := r.Diagnostics[0]
	want := jsonFinding{Severity: "error", Code: "LR104", Message: `unknown field "breakr" in guard of actor "api"`, Suggestion: `did you mean "breaker"?`,
		Place: jsonPlace{File: "-", Line: 8, Column: 15, Length: 6}}
	first.Message, want.Message = "", "" // the walker's own business
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	if rel := r.Diagnostics[1].Related; len(rel) != 1 || rel[0].Place.Line != 6 {
		t.Errorf("both places of a conflict: %+v", rel)
	}
	if got := lukhas(t, small, "validate", "-", "-o", "json"); !strings.Contains(got.out, `"diagnostics": []`) {
		t.Errorf("no findings are an empty list:\n%s", got.out)
	}
}

func TestReportGitHub(t *testing.T) {
	got := lukhas(t, wrong, "validate", "-", "-o", "github")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "::error title=LR104,file=-,line=8,col=15,endColumn=21::unknown field") {
		t.Errorf("%q", lines)
	}
	if got := githubProperty("a:b,c%\n"); got != "a%3Ab%2Cc%25%0A" {
		t.Errorf("property %q", got)
	}
	if got := githubData("50%: a, b\r\nc"); got != "50%25: a, b%0D%0Ac" {
		t.Errorf("data %q", got)
	}
}

func TestReportJUnit(t *testing.T) {
	dir := files(t, map[string]string{"a.yaml": small, "b.yaml": wrong, "c.yaml": odd})
	a, b, c := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml"), filepath.Join(dir, "c.yaml")
	got := lukhas(t, "", "validate", a, b, c, "-o", "junit")
	var suites junitSuites
	if err := xml.Unmarshal([]byte(got.out), &suites); err != nil {
		t.Fatalf("%v in\n%s", err, got.out)
	}
	if suites.Tests != 4 || suites.Failures != 2 || len(suites.Suites) != 3 {
		t.Errorf("%+v", suites)
	}
	counts := map[string][2]int{}
	for _, s := range suites.Suites {
		counts[filepath.Base(s.Name)] = [2]int{s.Tests, s.Failures}
	}
	if diff := cmp.Diff(map[string][2]int{"a.yaml": {1, 0}, "b.yaml": {2, 2}, "c.yaml": {1, 0}}, counts); diff != "" {
		t.Error(diff)
	}
	if got := printableXML("a\x00b\x1bc\td"); got != "a\uFFFDb\uFFFDc\td" {
		t.Errorf("%q", got)
	}
}

// The required properties of SARIF 2.1.0, and those without which code scanning refuses a file.
func TestReportSARIF(t *testing.T) {
	dir := files(t, map[string]string{"my shop.yaml": wrong})
	got := lukhas(t, "", "validate", filepath.Join(dir, "my shop.yaml"), "-o", "sarif")
	var log sarifLog
	if err := json.Unmarshal([]byte(got.out), &log); err != nil {
		t.Fatalf("%v in\n%s", err, got.out)
	}
	if log.Version != "2.1.0" || log.Schema == "" || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name != "lukhas-run" {
		t.Fatalf("%+v", log)
	}
	run := log.Runs[0]
	if len(run.Results) != 2 {
		t.Fatalf("%d results", len(run.Results))
	}
	for _, r := range run.Results {
		place := r.Locations[0].Physical
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Message.Text == "" || r.Level != "error" || place.Region.StartLine == 0 || place.Region.StartColumn == 0 {
			t.Errorf("%+v", r)
		}
		if !strings.HasPrefix(place.Artifact.URI, "file:///") || !strings.HasSuffix(place.Artifact.URI, "/my%20shop.yaml") {
			t.Errorf("uri %q", place.Artifact.URI)
		}
	}
	for _, r := range run.Tool.Driver.Rules {
		if r.ID == "" || r.Name == "" || strings.ContainsAny(r.Name, " -,") || r.Short.Text == "" || r.Full.Text == "" || r.Help.Text == "" {
			t.Errorf("rule %+v", r)
		}
	}
	if got := sarifURI("a b/ü:c.yaml"); got != "a%20b/%C3%BC%3Ac.yaml" {
		t.Errorf("uri %q", got)
	}
	if got := lukhas(t, small, "validate", "-", "-o", "sarif"); !strings.Contains(got.out, `"results": []`) {
		t.Errorf("no findings:\n%s", got.out)
	}
}
