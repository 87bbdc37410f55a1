package compiler_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/spec"
)

const header = "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: t}\n"

// with is a topology of one upstream `db`, one script `api` and whatever is added. Additions begin at line 10.
func with(lines ...string) string {
	return header + `root:
  children:
    - name: db
      upstream: http://127.0.0.1:1
    - name: api
      script: {handlers: {go: {reply: msg.id}}}
` + strings.Join(lines, "\n") + "\n"
}

// children is a topology of these children; the first line is line 6.
func children(lines ...string) string {
	return header + "root:\n  children:\n    " + strings.Join(lines, "\n    ") + "\n"
}

func brief(diags spec.Diagnostics) string {
	var out []string
	for _, d := range diags {
		line := fmt.Sprintf("%s %d:%d %s", d.Code, d.Pos.Line, d.Pos.Col, d.Message)
		if d.Severity == spec.Warning {
			line = "warning " + line
		}
		if d.Suggestion != "" {
			line += "; " + d.Suggestion
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestNastySpecs(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"31 unknown actor", with("gateway: [{name: g, listen: ':1', routes: [{name: r, path: /, to: dbb}]}]"),
			`LR203 10:66 unknown actor "dbb"; did you mean "db"?`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, diags := compile(t, c.text)
			if got := brief(diags); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestEveryReportedCodeIsExplained(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`"(LR\d{3})"`)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		data, err := os.ReadFile(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range codes.FindAllStringSubmatch(string(data), -1) {
			if _, ok := spec.Explain(m[1]); !ok {
				t.Errorf("%s: %s is not in the table of codes", entry.Name(), m[1])
			}
		}
	}
}
