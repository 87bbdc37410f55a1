package spec

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lukhasai/lukhas-run/internal/suggest"
)

// Load reads the documents at paths ("-" is standard input), their includes
// among them, walks and interpolates them. It returns everything it could read
// even when there are errors. Directories are not followed.
func Load(files FileSystem, paths []string, opts Options) (*Set, Diagnostics) {
	var diags Diagnostics
	l := &loader{files: files, opts: opts, set: &Set{opts: opts}, diags: &diags}
	for _, path := range paths {
		l.file(path, nil)
	}
	l.sortOut()
	return l.set, diags.Sorted()
}

// Parse loads one in-memory file. Includes are not followed.
func Parse(file string, data []byte, opts Options) (*Set, Diagnostics) {
	var diags Diagnostics
	l := &loader{opts: opts, set: &Set{opts: opts}, diags: &diags}
	l.bytes(file, data, nil)
	l.sortOut()
	return l.set, diags.Sorted()
}

// OS returns the operating system's files.
func OS() FileSystem { return osFiles{} }

type osFiles struct{}

func (osFiles) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }
func (osFiles) Glob(pattern string) ([]string, error) { return filepath.Glob(pattern) }
func (osFiles) ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFileSize+1))
}

// loader reads files into one Set.
type loader struct {
	files FileSystem // nil: includes are not followed
	opts  Options
	set   *Set
	diags *Diagnostics
	chain []string // files being included, outermost first
	read  map[string]bool
}

func (l *loader) errorf(code string, pos Pos, format string, args ...any) {
	*l.diags = append(*l.diags, Diagnostic{Code: code, Message: fmt.Sprintf(format, args...), Pos: pos})
}

// file reads one file; from is where an include names it.
func (l *loader) file(path string, from *Value) {
	if l.read[filepath.Clean(path)] && path != "-" {
		return
	}
	if l.read == nil {
		l.read = map[string]bool{}
	}
	l.read[filepath.Clean(path)] = true
	pos := Pos{File: path}
	if from != nil {
		pos = from.Pos
	}
	data, err := l.open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.errorf("LR015", pos, "no such file: %s", path)
	case errors.Is(err, errIrregular):
		l.errorf("LR015", pos, "%s is not a regular file", path)
	case errors.Is(err, errTooLarge), err == nil && len(data) > MaxFileSize:
		l.errorf("LR014", pos, "%s is larger than 8 MiB", path)
	case err != nil:
		l.errorf("LR015", pos, "cannot read %s: %v", path, reason(err))
	default:
		l.bytes(path, data, from)
	}
}

// reason strips the path that the message already names.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

var (
	errIrregular = errors.New("not a regular file")
	errTooLarge  = errors.New("larger than 8 MiB")
)

func (l *loader) open(path string) ([]byte, error) {
	if path == "-" {
		if l.opts.Stdin == nil {
			return nil, errors.New("no standard input")
		}
		return io.ReadAll(io.LimitReader(l.opts.Stdin, MaxFileSize+1))
	}
	info, err := l.files.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errIrregular
	case info.Size() > MaxFileSize:
		return nil, errTooLarge
	}
	return l.files.ReadFile(path)
}

// bytes parses one file's documents and follows their includes.
func (l *loader) bytes(path string, data []byte, from *Value) {
	l.set.Files = append(l.set.Files, File{Path: path, Data: data, SHA256: sha256.Sum256(data)})
	src := &source{name: path, data: bytes.TrimPrefix(data, []byte("\ufeff"))}
	roots, ok := l.roots(src)
	if !ok && len(roots) == 0 {
		return
	}
	written := slices.DeleteFunc(slices.Clone(roots), func(n *node) bool { return n == nil })
	if len(written) == 0 {
		l.errorf("LR001", Pos{File: path, Line: 1, Col: 1}, "%s is empty; expected apiVersion and kind", path)
		return
	}
	for i, root := range written {
		l.document(src, root, i+1, from)
	}
}

// roots parses a file's YAML after checking its bytes.
func (l *loader) roots(src *source) ([]*node, bool) {
	if len(src.data) > MaxFileSize {
		l.errorf("LR014", Pos{File: src.name}, "%s is larger than 8 MiB", src.name)
		return nil, false
	}
	if d := checkBytes(src); d != nil {
		*l.diags = append(*l.diags, *d)
		return nil, false
	}
	roots, err := parseYAML(src.data)
	if err != nil {
		*l.diags = append(*l.diags, explainSyntax(src, err, len(roots)))
	}
	return roots, err == nil
}

