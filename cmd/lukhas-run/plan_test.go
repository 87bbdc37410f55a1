package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlanTellsClasses(t *testing.T) {
	dir := files(t, map[string]string{
		"old.yaml":  small,
		"hot.yaml":  strings.Replace(small, "timeout: 1s", "timeout: 2s", 1),
		"more.yaml": small + "    - name: cache\n      script: {handlers: {get: {reply: {hit: true}}}}\n",
		"bad.yaml":  wrong,
	})
	old := filepath.Join(dir, "old.yaml")
	plan := func(file string, args ...string) result {
		return lukhas(t, "", append([]string{"plan", filepath.Join(dir, file), "--base", old}, args...)...)
	}
	if got := plan("hot.yaml"); got.code != 0 || got.out != "root/api\n  ~ guard.timeout: 1s -> 2s  [hot]\n1 change: 1 hot\n" {
		t.Errorf("%+v", got)
	}
	if got := plan("more.yaml", "--summary", "--detailed-exitcode"); got.code != 2 || got.out != "1 change: 1 start\n" {
		t.Errorf("%+v", got)
	}
	if got := plan("old.yaml", "--detailed-exitcode"); got.code != 0 || got.out != "no changes\n" {
		t.Errorf("%+v", got)
	}
	if got := plan("bad.yaml"); got.code != 1 || !strings.Contains(got.err, "LR104") {
		t.Errorf("%+v", got)
	}
	if got := plan("none.yaml"); got.code != 66 {
		t.Errorf("%+v", got)
	}
	if got := plan("none.yaml", "--detailed-exitcode"); got.code != 1 {
		t.Errorf("%+v", got)
	}
	if got := lukhas(t, "", "diff", old); got.code != 69 || !strings.Contains(got.err, "--base") {
		t.Errorf("%+v", got)
	}
}

func TestPlanJSON(t *testing.T) {
	dir := files(t, map[string]string{"old.yaml": small, "new.yaml": strings.Replace(small, "timeout: 1s", "timeout: 2s", 1)})
	out := filepath.Join(dir, "plan.json")
	got := lukhas(t, "", "plan", filepath.Join(dir, "new.yaml"), "--base", filepath.Join(dir, "old.yaml"), "-o", "json", "--out", out)
	file, err := os.ReadFile(out)
	if err != nil || string(file) != got.out {
		t.Errorf("--out: %v, %q", err, file)
	}
	var p jsonPlan
	if err := json.Unmarshal(file, &p); err != nil {
		t.Fatal(err)
	}
	want := jsonChange{Path: "actors.root/api.guard.timeout", Actor: "root/api", Class: "hot", Old: "1s", New: "2s"}
	if p.Version != 1 || p.Class != "hot" || p.Counts["hot"] != 1 || len(p.Changes) != 1 || p.Changes[0] != want || p.Old == p.New {
		t.Errorf("%+v", p)
	}
}

// Every value says which layer it comes from.
func TestPlanExplainsDefaults(t *testing.T) {
	topology := header + `params: {slow: 300ms}
policies: {guards: {standard: {timeout: "${params.slow}"}}}
defaults: {mailbox: {capacity: 7}}
templates: {worker: {labels: {tier: workers}}}
root:
  children:
    - name: api
      use: worker
      script: {handlers: {get: {reply: {ok: true}}}}
      guard: standard
      shutdown: {drain: 1s}
`
	dir := files(t, map[string]string{"t.yaml": topology, "p.yaml": policy + "actors: {api: {mailbox: {attempts: 3}}}\n"})
	got := lukhas(t, "", "plan", filepath.Join(dir, "t.yaml"), filepath.Join(dir, "p.yaml"), "--explain-defaults", "-o", "json")
	var all []provenance
	if err := json.Unmarshal([]byte(got.out), &all); err != nil {
		t.Fatalf("%v\n%+v", err, got)
	}
	from := map[string]string{}
	for _, p := range all {
		from[p.Path] = p.Value + " from " + p.From
	}
	for path, want := range map[string]string{
		"root/api.shutdown.drain":     "1s from written here",
		"root/api.shutdown.kill":      "5s from built-in",
		"root/api.mailbox.capacity":   "7 from defaults",
		"root/api.mailbox.attempts":   `3 from policy document "on-call"`,
		"root/api.labels.tier":        `workers from template "worker"`,
		"root/api.guard.timeout":      `300ms from policy guard "standard"`,
		"journal.durability":          "group from built-in",
		"root.intensity.max":          "3 from built-in",
		"root/api.guard.breaker.mode": "",
		"root.mailbox.capacity":       "",
	} {
		if from[path] != want {
			t.Errorf("%s: %q, want %q", path, from[path], want)
		}
	}
}
