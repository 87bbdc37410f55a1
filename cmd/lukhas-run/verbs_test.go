package main

import (
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write generated files instead of comparing them")

func TestEveryVerbHasAnExample(t *testing.T) {
	for _, p := range pageOf(newRoot()).all() {
		if p.short == "" || len(p.example) == 0 {
			t.Errorf("%s: short %q, example %q", p.name, p.short, p.example)
		}
		for _, line := range p.example {
			if !strings.Contains(line, "lukhas-run") {
				t.Errorf("%s: example %q", p.name, line)
			}
		}
		args := append(strings.Fields(p.name)[1:], "--help")
		if got := lukhas(t, "", args...); got.code != 0 || !strings.Contains(got.out, "Examples:") {
			t.Errorf("%s --help: %+v", p.name, got)
		}
	}
}

func TestTheCommandPageIsUpToDate(t *testing.T) {
	const file = "../../docs/cli.md"
	want := reference(pageOf(newRoot()))
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is not what the commands say (%v); run make docs", file, err)
	}
}

func TestUnknownVerbsAndFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"frobnicate", `unknown command "frobnicate"`},
		{"validte x", "validate"},
		{"plan --bse x", "unknown flag: --bse"},
		{"validate", "requires at least 1 arg"},
		{"explain", "accepts 1 arg"},
		{"schema nonsense", `there is no schema "nonsense": expected topology, policy, scenario`},
		{"completion tcsh", `unknown shell "tcsh"`},
		{"man nonsense", `there is no verb "nonsense"`},
		{"fmt --to v9 x", `--to "v9": the only version is lukhas/v1`},
	} {
		if got := lukhas(t, "", strings.Fields(c.args)...); got.code != exitUsage || !strings.Contains(got.err, c.want) {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
}

func TestSchemaPrintsEachKind(t *testing.T) {
	for _, kind := range []string{"topology", "policy", "scenario"} {
		if got := lukhas(t, "", "schema", kind); got.code != 0 || !strings.Contains(got.out, `"title": "lukhas-run `+kind+`"`) {
			t.Errorf("%s: code %d", kind, got.code)
		}
	}
}

func TestFmt(t *testing.T) {
	const messy = header + "root:\n    children:\n        - name: api # why\n          script: {handlers: {get: {reply: {ok: true}}}}\n"
	const tidy = header + "root:\n  children:\n    - name: api # why\n      script: {handlers: {get: {reply: {ok: true}}}}\n"
	dir := files(t, map[string]string{"a.yaml": messy, "b.yaml": tidy, "c.yaml": header + "root: {children: [\n"})
	a, b, c := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml"), filepath.Join(dir, "c.yaml")
	if got := lukhas(t, messy, "fmt", "-"); got.code != 0 || got.out != tidy {
		t.Errorf("from standard input: %+v", got)
	}
	if got := lukhas(t, "", "fmt", "--check", a, b); got.code != 1 || got.out != a+"\n" || !strings.Contains(got.err, "1 file would change") {
		t.Errorf("check: %+v", got)
	}
	if got := lukhas(t, "", "fmt", "--diff", a, b); got.code != 0 || !strings.Contains(got.out, "-    children:\n") || !strings.Contains(got.out, "+  children:\n") {
		t.Errorf("diff: %+v", got)
	}
	link := filepath.Join(dir, "link.yaml")
	if err := os.Symlink("a.yaml", link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(a, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := lukhas(t, "", "fmt", "-w", link, b); got.code != 0 || got.err != "formatted "+link+"\n" {
		t.Errorf("write: %+v", got)
	}
	text, err := os.ReadFile(a)
	info, statErr := os.Stat(a)
	if err != nil || statErr != nil || string(text) != tidy || info.Mode().Perm() != 0o600 {
		t.Errorf("written: %v %v %v\n%s", err, statErr, info.Mode(), text)
	}
	if kind, err := os.Lstat(link); err != nil || kind.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is no link any more: %v %v", kind, err)
	}
	if got := lukhas(t, "", "fmt", "-w", c); got.code != 1 || !strings.Contains(got.err, "error[LR") {
		t.Errorf("what cannot be parsed: %+v", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"breaker.trip.error_rate", "value    0..1 or 50%", 0},
		{"policies.breakers.mine.open.for", "default  5s", 0},
		{"journal.durability", "restart_engine: only a new engine takes it over", 0},
		{"actor --recursive", "    initial", 0},
		{"lr104", "LR104: unknown field", 0},
		{"LR104 -o json", `"right": "observe: {level: full}"`, 0},
		{"breaker.trip -o json", `"path": "breaker.trip.error_rate"`, 0},
		{"LR999", `there is no code "LR999"`, 1},
		{"breaker.trip.eror_rate", `did you mean "breaker.trip.error_rate"?`, 1},
		{"nonsense", "try topology, actor, breaker", 1},
	} {
		got := lukhas(t, "", append([]string{"explain"}, strings.Fields(c.args)...)...)
		if got.code != c.code || !strings.Contains(got.out+got.err, c.want) {
			t.Errorf("explain %s: exit %d, no %q in\n%s%s", c.args, got.code, c.want, got.out, got.err)
		}
	}
}

func TestEval(t *testing.T) {
	for _, c := range []struct {
		expr, env, want string
		code            int
	}{
		{`status >= 500 || error.kind in ["timeout"]`, `{"status": 503}`, "true\n", 0},
		{`actor.latency.p99 > 800ms && actor.error_rate > params.max`, `{"params": {"max": 0.1}, "actor": {"error_rate": 0.5, "latency": {"p99": 0.9}}}`, "true\n", 0},
		{`share("open")`, `{"breakers": [{"name": "a", "state": "open"}, {"name": "b", "state": "closed"}]}`, "0.5\n", 0},
		{`share("quarantined", "root/workers/**")`, `{"actors": [{"path": "root/workers/a", "quarantined": true}, {"path": "root/api"}]}`, "1\n", 0},
		{`breaker("db").state + actor("root/api").name`, `{"breakers": [{"name": "db", "state": "open"}], "actors": [{"name": "api", "path": "root/api"}]}`, "\"openapi\"\n", 0},
		{`row.total * calls`, `{"binds": {"row": {"total": 2}}, "window": {"calls": 3}}`, "6\n", 0},
		{`load("shoppers").success_rate`, `{"loads": {"shoppers": {"success_rate": 0.95}}}`, "0.95\n", 0},
		{`actor.eror_rate`, `{}`, `unknown field "eror_rate" of actor; did you mean "error_rate"?`, 1},
		{`params.slo`, `{"params": {"slow": 1}}`, `did you mean "slow"?`, 1},
		{`breaker("db").state`, `{}`, `there is no breaker "db"`, 1},
		{`1`, `{"actr": {}}`, `did you mean "actor"?`, exitUsage},
		{`1`, `{"actor": {"calls": "x"}}`, `actor.calls: expected a number, got "x"`, exitUsage},
		{`1`, `{"actor": [1]}`, `actor: expected an object`, exitUsage},
		{`1`, `{"window": {"class": 1}}`, `window.class cannot be given`, exitUsage},
		{`1`, `{"world": 1}`, `unknown name "world"`, exitUsage},
		{`1`, `{1}`, `not a JSON object`, exitUsage},
		{`1`, `none.json`, `no such file`, exitNoInput},
	} {
		got := lukhas(t, "", "eval", c.expr, "--env", c.env)
		if got.code != c.code || !strings.Contains(got.out+got.err, c.want) {
			t.Errorf("eval %s: exit %d, no %q in\n%s%s", c.expr, got.code, c.want, got.out, got.err)
		}
	}
	if got := lukhas(t, `{"now": 7}`, "eval", "now", "--env", "-", "-q"); got != (result{out: "7\n"}) {
		t.Errorf("from standard input: %+v", got)
	}
}

func TestEvalPointsIntoLines(t *testing.T) {
	line, before, under := caret("a &&\nüb.c", len("a &&\nü"), 3)
	if diff := cmp.Diff([]any{"üb.c", 1, 3}, []any{line, before, under}); diff != "" {
		t.Error(diff)
	}
}

func TestDoctor(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	gateway := small + "gateway:\n  - {name: public, listen: \"" + taken.Addr().String() + "\", routes: [{name: all, path: /, to: api, message: get}]}\n"
	dir := files(t, map[string]string{"good.yaml": small, "port.yaml": gateway, "bad.yaml": wrong, "file": ""})
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{filepath.Join(dir, "good.yaml")}, "shop is valid, 2 actors", 0},
		{[]string{filepath.Join(dir, "port.yaml")}, "listener public: listen tcp " + taken.Addr().String(), 1},
		{[]string{filepath.Join(dir, "bad.yaml")}, "lukhas-run validate", 1},
		{[]string{"--data", filepath.Join(dir, "file", "data")}, "is not a directory", 1},
		{[]string{"--data", filepath.Join(dir, "new", "data"), "-o", "json"}, `"text": "` + filepath.Join(dir, "new", "data") + " does not exist yet", 0},
	} {
		args := append([]string{"doctor", "--data", dir}, c.args...)
		if got := lukhas(t, "", args...); got.code != c.code || !strings.Contains(got.out, c.want) {
			t.Errorf("%v: exit %d, no %q in\n%s%s", c.args, got.code, c.want, got.out, got.err)
		}
	}
	d := doctor{}
	if c := d.clock(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)); c.Result != broken {
		t.Errorf("a clock in 1970: %+v", c)
	}
}

