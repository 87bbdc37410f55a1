package spec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The YAML library says little about syntax errors, and its lines are off by
// one. So when a file is known to be broken, this file looks for the usual
// mistakes itself and falls back to the library's words.

var errorLine = regexp.MustCompile(`line (\d+): `)

// explainSyntax turns a syntax error after `before` good documents into a
// Diagnostic with a place.
func explainSyntax(src *source, err error, before int) Diagnostic {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	near := 1
	if m := errorLine.FindStringSubmatch(message); m != nil {
		near, _ = strconv.Atoi(m[1])
		message = strings.Replace(message, m[0], "", 1)
	}
	s := &syntax{src: src, near: near, message: message, before: before}
	for _, look := range []func() *Diagnostic{s.depth, s.anchor, s.tabs, s.quote, s.trailing, s.tag, s.reserved, s.glued, s.flow, s.indent, s.inner} {
		if d := look(); d != nil {
			return *d
		}
	}
	return *s.at("LR016", min(near+1, max(1, strings.Count(string(src.data), "\n"))), 1, 1, "YAML: %s", message)
}

type syntax struct {
	src     *source
	near    int // the line that the library names; the mistake is there or one line later
	message string
	before  int // good documents before the broken one
}

func (s *syntax) at(code string, line, col, length int, format string, args ...any) *Diagnostic {
	return &Diagnostic{Code: code, Message: fmt.Sprintf(format, args...),
		Pos: Pos{File: s.src.name, Line: line, Col: col, Len: max(1, length)}}
}

func (s *syntax) says(text string) bool { return strings.Contains(s.message, text) }

// lines calls look for each line near the mistake.
func (s *syntax) around(look func(line int, text string) *Diagnostic) *Diagnostic {
	for line := max(1, s.near-1); line <= s.near+2; line++ {
		if d := look(line, s.src.line(line)); d != nil {
			return d
		}
	}
	return nil
}

func (s *syntax) count() int { return s.src.count() }

func (s *syntax) depth() *Diagnostic {
	if !s.says("max depth") {
		return nil
	}
	return s.at("LR013", s.near, 1, 1, "nested deeper than %d", maxDepth)
}

var unknownAnchor = regexp.MustCompile(`unknown anchor '([^']*)'`)

func (s *syntax) anchor() *Diagnostic {
	m := unknownAnchor.FindStringSubmatch(s.message)
	if m == nil {
		return nil
	}
	name := regexp.MustCompile(`(^|[\s\[{,:])\*` + regexp.QuoteMeta(m[1]) + `($|[\s\]},])`)
	for line := 1; line <= s.count(); line++ {
		text := s.src.line(line)
		if at := name.FindStringIndex(text); at != nil {
			col := utf8.RuneCountInString(text[:at[0]+strings.Index(text[at[0]:], "*")]) + 1
			return s.at("LR012", line, col, len(m[1])+1, "unknown anchor %q; if this is an expression, quote it", m[1])
		}
	}
	return s.at("LR012", s.near, 1, 1, "unknown anchor %q; if this is an expression, quote it", m[1])
}

func (s *syntax) tabs() *Diagnostic {
	if !s.says("cannot start any token") && !s.says("tab") {
		return nil
	}
	return s.around(func(line int, text string) *Diagnostic {
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if !strings.Contains(indent, "\t") {
			return nil
		}
		return s.at("LR003", line, strings.Index(indent, "\t")+1, 1, "tab used for indentation; use spaces")
	})
}

// quote finds a string that is never closed, or that swallowed a later line.
func (s *syntax) quote() *Diagnostic {
	line, col, quote := 0, 0, rune(0)
	for n := 1; n <= s.count(); n++ {
		text := []rune(s.src.line(n))
		if quote != 0 && keyLine.MatchString(string(text)) && n >= s.near-1 {
			break
		}
		for i := 0; i < len(text); i++ {
			c := text[i]
			switch {
			case quote == '"' && c == '\\', quote == '\'' && c == quote && i+1 < len(text) && text[i+1] == quote:
				i++
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '#' && (i == 0 || text[i-1] == ' '):
				i = len(text)
			case (c == '"' || c == '\'') && startsValue(text[:i]):
				line, col, quote = n, i+1, c
			}
		}
	}
	if quote == 0 {
		return nil
	}
	return s.at("LR004", line, col, len([]rune(s.src.line(line)))-col+1, "string starting here is never closed")
}

var keyLine = regexp.MustCompile(`^\s*(- )?[A-Za-z_][\w.-]*:(\s|$)`)

// startsValue reports whether a quote after before opens a string.
func startsValue(before []rune) bool {
	trimmed := strings.TrimRight(string(before), " ")
	if trimmed == "" {
		return true
	}
	last := trimmed[len(trimmed)-1]
	return strings.IndexByte("[{,", last) >= 0 || len(trimmed) < len(before) && strings.IndexByte(":-?", last) >= 0
}

// trailing finds text after the end of a document.
func (s *syntax) trailing() *Diagnostic {
	if !s.says("<document start>") {
		return nil
	}
	ended := false
	for line := 1; line <= s.count(); line++ {
		text := strings.TrimSpace(s.src.line(line))
		if ended && text != "" && text[0] != '#' {
			return s.at("LR102", line, 1, utf8.RuneCountInString(text), "document %d has no kind", s.before+1)
		}
		ended = ended && text != "---" || text == "..."
	}
	return nil
}

