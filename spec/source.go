package spec

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// source is one file's bytes, kept so that a place inside a scalar can be found.
type source struct {
	name  string
	data  []byte
	text  string // data as a string, so that lines cost nothing; made with lines
	lines []int  // byte offset of each line's start, built on first use
}

// line returns line n (from 1) without its line break.
func (s *source) line(n int) string {
	if s.lines == nil {
		s.text = string(s.data)
		s.lines = append(make([]int, 0, bytes.Count(s.data, []byte("\n"))+1), 0)
		for i, c := range s.data {
			if c == '\n' {
				s.lines = append(s.lines, i+1)
			}
		}
	}
	if n < 1 || n > len(s.lines) {
		return ""
	}
	end := len(s.data)
	if n < len(s.lines) {
		end = s.lines[n] - 1
	}
	return strings.TrimSuffix(s.text[s.lines[n-1]:end], "\r")
}

// from returns the part of a line from column col (from 1, in runes) on.
func (s *source) from(line, col int) string {
	text := s.line(line)
	for ; col > 1 && text != ""; col-- {
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return text
}

// At returns the place of runes [offset, offset+length) of the expression's
// text in its file, whatever YAML style it was written in.
func (e Expr) At(offset, length int) Pos {
	pos := e.Pos
	pos.Len = length
	if e.source == nil || pos.Line == 0 {
		pos.Col += offset
		return pos
	}
	pos.Line, pos.Col = e.source.locate(e.Pos, e.Text, offset)
	return pos
}

// locate walks the scalar's source text beside its decoded text and returns
// where rune offset of the decoded text was written.
func (s *source) locate(start Pos, text string, offset int) (line, col int) {
	raw := s.from(start.Line, start.Col)
	switch {
	case strings.HasPrefix(raw, "|"), strings.HasPrefix(raw, ">"):
		return s.locateInBlock(start.Line+1, text, offset)
	case strings.HasPrefix(raw, `"`), strings.HasPrefix(raw, "'"):
		return s.locateInFlow(start, raw[:1], text, offset)
	}
	return s.locateInFlow(start, "", text, offset)
}

// locateInBlock finds a place in a block scalar whose first line is line.
func (s *source) locateInBlock(line int, text string, offset int) (int, int) {
	indent := len(s.line(line)) - len(strings.TrimLeft(s.line(line), " "))
	for row := range strings.SplitSeq(text, "\n") {
		n := utf8.RuneCountInString(row)
		if offset <= n {
			return line, indent + 1 + offset
		}
		offset -= n + 1
		line++
	}
	return line, indent + 1
}

// locateInFlow finds a place in a plain or quoted scalar, which may have
// escapes and may run over several lines.
func (s *source) locateInFlow(start Pos, quote, text string, offset int) (int, int) {
	line, col := start.Line, start.Col+len(quote)
	raw := s.from(line, col)
	for range offset {
		if strings.TrimLeft(raw, " \t") == "" && line < len(s.lines) { // a folded line break
			line++
			raw = strings.TrimLeft(s.line(line), " \t")
			col = utf8.RuneCountInString(s.line(line)) - utf8.RuneCountInString(raw) + 1
			continue
		}
		n := escapeLength(raw, quote)
		for range n {
			_, size := utf8.DecodeRuneInString(raw)
			raw = raw[size:]
		}
		col += n
	}
	return line, col
}

// escapeLength is the number of source runes of the next decoded rune.
func escapeLength(raw, quote string) int {
	switch {
	case quote == "'" && strings.HasPrefix(raw, "''"):
		return 2
	case quote != `"` || len(raw) < 2 || raw[0] != '\\':
		return 1
	}
	switch raw[1] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}