func TestDoctorSeesMounts(t *testing.T) {
	const mountinfo = "36 35 98:0 / / rw - ext4 /dev/sda rw\n40 36 98:0 /x /etc/my\\040spec.yaml rw - ext4 /dev/sda rw\n"
	if !mountedAt(strings.NewReader(mountinfo), "/etc/my spec.yaml") || mountedAt(strings.NewReader(mountinfo), "/etc") {
		t.Error("only the mounted file is a mount point")
	}
}

func TestManual(t *testing.T) {
	got := lukhas(t, "", "man", "plan")
	for _, want := range []string{".TH LUKHAS\\-RUN\\-PLAN 1", ".SH NAME", "\\-\\-detailed\\-exitcode", ".SH EXAMPLES"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
	dir := t.TempDir()
	if got := lukhas(t, "", "man", "--dir", dir); got.code != 0 {
		t.Errorf("%+v", got)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) != len(pageOf(newRoot()).all()) {
		t.Errorf("%d pages, %v", len(pages), err)
	}
	if got := roffText(".x\n'y\n-a\\b…"); got != "\\&.x\n\\&'y\n\\-a\\eb..." {
		t.Errorf("%q", got)
	}
}

func TestCompletionAndVersion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := lukhas(t, "", "completion", shell); got.code != 0 || !strings.Contains(got.out, "lukhas-run") {
			t.Errorf("%s: code %d", shell, got.code)
		}
	}
	if got := lukhas(t, "", "version"); got.code != 0 || !strings.Contains(got.out, "language lukhas/v1") {
		t.Errorf("%+v", got)
	}
	if got := lukhas(t, "", "version", "-o", "json"); !strings.Contains(got.out, `"language": "lukhas/v1"`) {
		t.Errorf("%+v", got)
	}
}

func TestGraph(t *testing.T) {
	const checkout = "../../examples/checkout.yaml"
	for _, c := range []struct{ format, want string }{
		{"mermaid", "flowchart LR"}, {"text", "flowchart LR"}, {"dot", `digraph "checkout"`}, {"svg", "<title>root/workers/resize"}, {"json", `"id": "root/workers/resize"`},
	} {
		if got := lukhas(t, "", "graph", checkout, "-o", c.format); got.code != 0 || !strings.Contains(got.out, c.want) {
			t.Errorf("%s: exit %d, %s", c.format, got.code, got.err)
		}
	}
	if got := lukhas(t, "", "graph", checkout, "-o", "png"); got.code != exitUsage || !strings.Contains(got.err, "mermaid, dot, svg, json") {
		t.Errorf("%+v", got)
	}
	if got := lukhas(t, wrong, "graph", "-"); got.code != 1 || !strings.Contains(got.err, "LR104") {
		t.Errorf("%+v", got)
	}
}