var star = regexp.MustCompile(`([:\[{,-]) +([*&!])(\s|$|[^\s\w])`)

var reservedValue = regexp.MustCompile("(:|-|^) +([%@`])")

var tagged = regexp.MustCompile(`[:\-\[{,] +(!\w[\w.]*)`)

// tag finds an expression that begins with ! and broke the YAML further on.
func (s *syntax) tag() *Diagnostic {
	if !s.says("whitespace or line break") && !s.says("alphabetic or numeric") && !s.says("',' or") {
		return nil
	}
	return s.around(func(line int, text string) *Diagnostic {
		m := tagged.FindStringSubmatchIndex(text)
		if m == nil {
			return nil
		}
		return s.at("LR301", line, utf8.RuneCountInString(text[:m[2]])+1, m[3]-m[2], "YAML read %q as a tag; quote the expression", text[m[2]:m[3]])
	})
}

// reserved finds values that begin with what YAML keeps for itself.
func (s *syntax) reserved() *Diagnostic {
	return s.around(func(line int, text string) *Diagnostic {
		for _, pattern := range []*regexp.Regexp{reservedValue, star} {
			if m := pattern.FindStringSubmatchIndex(text); m != nil && (s.says("cannot start any token") || s.says("alphabetic or numeric") || s.says("tag")) {
				return s.at("LR314", line, utf8.RuneCountInString(text[:m[4]])+1, 1, "YAML reserves a leading %q; quote the value", text[m[4]:m[5]])
			}
		}
		return nil
	})
}

var gluedLine = regexp.MustCompile(`^\s*(?:- )?([a-z_][a-z0-9_]*):(\S)`)

func (s *syntax) glued() *Diagnostic {
	return s.around(func(line int, text string) *Diagnostic {
		m := gluedLine.FindStringSubmatchIndex(text)
		if m == nil || strings.HasPrefix(text[m[3]:], "://") {
			return nil
		}
		return s.at("LR006", line, m[2]+1, m[3]-m[2]+1, `missing space after ":"`)
	})
}

var flowValue = regexp.MustCompile(`(?:: +|[\[{,] *)((?:[^\s"'\[\]{},?:]|:\S)(?:[^"'\[\]{},?:]|:\S)*)([?\[{])`)

// flow finds a plain value inside { } or [ ] with a character that ends it.
func (s *syntax) flow() *Diagnostic {
	if !s.says("',' or") {
		return nil
	}
	return s.around(func(line int, text string) *Diagnostic {
		m := flowValue.FindStringSubmatchIndex(text)
		if m == nil || strings.HasSuffix(strings.TrimRight(text[m[2]:m[3]], " "), ":") {
			return nil
		}
		return s.at("LR314", line, utf8.RuneCountInString(text[:m[2]])+1, utf8.RuneCountInString(text[m[2]:m[3]]),
			"inside { } and [ ] YAML ends the value at %q; quote it", text[m[4]:m[5]])
	})
}

// indent finds a key that stands beside none of the keys above it.
func (s *syntax) indent() *Diagnostic {
	if !s.says("did not find expected key") && !s.says("mapping values are not allowed") && !s.says("block") {
		return nil
	}
	var stack []int
	for line := 1; line <= s.near+2 && line <= s.count(); line++ {
		text := s.src.line(line)
		trimmed := strings.TrimLeft(text, " ")
		if trimmed == "" || trimmed[0] == '#' || strings.HasPrefix(trimmed, "- ") || !keyLine.MatchString(text) {
			continue
		}
		depth := len(text) - len(trimmed)
		above := -1
		for len(stack) > 0 && stack[len(stack)-1] > depth {
			above = stack[len(stack)-1]
			stack = stack[:len(stack)-1]
		}
		beside := len(stack) > 0 && stack[len(stack)-1] == depth
		opened := line > 1 && strings.HasSuffix(strings.TrimRight(s.before1(line), " "), ":")
		key := trimmed[:strings.Index(trimmed, ":")]
		switch {
		case above >= 0 && !beside && line >= s.near:
			return s.at("LR005", line, depth+1, len(key), "%q is indented %d, siblings above are indented %d", key, depth, above)
		case !beside && above < 0 && len(stack) > 0 && !opened && line >= s.near:
			return s.at("LR005", line, depth+1, len(key), "%q is indented %d, siblings above are indented %d", key, depth, stack[len(stack)-1])
		case !beside:
			stack = append(stack, depth)
		}
	}
	return nil
}

// before1 is the last line with content before line.
func (s *syntax) before1(line int) string {
	for line--; line >= 1; line-- {
		text, _, _ := strings.Cut(s.src.line(line), " #")
		if trimmed := strings.TrimSpace(text); trimmed != "" && trimmed[0] != '#' {
			return trimmed
		}
	}
	return ""
}

var secondColon = regexp.MustCompile(`^\s*(?:- )?[\w.-]+: +([^"'\[{|>#][^#]*: .*)$`)

// inner finds a plain value with ": " in it.
func (s *syntax) inner() *Diagnostic {
	if !s.says("mapping values are not allowed") {
		return nil
	}
	return s.around(func(line int, text string) *Diagnostic {
		m := secondColon.FindStringSubmatchIndex(text)
		if m == nil {
			return nil
		}
		return s.at("LR314", line, utf8.RuneCountInString(text[:m[2]])+1, utf8.RuneCountInString(text[m[2]:m[3]]), `a value with ": " in it must be quoted`)
	})
}
