package spec

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Format lays a file out canonically: two spaces a level, lists indented below
// their key, one space after colons and dashes, no trailing blanks, at most one
// empty line in a row. Values that YAML misreads are quoted. Comments, quotes, flow collections and the order of keys
// stay as they are. It works on lines and moves whole blocks, then parses the
// result and compares it with the original, so it can never change the meaning.
// A file with YAML errors is returned as it is, with the findings.
func Format(file string, data []byte) ([]byte, Diagnostics) {
	var diags Diagnostics
	l := &loader{set: &Set{}, diags: &diags}
	clean := bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	src, roots, ok := l.mended(&source{name: file, data: clean})
	if !ok {
		return data, diags.Sorted()
	}
	f := &formatter{src: src, marks: map[int][]mark{}, raw: map[int]bool{}}
	for _, root := range roots {
		if root != nil {
			f.place(root, 0, -1)
		}
	}
	out := f.print()
	again, err := parseYAML(out)
	if err != nil || !sameNodes(roots, again) {
		diags = append(diags, Diagnostic{Severity: Warning, Code: "LR017", Pos: Pos{File: file, Line: 1, Col: 1},
			Message: "the file is laid out in a way that cannot be changed safely; left as it is"})
		return data, diags
	}
	return out, diags
}

// maxMended bounds how many values Format quotes in one file.
const maxMended = 100

// mended parses a file, quoting values that need it: an expression that begins
// with ! or * or has ": " in it, alone on its line behind its key.
func (l *loader) mended(src *source) (*source, []*node, bool) {
	for range maxMended {
		before := len(*l.diags)
		roots, ok := l.roots(src)
		var place Pos
		if ok {
			place = tagPlace(roots)
		} else if d := (*l.diags)[len(*l.diags)-1]; contains([]string{"LR012", "LR301", "LR314"}, d.Code) {
			place = d.Pos
		}
		fixed := src.quoted(place)
		if fixed == nil {
			return src, roots, ok
		}
		*l.diags = (*l.diags)[:before]
		src = fixed
	}
	roots, ok := l.roots(src)
	return src, roots, ok
}

// tagPlace is the first scalar with a tag of the author's own.
func tagPlace(nodes []*node) Pos {
	for _, n := range nodes {
		if n == nil {
			continue
		}
		if n.Kind == scalarNode && isCustomTag(n) {
			return Pos{Line: n.Line, Col: n.Column}
		}
		if place := tagPlace(n.Content); !place.IsZero() {
			return place
		}
	}
	return Pos{}
}

var valueLine = regexp.MustCompile(`^\s*(?:- )*[A-Za-z_][\w-]*: +$`)

// quoted returns the source with the value at place in single quotes, nil when
// the value is not the whole rest of a line. A comment behind it stays one.
func (s *source) quoted(place Pos) *source {
	rest := s.from(place.Line, place.Col)
	line := s.line(place.Line)
	if rest == "" || !valueLine.MatchString(line[:len(line)-len(rest)]) || strings.ContainsAny(rest[:1], "\"'|>[{#") {
		return nil
	}
	value, _, _ := strings.Cut(rest, " #")
	value = strings.TrimRight(value, " \t")
	at := s.lines[place.Line-1] + len(line) - len(rest)
	data := slices.Concat(s.data[:at], []byte("'"+strings.ReplaceAll(value, "'", "''")+"'"), s.data[at+len(value):])
	return &source{name: s.name, data: data}
}

// mark says that what begins a block element on a line moves to another column
// (both from 0, in runes).
type mark struct{ old, new int }

type formatter struct {
	src   *source
	marks map[int][]mark // by line, from left to right: dashes, then a key
	raw   map[int]bool   // lines inside block scalars and quoted strings
}

