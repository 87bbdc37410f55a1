package spec

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/internal/calm"
)

const header = "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: t}\n"

// tree is a valid topology's ending, on one line.
const tree = "root: {children: [{name: pool, script: {handlers: {}}}]}\n"

// findings loads and resolves one file and prints what was found, one a line.
func findings(t *testing.T, file, text string) string {
	t.Helper()
	return findingsWith(file, text, testOptions())
}

func findingsWith(file, text string, opts Options) string {
	set, diags := Parse(file, []byte(text), opts)
	if set.Topology != nil {
		_, more := Resolve(set, nil)
		diags = append(diags, more...).Sorted()
	}
	var lines []string
	for _, d := range diags {
		line := fmt.Sprintf("%s %d:%d %s", d.Code, d.Pos.Line, d.Pos.Col, d.Message)
		if d.Severity == Warning {
			line = "warning " + line
		}
		if d.Suggestion != "" {
			line += "; " + d.Suggestion
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// nastyFiles are whole files, numbered as the list of nasty specs numbers them.
var nastyFiles = []struct{ name, text, want string }{
	{"1 empty", "", "LR001 1:1 topology.yaml is empty; expected apiVersion and kind"},
	{"2 only comments", "# hi\n# there\n", "LR001 1:1 topology.yaml is empty; expected apiVersion and kind"},
	{"2 only a marker", "---\n", "LR001 1:1 topology.yaml is empty; expected apiVersion and kind"},
	{"3 list root", "- a\n", "LR002 1:1 expected a mapping at the top, found a list"},
	{"3 scalar root", "hello\n", "LR002 1:1 expected a mapping at the top, found text"},
	{"4 tab", "root:\n  a: 1\n\tb: 2\n", "LR003 3:1 tab used for indentation; use spaces"},
	{"5 quote", "a: 1\nname: \"foo\nb: 2\n", "LR004 2:7 string starting here is never closed"},
	{"5 quote closed by the next", "name: \"foo\nother: \"bar\"\n", "LR004 1:7 string starting here is never closed"},
	{"6 drift", "a:\n   x: 1\n  name: 2\n", `LR005 3:3 "name" is indented 2, siblings above are indented 3`},
	{"6 deeper", "a: 1\n   b: 2\n", `LR005 2:4 "b" is indented 3, siblings above are indented 0`},
	{"7 glued", "a:\n  failures:3\n  b: 2\n", `LR006 2:3 missing space after ":"`},
	{"7 glued last", "a:\n  b: 2\n  failures:3\n", `LR006 3:3 missing space after ":"`},
	{"8 utf-16", "\xff\xfea\x00:\x00", "LR007 1:1 file is UTF-16; save as UTF-8"},
	{"8 utf-16 without mark", "a\x00:\x00 \x001\x00", "LR007 1:1 file is UTF-16; save as UTF-8"},
	{"8 invalid", "a: 1\nb: 2\nc: 3\nd: \xff\n", "LR008 4:4 byte 0xFF at 4:4 is not UTF-8"},
	{"9 nul", "a: \x00\n", "LR009 1:4 control character U+0000"},
	{"9 old line ends", "a: 1\rb: 2\r", "LR009 1:5 line break U+000D; end lines with a newline"},
	{"9 line separator", "a: 1\u2028b: 2\n", "LR009 1:5 line break U+2028; end lines with a newline"},
	{"11 cyclic alias", header + "x-b: &b {c: 1}\npolicies: &p {breakers: *p}\n" + tree, `LR011 5:25 anchor "p" contains itself (line 5)`},
	{"11 self-merge", header + "policies: &b {<<: *b}\n" + tree, `LR011 4:19 anchor "b" contains itself (line 4)`},
	{"12 unknown anchor", "a: 1\nwhen: * x\nb: *x\n", `LR314 2:7 YAML reserves a leading "*"; quote the value`},
	{"12 unknown anchor", "kind: 1\nwhen: \t  *x\n", `LR012 2:10 unknown anchor "x"; if this is an expression, quote it`},
	{"13 flow", strings.Repeat("[", 20000), "LR013 1:201 nested deeper than 100"},
	{"13 block", strings.Repeat("- ", 20000), "LR013 1:401 nested deeper than 100"},
	{"13 mixed", strings.Repeat("{a: ", 20000), "LR013 1:1 nested deeper than 100"},
	{"13 walked", header + "root: {children: [{name: a, go: {behaviour: x, config: " + strings.Repeat("[", 150) + strings.Repeat("]", 150) + "}}]}\n",
		"LR013 4:151 nested deeper than 100"},
	{"15 second document", header + tree + "---\na: 1\n", "LR102 6:1 document 2 has no kind"},
	{"15 second document, a list", header + tree + "---\n- a\n", "LR102 6:1 document 2 has no kind"},
	{"15 garbage", header + tree + "...\ngarbage\n", "LR102 6:1 document 2 has no kind"},
	{"16 version", "apiVersion: lukhas/v2\nkind: Topology\n", `LR103 1:13 this binary knows lukhas/v1, not "lukhas/v2"; upgrade or run "fmt --to v1"`},
	{"16 kind", "apiVersion: lukhas/v1\nkind: Topolgy\n", `LR102 2:7 unknown kind "Topolgy"; one of Topology, Policy, Scenario; did you mean "Topology"?`},
	{"16 no kind", "apiVersion: lukhas/v1\nmetadata: {name: x}\n", "LR102 1:1 the document has no kind; add kind: Topology, Policy or Scenario"},
	{"30 duplicate name", header + "root:\n  children:\n    - {name: api, script: {}}\n    - {name: api, script: {}}\n", `LR202 7:14 actor "api" already defined at 6:14`},
	{"30 replica's name", header + "root:\n  children:\n    - {name: api, replicas: 2, script: {}}\n    - {name: api-1, script: {}}\n",
		`LR202 7:14 actor "api-1" already defined at topology.yaml:6:14`},
	{"30 upper case", header + "root: {children: [{name: Api, script: {}}]}\n", `LR201 4:26 names are lower case: "api"`},
	{"31 breaker", header + "policies: {breakers: {pool: {}}}\nroot: {children: [{name: a, script: {}, guard: {breaker: pol}}]}\n",
		`LR203 5:58 unknown breaker "pol"; did you mean "pool"?`},
	{"31 template", header + "templates: {worker: {script: {}}}\nroot: {children: [{name: a, use: wroker}, {name: b, use: worker}]}\n",
		`LR203 5:34 unknown template "wroker"; did you mean "worker"?`},
	{"32 template uses itself", header + "templates: {a: {use: b}, b: {use: a}}\nroot: {children: [{name: x, use: a, script: {}}]}\n",
		"LR204 4:35 template uses itself: a -> b -> a"},
	{"32 policy uses itself", header + "policies: {retries: {a: {use: b}, b: {use: a}}}\n" + tree, "LR204 4:44 retry policy uses itself: a -> b -> a"},
	{"32 unused template", header + "templates: {a: {script: {}}}\n" + tree, `warning LR205 4:13 template "a" is never used`},
	{"47 never closed", header + "gateway: [{name: a, listen: \"127.0.0.1:${PORT\"}]\n" + tree, `LR602 4:40 "${" is never closed; write "}" after the name, or "$${" for a literal "${"`},
	{"47 in a comment", header + "# ${NOPE}\n" + tree, ""},
	{"two topologies", header + tree + "---\n" + header + tree, `LR123 6:1 a second topology; "t" is the first`},
	{"reserved", header + "rules: [{name: a, when: x}]\nfoo: %x\n", `LR314 5:6 YAML reserves a leading "%"; quote the value`},
	{"49 target: *", "a: 1\ntarget: *\n", `LR314 2:9 YAML reserves a leading "*"; quote the value`},
	{"49 {x: a ?? b}", "{x: a ?? b}\n", `LR314 1:5 inside { } and [ ] YAML ends the value at "?"; quote it`},
	{"49 {p: /orders/{id}}", "{p: /orders/{id}}\n", `LR314 1:5 inside { } and [ ] YAML ends the value at "{"; quote it`},
	{"colon in a value", "a: b\nwhen: x ? a: b\n", `LR314 2:7 a value with ": " in it must be quoted`},
	{"13 a million values", "a: [" + strings.Repeat("a,", 1<<20) + "]\n", "LR018 1:1 more than 1048576 values in one file"},
	{"13 a million keys", strings.Repeat("a:\n", 1<<20+1), "LR018 1048577:1 more than 1048576 values in one file"},
	{"bom and crlf", "\ufeff" + strings.ReplaceAll(header+tree, "\n", "\r\n"), ""},
	{"no root", header, ""},
	{"unclosed flow", "a: [1, 2\nb: 3\n", "LR016 2:1 YAML: did not find expected ',' or ']'"},
}

func TestNastyFiles(t *testing.T) {
	for _, c := range nastyFiles {
		t.Run(c.name, func(t *testing.T) {
			if got := findings(t, "topology.yaml", c.text); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestNastyBreakers(t *testing.T) {
	data, err := os.ReadFile("testdata/nasty_breakers.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(data), "\n\n")[1:] {
		name, rest, _ := strings.Cut(strings.TrimSpace(block), "\n")
		text, want, _ := strings.Cut(rest, "\n=>")
		t.Run(name, func(t *testing.T) {
			document := header + "policies:\n  breakers:\n   payments:\n    " + text + "\nparams: {slow: 800ms}\n" + tree
			if got := findings(t, "topology.yaml", document); got != strings.TrimSpace(want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// mistakes are what newcomers write for an actor; each message leads to the fix.
var mistakes = []struct{ text, want string }{
	{"command: [a]", `LR105 5:18 "command" belongs under root.children.api.process`},
	{"url: http://x", `LR105 5:18 "url" belongs under root.children.api.upstream`},
	{"script: {}, timeout: 1s", `LR105 5:30 "timeout" belongs under ready, health or guard in root.children.api`},
	{"script: {}, breaker: {}", `LR105 5:30 "breaker" belongs under root.children.api.guard`},
	{"script: {}, capacity: 5", `LR105 5:30 "capacity" belongs under root.children.api.mailbox`},
	{"script: {}, max_retries: 3", `LR104 5:30 unknown field "max_retries" in root.children.api`},
	{"process: {command: python3 worker.py}", `LR106 5:37 expected a list, found text; did you mean [python3, worker.py]?`},
	{"script: {}, restart: always", `LR203 5:39 unknown restart policy "always"; did you mean {policy: always}?`},
	{"script: {}, upstream: {url: http://x}", `LR108 5:30 "script" and "upstream" exclude each other; keep one`},
	{"children: {worker: {}}", `LR106 5:28 expected a list, found a mapping; begin each with "- name: "`},
	{"script: {}, guard: {timeout: 500}", `LR113 5:47 add a unit: "500ms"`},
	{"script: {}, replicas: three", `LR110 5:40 whole number >= 1 expected, got "three"`},
	{"labels: {a: b}", `LR107 5:4 actor "api" needs one of children, process, upstream, script, go, consensus`},
	{"script: {handlers: {get: {calls: [{message: x}]}}}", `LR107 5:52 "to" is missing in root.children.api.script.handlers.get.calls.0; add to: database`},
	{"process: {cwd: /}", `LR107 5:18 "command" is missing in process`},
}

func TestMistakesOfNewcomers(t *testing.T) {
	for _, c := range mistakes {
		text := header + "root: {children: [\n   {name: api,   " + c.text + "}]}\n"
		if got := findings(t, "topology.yaml", text); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestMissingVariablesCanBeAllowed(t *testing.T) {
	text := header + "root: {children: [{name: a, process: {command: [\"${NOPE}\"]}, guard: {timeout: \"${NOPE}\"}}]}\n"
	want := "warning LR601 4:50 NOPE is not set; use ${NOPE:-default}\nwarning LR601 4:80 NOPE is not set; use ${NOPE:-default}"
	if got := findingsWith("t.yaml", text, Options{AllowMissingEnv: true}); got != want {
		t.Errorf("got %s", got)
	}
}

func TestADuplicateKeyNamesBothPlaces(t *testing.T) {
	text := header + "policies:\n  breakers:\n    a:\n      trip:\n        failures: 3\n        failures: 4\n" + tree
	want := `LR101 9:9 "failures" already set at 8:9`
	if got := findings(t, "topology.yaml", text); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAliasBombsAreRefusedFast(t *testing.T) {
	var b strings.Builder
	b.WriteString(header + "x-a: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "x-%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 8), i-1)
	}
	b.WriteString("root: {children: [{name: a, go: {behaviour: b, config: *a11}}]}\n")
	start := time.Now()
	if got := findings(t, "topology.yaml", b.String()); !strings.HasPrefix(got, "LR010 16:56 aliases expand to more than 100000 nodes") {
		t.Error(got)
	}
	if took := time.Since(start); took > calm.Long { // nobody lives to see the end of an expansion
		t.Error("took", took)
	}
}

func TestFilesThatAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo.yaml")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	fragment := "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: f}\n"
	write("sub/c.yaml", fragment+"include: [d.yaml]\n")
	write("sub/d.yaml", fragment+"include: [c.yaml]\n")
	write("more.yaml", fragment+"policies: {breakers: {x: {}}}\n")
	write("children.yaml", header+tree)
	for _, c := range []struct{ name, path, want string }{
		{"48 large", write("large.yaml", strings.Repeat("#\n", MaxFileSize/2+1)), "LR014 DIR/large.yaml: DIR/large.yaml is larger than 8 MiB"},
		{"48 fifo", fifo, "LR015 DIR/fifo.yaml: DIR/fifo.yaml is not a regular file"},
		{"48 directory", dir, "LR015 DIR: DIR is not a regular file"},
		{"48 missing", filepath.Join(dir, "nope.yaml"), "LR015 DIR/nope.yaml: no such file: DIR/nope.yaml"},
		{"35 cycle", write("a.yaml", header+"include: [sub/c.yaml]\n"+tree), "LR220 DIR/sub/d.yaml:4:11: c.yaml -> d.yaml -> c.yaml: files that include each other"},
		{"35 missing", write("m.yaml", header+"include: [gone.yaml]\n"+tree), "LR220 DIR/m.yaml:4:11: included file DIR/gone.yaml does not exist"},
		{"35 escapes", write("e.yaml", header+"include: [../x.yaml]\n"+tree), `LR220 DIR/e.yaml:4:11: "../x.yaml" leaves the directory of e.yaml; included files stand in it or below`},
		{"35 matches none", write("n.yaml", header+"include: [none/*.yaml]\n"+tree), `LR220 DIR/n.yaml:4:11: "none/*.yaml" matches no file`},
		{"35 brings actors", write("b.yaml", header+"include: [children.yaml]\n"+tree), "LR220 DIR/children.yaml:4:1: an included file brings no actors; move root to the including file"},
		{"30 defined twice", write("t.yaml", header+"include: [more.yaml]\npolicies: {breakers: {x: {}}}\n"+tree), `LR202 DIR/more.yaml:4:23: breaker "x" already defined at DIR/t.yaml:5:23`},
		{"include", write("i.yaml", header+"include: [more.yaml]\nroot: {children: [{name: a, script: {}, guard: {breaker: x}}]}\n"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, diags := Load(OS(), []string{c.path}, testOptions())
			if set.Topology != nil && !diags.HasErrors() {
				_, more := Resolve(set, nil)
				diags = append(diags, more...)
			}
			got := ""
			for _, d := range diags {
				got += d.Code + " " + d.Pos.String() + ": " + d.Message
			}
			if got = strings.ReplaceAll(got, dir, "DIR"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRenderShowsTheCaret(t *testing.T) {
	text := header + "policies:\n  breakers:\n    payments: {trip: {failurs: 5, error_rate: 50%}}\n" + tree
	set, diags := Parse("topology.yaml", []byte(text), testOptions())
	var out bytes.Buffer
	if err := Render(&out, diags, set.Files, false); err != nil {
		t.Fatal(err)
	}
	want := `error[LR104]: unknown field "failurs" in policies.breakers.payments.trip
 --> topology.yaml:6:23
  |
6 |     payments: {trip: {failurs: 5, error_rate: 50%}}
  |                       ^^^^^^^ did you mean "failures"?
  = help: lukhas-run explain LR104
1 error in 1 file
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
