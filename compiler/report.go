package compiler

import (
	"fmt"

	"github.com/lukhasai/lukhas-run/internal/suggest"
	"github.com/lukhasai/lukhas-run/spec"
)

func (c *compiler) errorf(code string, pos spec.Pos, format string, args ...any) {
	c.report(spec.Diagnostic{Code: code, Pos: pos, Message: fmt.Sprintf(format, args...)})
}

func (c *compiler) warnf(code string, pos spec.Pos, format string, args ...any) {
	c.report(spec.Diagnostic{Severity: spec.Warning, Code: code, Pos: pos, Message: fmt.Sprintf(format, args...)})
}

// report keeps a finding. Definitions are shared by many actors, so the same one may come again; the list is sorted and
// cleared of repetitions at the end, and bounded here against a mistake in a template of 10,000 actors.
func (c *compiler) report(d spec.Diagnostic) {
	if len(c.diags) < maxFindings {
		c.diags = append(c.diags, d)
	}
}

const maxFindings = 20 * spec.MaxDiagnostics

// unknown reports a name that nothing has, with the nearest that something has.
func (c *compiler) unknown(code string, pos spec.Pos, what, name string, have []string) {
	d := spec.Diagnostic{Code: code, Pos: pos, Message: fmt.Sprintf("unknown %s %q", what, name)}
	if near := suggest.Nearest(name, have); near != "" {
		d.Suggestion = fmt.Sprintf("did you mean %q?", near)
	}
	c.report(d)
}

// at says where something stands, short when it is in the same file.
func at(from, there spec.Pos) string {
	if from.File == there.File {
		return fmt.Sprintf("%d:%d", there.Line, there.Col)
	}
	return there.String()
}