// place marks a block collection whose elements go to column indent. parent is
// the old column of what it belongs to.
func (f *formatter) place(n *node, indent, parent int) {
	switch {
	case n.Kind == scalarNode:
		f.keep(n, parent)
	case n.Style&flowStyle != 0:
		for _, inner := range n.Content {
			f.place(inner, indent, parent)
		}
	case n.Kind == mappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			f.mark(key.Line, key.Column-1, indent)
			f.place(n.Content[i+1], indent+2, key.Column-1)
		}
	case n.Kind == sequenceNode:
		dash := n.Column - 1
		for _, item := range n.Content {
			f.mark(f.dashLine(item.Line, dash), dash, indent)
			f.place(item, indent+2, dash)
		}
	}
}

func (f *formatter) mark(line, old, new int) {
	f.marks[line] = append(f.marks[line], mark{old, new})
}

// dashLine finds the line of the dash of an item that begins at line.
func (f *formatter) dashLine(line, dash int) int {
	for up := line; up > 0; up-- {
		if text := f.src.from(up, dash+1); strings.HasPrefix(text, "-") && strings.Trim(f.before(up, dash), " -") == "" {
			return up
		}
	}
	return line
}

// before is the part of a line before a column (from 0).
func (f *formatter) before(line, col int) string {
	text := f.src.line(line)
	return text[:len(text)-len(f.src.from(line, col+1))]
}

// keep marks the lines of a scalar whose blanks may matter.
func (f *formatter) keep(n *node, parent int) {
	text := f.src.from(n.Line, n.Column)
	switch {
	case strings.HasPrefix(text, "|"), strings.HasPrefix(text, ">"):
		for line := n.Line + 1; line <= f.src.count(); line++ {
			text := f.src.line(line)
			if blank := strings.TrimSpace(text) == ""; !blank && len(text)-len(strings.TrimLeft(text, " ")) <= parent {
				return
			}
			f.raw[line] = true
		}
	case strings.HasPrefix(text, `"`), strings.HasPrefix(text, "'"):
		for line := n.Line + 1; line <= f.quoteEnd(n); line++ {
			f.raw[line] = true
		}
	}
}

// quoteEnd is the line on which a quoted scalar closes.
func (f *formatter) quoteEnd(n *node) int {
	line, text := n.Line, f.src.from(n.Line, n.Column)
	quote := text[0]
	for text = text[1:]; ; text = text[1:] {
		for text == "" {
			if line++; line > f.src.count() {
				return n.Line
			}
			text = f.src.line(line)
		}
		switch {
		case quote == '"' && text[0] == '\\' && len(text) > 1, quote == '\'' && strings.HasPrefix(text, "''"):
			text = text[1:]
		case text[0] == quote:
			return line
		}
	}
}

// count is the number of lines.
func (s *source) count() int {
	s.line(1)
	return len(s.lines)
}

// print writes all lines at their new columns.
func (f *formatter) print() []byte {
	var out bytes.Buffer
	shift, blank := 0, true
	for line := 1; line <= f.src.count(); line++ {
		text := f.src.line(line)
		content := strings.TrimLeft(text, " \t")
		marks := f.usable(line)
		switch {
		case f.raw[line]:
			writeShifted(&out, text, shift)
			blank = false
			continue
		case strings.TrimSpace(content) == "":
			if !blank {
				out.WriteString("\n")
			}
			blank = true
			continue
		case strings.HasPrefix(text, "---"), strings.HasPrefix(text, "..."):
			shift = 0
			out.WriteString(strings.TrimRight(text, " \t"))
		case len(marks) > 0:
			last := marks[len(marks)-1]
			shift = last.new - last.old
			out.WriteString(strings.TrimRight(f.marked(line, marks), " \t"))
		case content[0] == '#':
			writeIndented(&out, content, f.commentColumn(line, len(text)-len(content), shift))
		default:
			writeIndented(&out, content, len(text)-len(content)+shift)
		}
		out.WriteString("\n")
		blank = false
	}
	return append(bytes.TrimRight(out.Bytes(), "\n"), '\n')
}

func writeIndented(out *bytes.Buffer, content string, indent int) {
	out.WriteString(strings.Repeat(" ", max(0, indent)))
	out.WriteString(strings.TrimRight(content, " \t"))
}

