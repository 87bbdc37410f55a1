package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rewritten is an expression's text with its duration literals turned into numbers of seconds, and the way back.
type rewritten struct {
	text  string
	moves []move // in order
}

// move says that text[from:to] of the rewritten text stands for original[origin:end].
type move struct {
	from, to, origin, end int
}

// span maps a byte range of the rewritten text to one of the original. A range that touches a literal covers it.
func (r *rewritten) span(from, to int) (start, end int) {
	return r.back(from, false), r.back(to, true)
}

func (r *rewritten) back(at int, closing bool) int {
	shift := 0
	for _, m := range r.moves {
		inside := at > m.from || (at == m.from && !closing)
		if inside && at < m.to || closing && at == m.to {
			if closing {
				return m.end
			}
			return m.origin
		}
		if at < m.to {
			break
		}
		shift = m.end - m.to
	}
	return at + shift
}

// rewriteDurations replaces the duration literals of text: "took > 1m30s" becomes "took > 90". Text inside quotes,
// comments and names is left alone. A number with letters behind it that is no number and no duration is a problem.
func rewriteDurations(text string) (rewritten, *Problem) {
	var out strings.Builder
	var moves []move
	copied := 0
	for i := 0; i < len(text); {
		end := skipOpaque(text, i)
		if end > i {
			i = end
			continue
		}
		if !startsNumber(text, i) {
			_, size := utf8.DecodeRuneInString(text[i:])
			i += size
			continue
		}
		end = numberEnd(text, i)
		word := text[i:end]
		if !isPlainNumber(word) {
			seconds, err := parseDuration(word)
			if err != nil {
				return rewritten{}, &Problem{Code: "LR308", Offset: i, Len: len(word), Message: err.Error(), Help: durationHelp}
			}
			out.WriteString(text[copied:i])
			from := out.Len()
			out.WriteString(strconv.FormatFloat(seconds, 'f', -1, 64))
			moves = append(moves, move{from: from, to: out.Len(), origin: i, end: end})
			copied = end
		}
		i = end
	}
	if moves == nil {
		return rewritten{text: text}, nil
	}
	out.WriteString(text[copied:])
	return rewritten{text: out.String(), moves: moves}, nil
}

const durationHelp = "write durations like 800ms, 1m30s or 5m"

// skipOpaque is the end of the quoted text, comment or name that starts at i, or i when none does.
func skipOpaque(text string, i int) int {
	switch c := text[i]; {
	case c == '"' || c == '\'':
		return quotedEnd(text, i+1, c)
	case c == '`':
		return rawEnd(text, i+1)
	case strings.HasPrefix(text[i:], "//"):
		if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
			return i + n + 1
		}
		return len(text)
	case strings.HasPrefix(text[i:], "/*"):
		if n := strings.Index(text[i+2:], "*/"); n >= 0 {
			return i + 2 + n + 2
		}
		return len(text)
	case isWordByte(c) && !isDigit(c):
		for i < len(text) && isWordByte(text[i]) {
			i++
		}
	}
	return i
}

func quotedEnd(text string, i int, quote byte) int {
	for ; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case quote:
			return i + 1
		}
	}
	return len(text)
}

// rawEnd is the end of a raw text: a doubled backtick stands for one and does not end it.
func rawEnd(text string, i int) int {
	for ; i < len(text); i++ {
		if text[i] != '`' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '`' {
			i++
			continue
		}
		return i + 1
	}
	return len(text)
}

// startsNumber tells whether a number starts at i: a digit, or a point with a digit behind it that is no member
// access.
func startsNumber(text string, i int) bool {
	if isDigit(text[i]) {
		return true
	}
	if text[i] != '.' || i+1 >= len(text) || !isDigit(text[i+1]) {
		return false
	}
	before := strings.TrimRight(text[:i], " \t\r\n")
	if before == "" {
		return true
	}
	last := before[len(before)-1]
	return !isWordByte(last) && last != ')' && last != ']' && last != '}' && last != '.' && last != '?'
}

// numberEnd is the end of the run of digits, letters and single points that starts at i, with an exponent's sign.
func numberEnd(text string, i int) int {
	start := i
	for i < len(text) {
		c := text[i]
		switch {
		case isWordByte(c):
		case c == '.' && i+1 < len(text) && (isDigit(text[i+1]) || !isWordByte(text[i+1]) && text[i+1] != '.'):
		case (c == '+' || c == '-') && i > start && isExponent(text[start:i]):
		default:
			return i
		}
		i++
	}
	return i
}

// isExponent tells whether word is digits that end in e, so that a sign may follow.
func isExponent(word string) bool {
	last := len(word) - 1
	return last > 0 && (word[last] == 'e' || word[last] == 'E') && strings.Trim(word[:last], "0123456789_.") == ""
}

// isPlainNumber tells whether word is a number as the expression grammar has it.
func isPlainNumber(word string) bool {
	plain := strings.ReplaceAll(word, "_", "")
	if strings.Trim(plain, "0123456789.") == "" {
		return true
	}
	if len(plain) > 1 && plain[0] == '0' && strings.ContainsRune("xXoObB", rune(plain[1])) {
		_, err := strconv.ParseInt(plain, 0, 64)
		return err == nil
	}
	if strings.Trim(plain, "0123456789.eE+-") != "" {
		return false
	}
	_, err := strconv.ParseFloat(plain, 64)
	return err == nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isWordByte tells whether c may stand in a name. Bytes beyond ASCII count, so that a name is never split.
func isWordByte(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '$' || c >= utf8.RuneSelf
}

// parseDuration reads text like 1h30m, 1.5s or 2d as seconds.
func parseDuration(text string) (float64, error) {
	total := 0.0
	for rest := text; rest != "" || text == ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		n, err := strconv.ParseFloat(rest[:digits], 64)
		if err != nil {
			return 0, notDuration(text)
		}
		rest = rest[digits:]
		letters := strings.IndexFunc(rest, func(r rune) bool { return r == '.' || '0' <= r && r <= '9' })
		if letters < 0 {
			letters = len(rest)
		}
		seconds, known := inSeconds(n, rest[:letters])
		if !known {
			return 0, notDuration(text)
		}
		total += seconds
		rest = rest[letters:]
	}
	if math.IsInf(total, 0) {
		return 0, notDuration(text)
	}
	return total, nil
}

func notDuration(text string) error { return fmt.Errorf("%q is not a duration", text) }

// inSeconds divides where it can: 800/1000 is the nearest float to 0.8, 800*0.001 need not be.
func inSeconds(n float64, unit string) (seconds float64, known bool) {
	switch unit {
	case "ns":
		return n / 1e9, true
	case "us", "µs", "μs":
		return n / 1e6, true
	case "ms":
		return n / 1e3, true
	case "s":
		return n, true
	case "m":
		return n * 60, true
	case "h":
		return n * 3600, true
	case "d":
		return n * 86400, true
	case "w":
		return n * 604800, true
	}
	return 0, false
}
