package scenario

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

// overlay is a file system with one file that is not there yet.
type overlay struct {
	spec.FileSystem
	path string
	text []byte
}

// Stat gives what is known of a file.
func (o overlay) Stat(path string) (fs.FileInfo, error) {
	if filepath.Clean(path) == filepath.Clean(o.path) {
		return unwritten{o}, nil
	}
	return o.FileSystem.Stat(path)
}

// ReadFile gives what is in a file.
func (o overlay) ReadFile(path string) ([]byte, error) {
	if filepath.Clean(path) == filepath.Clean(o.path) {
		return o.text, nil
	}
	return o.FileSystem.ReadFile(path)
}

// unwritten is what is known of the file that is not there yet.
type unwritten struct{ o overlay }

// Name implements fs.FileInfo.
func (u unwritten) Name() string { return filepath.Base(u.o.path) }

// Size implements fs.FileInfo.
func (u unwritten) Size() int64 { return int64(len(u.o.text)) }

// Mode implements fs.FileInfo.
func (unwritten) Mode() fs.FileMode { return 0o644 }

// ModTime implements fs.FileInfo.
func (unwritten) ModTime() time.Time { return time.Time{} }

// IsDir implements fs.FileInfo.
func (unwritten) IsDir() bool { return false }

// Sys implements fs.FileInfo.
func (unwritten) Sys() any { return nil }

// maxSettling bounds how many lines of a draft may be left out.
const maxSettling = 500

// Settle makes a draft compile that will stand in the file path: each line of its lists that does not fit the topology
// becomes a comment that says why. The result is laid out canonically. The scenario is nil when the rest does not compile,
// for the reasons in the diagnostics.
func Settle(path string, text []byte, opts spec.Options) (settled []byte, s *plan.Scenario, diags spec.Diagnostics) {
	for range maxSettling {
		laid, found := spec.Format(path, text)
		if found.HasErrors() {
			return text, nil, found
		}
		text = laid
		l := Load(overlay{spec.OS(), path, text}, path, opts, compiler.Options{})
		line, why := misfit(path, text, l)
		if line == 0 {
			if len(l.Scenarios) == 1 {
				s = l.Scenarios[0]
			}
			return text, s, l.Diagnostics
		}
		text = without(text, line, why)
	}
	return text, nil, spec.Diagnostics{{Code: "LR124", Pos: spec.Pos{File: path}, Message: "more than can be left out does not fit the topology"}}
}

// misfit finds a line that does not fit and may be left out; 0 when there is none.
func misfit(path string, text []byte, l *Loaded) (line int, why string) {
	for _, d := range l.Diagnostics {
		if d.Severity == spec.Error && d.Pos.File == path && optional(text, d.Pos.Line) {
			return d.Pos.Line, d.Code + " " + d.Message
		}
	}
	for _, s := range l.Scenarios {
		for i := range s.Steps {
			if r := s.Steps[i].Reload; r != nil && r.Plan == nil && optional(text, s.Steps[i].Place.Line) {
				return s.Steps[i].Place.Line, strings.Join(r.Problems, "; ")
			}
		}
	}
	return 0, ""
}

// optional tells whether a line is an entry of a list or mapping, or the key of one that has lost all its entries.
func optional(text []byte, line int) bool {
	lines := bytes.Split(text, []byte("\n"))
	if line < 1 || line > len(lines) {
		return false
	}
	own := lines[line-1]
	return bytes.HasPrefix(own, []byte("  ")) || bytes.HasSuffix(own, []byte(":"))
}

// without turns a line into a comment.
func without(text []byte, line int, why string) []byte {
	lines := bytes.Split(text, []byte("\n"))
	own := strings.TrimLeft(string(lines[line-1]), " ")
	lines[line-1] = fmt.Appendf(nil, "  # left out (%s): %s", comment(why), strings.TrimPrefix(own, "- "))
	return bytes.Join(lines, []byte("\n"))
}