// writeShifted moves a line of a scalar; its other blanks are content.
func writeShifted(out *bytes.Buffer, text string, shift int) {
	switch {
	case shift > 0 && strings.TrimSpace(text) != "":
		out.WriteString(strings.Repeat(" ", shift))
	case shift < 0:
		lead := len(text) - len(strings.TrimLeft(text, " "))
		text = text[min(-shift, lead):]
	}
	out.WriteString(text)
	out.WriteString("\n")
}

// usable returns a line's marks if only dashes stand before and between them.
func (f *formatter) usable(line int) []mark {
	marks := f.marks[line]
	if len(marks) == 0 || strings.Trim(f.before(line, marks[len(marks)-1].old), " -") != "" || strings.TrimSpace(f.before(line, marks[0].old)) != "" {
		return nil
	}
	return marks
}

// marked lays out a line that begins with dashes or a key.
func (f *formatter) marked(line int, marks []mark) string {
	var b strings.Builder
	for i, m := range marks {
		b.WriteString(strings.Repeat(" ", max(0, m.new-b.Len())))
		if i < len(marks)-1 {
			b.WriteString("-")
		}
	}
	last := f.src.from(line, marks[len(marks)-1].old+1)
	if rest, found := strings.CutPrefix(last, "- "); found { // an item that is no block collection
		b.WriteString("- ")
		last = strings.TrimLeft(rest, " ")
	}
	return b.String() + oneSpace(last)
}

// oneSpace puts one space between a plain key's colon and its value.
func oneSpace(text string) string {
	at := strings.IndexByte(text, ':')
	if at <= 0 || !identPattern.MatchString(strings.ToLower(strings.ReplaceAll(text[:at], "-", "_"))) || !strings.HasPrefix(text[at+1:], "  ") {
		return text
	}
	value := strings.TrimLeft(text[at+1:], " ")
	if strings.HasPrefix(value, "#") {
		return text
	}
	return text[:at+1] + " " + value
}

// commentColumn puts a comment at the column of what follows it, or of what it
// stood below.
func (f *formatter) commentColumn(line, old, shift int) int {
	for next := line + 1; next <= f.src.count(); next++ {
		content := strings.TrimSpace(f.src.line(next))
		if content == "" || content[0] == '#' && !f.raw[next] {
			continue
		}
		if marks := f.usable(next); len(marks) > 0 && marks[0].old == old {
			return marks[0].new
		}
		break
	}
	for up := line - 1; up > 0; up-- {
		if strings.HasPrefix(f.src.line(up), "---") {
			break
		}
		for _, m := range f.usable(up) {
			if m.old == old {
				return m.new
			}
		}
	}
	return old + shift
}

// sameNodes reports whether two files say the same, comments apart.
func sameNodes(a, b []*node) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !sameNode(a[i], b[i]) {
			return false
		}
	}
	return true
}

func sameNode(a, b *node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.Tag == b.Tag && a.Value == b.Value && a.Anchor == b.Anchor && a.Style == b.Style && sameNodes(a.Content, b.Content)
}

// Diff returns a unified-looking list of the lines that differ between two
// texts, for `fmt --diff`. It is not minimal: it compares line by line after
// the common beginning and end.
func Diff(file string, old, new []byte) string {
	a, b := strings.SplitAfter(string(old), "\n"), strings.SplitAfter(string(new), "\n")
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	endA, endB := len(a), len(b)
	for endA > start && endB > start && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	if start == endA && start == endB {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s (formatted)\n@@ -%d,%d +%d,%d @@\n", file, file, start+1, endA-start, start+1, endB-start)
	for _, line := range a[start:endA] {
		out.WriteString("-" + strings.TrimRight(line, "\n") + "\n")
	}
	for _, line := range b[start:endB] {
		out.WriteString("+" + strings.TrimRight(line, "\n") + "\n")
	}
	return out.String()
}