// checkBytes refuses what is no text, and nesting so deep that building the
// tree would be a waste.
func checkBytes(src *source) *Diagnostic {
	data := src.data
	if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) || looksUTF16(data) {
		return &Diagnostic{Code: "LR007", Pos: Pos{File: src.name, Line: 1, Col: 1}, Message: "file is UTF-16; save as UTF-8"}
	}
	line, col := 1, 1
	for i := 0; i < len(data); {
		r, size := rune(data[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(data[i:])
		}
		pos := Pos{File: src.name, Line: line, Col: col, Len: 1}
		switch {
		case r == utf8.RuneError && size == 1:
			return &Diagnostic{Code: "LR008", Pos: pos, Message: fmt.Sprintf("byte 0x%02X at %d:%d is not UTF-8", data[i], line, col)}
		case r == '\r' && !bytes.HasPrefix(data[i+1:], []byte("\n")), r == 0x85, r == 0x2028, r == 0x2029:
			return &Diagnostic{Code: "LR009", Pos: pos, Message: fmt.Sprintf("line break U+%04X; end lines with a newline", r)}
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r >= 0x7F && r < 0xA0:
			return &Diagnostic{Code: "LR009", Pos: pos, Message: fmt.Sprintf("control character U+%04X", r)}
		}
		if i += size; r == '\n' {
			line, col = line+1, 1
		} else {
			col++
		}
	}
	if line := crowdedLine(data); line > 0 {
		return &Diagnostic{Code: "LR018", Pos: Pos{File: src.name, Line: line, Col: 1, Len: 1}, Message: fmt.Sprintf("more than %d values in one file", maxValues)}
	}
	if deep := deepPlace(src); !deep.IsZero() {
		return &Diagnostic{Code: "LR013", Pos: deep, Message: fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	return nil
}

// crowdedLine is the first line past maxValues: a cheap upper guess of the
// nodes that YAML would build, from commas, colons and lines.
func crowdedLine(data []byte) int {
	values, line := 0, 0
	for text := range bytes.Lines(data) {
		line++
		if text = bytes.TrimLeft(text, " "); len(text) < 2 || text[0] == '#' {
			continue
		}
		if values += 1 + bytes.Count(text, []byte(",")) + bytes.Count(text, []byte(": ")); values > maxValues {
			return line
		}
	}
	return 0
}

// looksUTF16 recognises UTF-16 without a byte-order mark.
func looksUTF16(data []byte) bool {
	return len(data) >= 4 && (data[0] == 0 && data[2] == 0 || data[1] == 0 && data[3] == 0)
}

// deepPlace finds nesting that no bracket in text can explain: a run of more
// than maxDepth openings with nothing but openings between them.
func deepPlace(src *source) Pos {
	run, line, col := 0, 1, 0
	for i, c := range src.data {
		col++
		opens := c == '[' || c == '{' || c == '-' && i+1 < len(src.data) && src.data[i+1] == ' '
		switch {
		case opens:
			if run++; run > 2*maxDepth {
				return Pos{File: src.name, Line: line, Col: col, Len: 1}
			}
		case c == '\n':
			line, col, run = line+1, 0, 0
		case c != ' ':
			run = 0
		}
	}
	return Pos{}
}

func (l *loader) walker(src *source) *walker {
	return &walker{src: src, opts: &l.opts, lang: table(), diags: l.diags, secrets: &l.set.Secrets}
}

// document walks document number n of a file.
func (l *loader) document(src *source, root *node, n int, from *Value) {
	w := l.walker(src)
	if root.Kind != mappingNode {
		if n > 1 {
			l.errorf("LR102", w.pos(root), "document %d has no kind", n)
			return
		}
		l.errorf("LR002", w.pos(root), "expected a mapping at the top, found %s", kindName(root))
		return
	}
	kind, t := l.kind(w, root, n)
	if t == nil {
		return
	}
	if w.top = t; kind == KindPolicy {
		w.origin = &Origin{Layer: "policy document", Name: nameOf(root)}
	}
	v := w.value(root, t)
	if v == nil {
		return
	}
	metadata := v.Field("metadata")
	d := &Document{Kind: kind, Name: metadata.Field("name").Text(), File: src.name, Root: v, Labels: map[string]string{}}
	for _, label := range metadata.Field("labels").Entries() {
		d.Labels[label.Key] = label.Value.Text()
	}
	l.set.Documents = append(l.set.Documents, d)
	if from != nil && kind == KindTopology {
		l.set.Included = append(l.set.Included, d)
	}
	l.included(d, from)
}

// nameOf peeks at metadata.name.
func nameOf(root *node) string {
	metadata := valueOf(root, "metadata")
	if metadata == nil || metadata.Kind != mappingNode {
		return ""
	}
	if name := valueOf(metadata, "name"); name != nil {
		return name.Value
	}
	return ""
}

func valueOf(n *node, key string) *node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// kind finds out what a document is, before its table is known.
func (l *loader) kind(w *walker, root *node, n int) (Kind, *Type) {
	version, kind := valueOf(root, "apiVersion"), valueOf(root, "kind")
	kinds := map[string]*Type{string(KindTopology): w.lang.topology, string(KindPolicy): w.lang.policy, string(KindScenario): w.lang.scenario}
	names := []string{string(KindTopology), string(KindPolicy), string(KindScenario)}
	switch {
	case version != nil && version.Value != APIVersion && version.Kind == scalarNode:
		l.errorf("LR103", w.pos(version), "this binary knows %s, not %q; upgrade or run \"fmt --to v1\"", APIVersion, version.Value)
	case kind == nil && n > 1:
		l.errorf("LR102", w.pos(root), "document %d has no kind", n)
	case kind == nil:
		d := Diagnostic{Code: "LR102", Pos: w.pos(root), Message: "the document has no kind; add kind: Topology, Policy or Scenario"}
		if len(root.Content) > 0 {
			if near := suggest.Nearest(root.Content[0].Value, []string{"kind", "apiVersion"}); near != "" {
				d.Pos, d.Suggestion = w.pos(root.Content[0]), didYouMean(near)
			}
		}
		*l.diags = append(*l.diags, d)
	case kinds[kind.Value] == nil:
		d := Diagnostic{Code: "LR102", Pos: w.pos(kind), Message: fmt.Sprintf("unknown kind %q; one of Topology, Policy, Scenario", kind.Value)}
		if near := suggest.Nearest(kind.Value, names); near != "" {
			d.Suggestion = didYouMean(near)
		}
		*l.diags = append(*l.diags, d)
	default:
		return Kind(kind.Value), kinds[kind.Value]
	}
	return "", nil
}

// included reads what a topology includes.
func (l *loader) included(d *Document, from *Value) {
	if d.Kind != KindTopology {
		return
	}
	if from != nil && d.Root.Has("root") {
		l.errorf("LR220", d.Root.Field("root").KeyPos, "an included file brings no actors; move root to the including file")
	}
	if l.files == nil {
		return
	}
	for _, pattern := range d.Root.Field("include").Items() {
		l.include(d, pattern)
	}
}

func (l *loader) include(d *Document, pattern *Value) {
	text := pattern.Text()
	if !filepath.IsLocal(text) {
		l.errorf("LR220", pattern.Pos, "%q leaves the directory of %s; included files stand in it or below", text, filepath.Base(d.File))
		return
	}
	joined := filepath.Join(filepath.Dir(d.File), text)
	l.set.Watch = append(l.set.Watch, joined)
	matches, err := l.files.Glob(joined)
	switch {
	case err != nil:
		l.errorf("LR220", pattern.Pos, "%q is no pattern: %v", text, err)
		return
	case len(matches) == 0 && !strings.ContainsAny(text, "*?["):
		l.errorf("LR220", pattern.Pos, "included file %s does not exist", joined)
		return
	case len(matches) == 0:
		*l.diags = append(*l.diags, Diagnostic{Severity: Warning, Code: "LR220", Pos: pattern.Pos, Message: fmt.Sprintf("%q matches no file", text)})
	}
	l.chain = append(l.chain, filepath.Clean(d.File))
	defer func() { l.chain = l.chain[:len(l.chain)-1] }()
	slices.Sort(matches)
	for _, path := range matches {
		if at := slices.Index(l.chain, filepath.Clean(path)); at >= 0 {
			cycle := append(slices.Clone(l.chain[at:]), filepath.Clean(path))
			for i := range cycle {
				cycle[i] = filepath.Base(cycle[i])
			}
			l.errorf("LR220", pattern.Pos, "%s: files that include each other", strings.Join(cycle, " -> "))
			continue
		}
		l.file(path, pattern)
	}
}

// sortOut finds the topology, the policies and the scenarios of a set.
func (l *loader) sortOut() {
	for _, d := range l.set.Documents {
		switch {
		case d.Kind == KindPolicy:
			l.set.Policies = append(l.set.Policies, d)
		case d.Kind == KindScenario:
			l.set.Scenarios = append(l.set.Scenarios, d)
		case slices.Contains(l.set.Included, d):
		case l.set.Topology != nil:
			*l.diags = append(*l.diags, Diagnostic{Code: "LR123", Pos: d.Root.Pos,
				Message: fmt.Sprintf("a second topology; %q is the first", l.set.Topology.Name),
				Related: []Related{{l.set.Topology.Root.Pos, "the first one"}}})
		default:
			l.set.Topology = d
		}
	}
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
