package spec

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// example completes an example of a code to a document.
func exampleDocument(code, text string) string {
	text += "\n"
	if strings.HasPrefix(code, "LR0") && code != "LR011" || strings.Contains(text, "apiVersion") {
		return text
	}
	kind := "Topology"
	head := "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: t}\n"
	switch {
	case strings.HasPrefix(text, "expires:"):
		kind = "Policy"
	case strings.HasPrefix(text, "timeline:"), strings.HasPrefix(text, "override:"):
		kind = "Scenario"
		text += "duration: 1m\n"
	case !strings.Contains(text, "root:"):
		text += tree
	}
	if strings.Contains(text, "metadata:") {
		head = "apiVersion: lukhas/v1\nkind: Topology\n"
	}
	return strings.Replace(head, "Topology", kind, 1) + text
}

// Codes of LR303 and up to LR320, but for a few, are found by the compiler, and
// so are some of LR2xx.
var compilersCodes = regexp.MustCompile(`^LR(208|21\d|22[1-9]|23\d|299|206|30[3-9]|31[0-25-9]|320|4\d\d)$`)

func TestExamplesOfCodesShowThem(t *testing.T) {
	for _, c := range Codes() {
		if c.Title == "" || c.Text == "" {
			t.Errorf("%s has no explanation", c.Code)
		}
		if c.Wrong != "" && !compilersCodes.MatchString(c.Code) {
			if got := findings(t, "x.yaml", exampleDocument(c.Code, c.Wrong)); !strings.Contains(got, c.Code+" ") && c.Code != "LR220" {
				t.Errorf("%s: the wrong example gives\n%s", c.Code, got)
			}
		}
		if c.Right != "" && c.Code != "LR315" {
			if got := findings(t, "x.yaml", exampleDocument(c.Code, c.Right)); strings.Contains(got, c.Code+" ") ||
				strings.Contains(got, "LR") && !strings.HasPrefix(c.Code, "LR0") {
				t.Errorf("%s: the right example gives\n%s", c.Code, got)
			}
		}
	}
}

// Every room's codes are in the table.
func TestEveryReportedCodeIsExplained(t *testing.T) {
	codes := regexp.MustCompile(`"(LR\d{3})"`)
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range codes.FindAllStringSubmatch(string(data), -1) {
			if _, ok := Explain(m[1]); !ok {
				t.Errorf("%s: %s is not in the table of codes", path, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
