package spec

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/internal/suggest"
)

// scalar is one YAML scalar on its way to a Value.
type scalar struct {
	text   string
	quoted bool
	plain  string // what plain YAML takes the text for: "int", "float", "bool", "time" or ""
	secret bool
}

// shown is the text as messages may print it.
func (s scalar) shown() string {
	if s.secret {
		return "***"
	}
	return s.text
}

// problem is what is wrong with one scalar.
type problem struct {
	code       string
	message    string
	suggestion string
}

func problemf(code, format string, args ...any) *problem {
	return &problem{code: code, message: fmt.Sprintf(format, args...)}
}

// parseScalar types s as t says. It never coerces: text that merely looks like
// another type is a problem with a way out.
func parseScalar(t *Type, s scalar) (*Value, *problem) {
	v := &Value{Type: t, Secret: s.secret, text: s.text, quoted: s.quoted}
	return v, v.parse(s)
}

func (v *Value) parse(s scalar) *problem {
	switch v.Type.Shape {
	case Text, Name, Ident, Target:
		return v.parseName(s)
	case Int:
		return v.parseInt(s)
	case Number:
		return v.parseNumber(s)
	case Ratio:
		return v.parseRatio(s)
	case Duration:
		return v.parseDuration(s)
	case Hold:
		return v.parseHold(s)
	case Moment:
		return v.parseMoment(s)
	case Size:
		return v.parseSize(s)
	case Rate:
		return v.parseRate(s)
	case Bool:
		return v.parseBool(s)
	case Time:
		return v.parseTime(s)
	case Enum:
		return v.parseEnum(s)
	case Literal, Any:
		return v.parseLiteral(s)
	}
	return nil // expressions are the compiler's
}

var (
	namePattern   = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	identPattern  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	targetPattern = regexp.MustCompile(`^(\*|[a-z*][a-z0-9*-]*)(/[a-z0-9*-]+)*(->[a-z][a-z0-9-]*(/[a-z0-9-]+)*)?$`)
	yesNoPattern  = regexp.MustCompile(`^(?i:yes|no|on|off|true|false)$`)
)

// maxName bounds names: they become labels, file names and host names.
const maxName = 63

func (v *Value) parseName(s scalar) *problem {
	what := "names are"
	if v.Type.Shape == Text {
		what = "this is"
	}
	if !s.quoted && (s.plain != "" || yesNoPattern.MatchString(s.text)) {
		return problemf("LR116", "%s text: quote %q", what, s.shown())
	}
	switch v.Type.Shape {
	case Name:
		return checkName(s, namePattern, `a letter, then a-z, 0-9 and "-"`)
	case Ident:
		return checkName(s, identPattern, `a letter, then a-z, 0-9 and "_"`)
	case Target:
		return checkTarget(s)
	}
	return nil
}

func checkName(s scalar, pattern *regexp.Regexp, rule string) *problem {
	switch lower := strings.ToLower(s.text); {
	case s.text == "":
		return problemf("LR115", "empty name")
	case len(s.text) > maxName:
		return problemf("LR201", "name of %d bytes; at most %d", len(s.text), maxName)
	case pattern.MatchString(s.text):
		return nil
	case pattern.MatchString(lower):
		return problemf("LR201", "names are lower case: %q", scalar{text: lower, secret: s.secret}.shown())
	default:
		p := problemf("LR201", "%q is not a name: %s", s.shown(), rule)
		for _, swap := range []string{"_", "-"} {
			if fixed := strings.NewReplacer("-", swap, "_", swap, " ", swap, ".", swap).Replace(lower); pattern.MatchString(fixed) && !s.secret {
				p.suggestion = didYouMean(fixed)
			}
		}
		return p
	}
}

func checkTarget(s scalar) *problem {
	switch {
	case s.text == "":
		return problemf("LR115", "empty name")
	case targetPattern.MatchString(s.text):
		return nil
	case targetPattern.MatchString(strings.ToLower(s.text)):
		return problemf("LR201", "names are lower case: %q", strings.ToLower(s.text))
	}
	return problemf("LR201", "%q is neither a name, a path such as root/workers/resize, nor a pattern such as root/workers/**", s.shown())
}

func (v *Value) parseInt(s scalar) *problem {
	text := s.text
	digits := strings.TrimLeft(text, "+-")
	switch {
	case s.quoted:
		return problemf("LR110", "%s expected, got text; remove the quotes", v.Type.wanted())
	case len(digits) > 1 && digits[0] == '0' && onlyDigits(digits):
		short := strings.TrimLeft(digits, "0")
		if short == "" {
			short = "0"
		}
		return problemf("LR110", "leading zero: write %s or 0o%s", short, short)
	}
	n, err := strconv.ParseInt(text, 0, 64)
	switch {
	case strings.Contains(text, "_") && err == nil:
		return problemf("LR110", "write %d", n)
	case strings.HasPrefix(text, "0b"):
		return problemf("LR110", "%s expected, got %q", v.Type.wanted(), s.shown())
	case err != nil:
		return v.notInt(s, err)
	case float64(n) < v.Type.Min:
		return problemf("LR110", "must be >= %s", bound(v.Type.Min))
	case v.Type.Max != 0 && float64(n) > v.Type.Max:
		return problemf("LR110", "must be <= %s", bound(v.Type.Max))
	}
	v.whole = n
	return nil
}

// notInt says why text is no whole number: too large, a fraction, or no number.
func (v *Value) notInt(s scalar, err error) *problem {
	if isRange(err) {
		return problemf("LR110", "too large")
	}
	f, ferr := strconv.ParseFloat(s.text, 64)
	switch {
	case isRange(ferr) || (ferr == nil && math.Abs(f) > math.MaxInt64 && !math.IsInf(f, 0)):
		return problemf("LR110", "too large")
	case ferr == nil && !math.IsNaN(f) && !math.IsInf(f, 0), notFinite(s.text):
		return problemf("LR110", "%s expected, got %s", v.Type.wanted(), s.shown())
	}
	return problemf("LR110", "%s expected, got %q", v.Type.wanted(), s.shown())
}

// wanted names a type with its least value: whole number >= 1.
func (t *Type) wanted() string {
	if t.Min > 0 && t.Shape == Int {
		return fmt.Sprintf("%s >= %s", t.Title, bound(t.Min))
	}
	return t.Title
}

func bound(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func isRange(err error) bool {
	n, ok := err.(*strconv.NumError)
	return ok && n.Err == strconv.ErrRange
}

func onlyDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func notFinite(s string) bool {
	s = strings.TrimLeft(strings.ToLower(s), "+-.")
	return s == "nan" || s == "inf"
}

// decimal parses a plain decimal number, refusing hex, underscores, inf and nan.
func decimal(text string) (float64, bool) {
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

func (v *Value) parseNumber(s scalar) *problem {
	f, ok := decimal(s.text)
	switch {
	case s.quoted:
		return problemf("LR111", "number expected, got text; remove the quotes")
	case notFinite(s.text), !ok && onlyDigits(strings.NewReplacer("e", "", "E", "", "+", "", "-", "", ".", "").Replace(s.text)):
		return problemf("LR111", "not a finite number")
	case !ok:
		return problemf("LR111", "number expected, got %q", s.shown())
	case f < v.Type.Min:
		return problemf("LR111", "must be >= %s", bound(v.Type.Min))
	}
	v.number = f
	return nil
}

func (v *Value) parseRatio(s scalar) *problem {
	text, percent := strings.CutSuffix(s.text, "%")
	f, ok := decimal(text)
	if percent {
		f /= 100
	}
	switch {
	case notFinite(text):
		return problemf("LR111", "not a finite number")
	case !ok:
		return problemf("LR114", "between 0 and 1, or 50%%, expected, got %q", s.shown())
	case f < 0 || f > 1:
		p := problemf("LR114", "between 0 and 1, or 50%%")
		if !percent && f > 1 && f <= 100 && !s.secret {
			p.suggestion = didYouMean(text + "%")
		}
		return p
	}
	v.number = f
	return nil
}

var durationUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond,
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// ParseDuration parses Go's duration grammar plus d (24 h) and w (7 d). Unlike
// Go's it refuses a number without unit, "0" included. It fails on overflow.
func ParseDuration(text string) (time.Duration, error) {
	rest, negative := strings.CutPrefix(text, "-")
	if rest == "" {
		return 0, fmt.Errorf("%q is not a duration", text)
	}
	var total float64
	var exact int64
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		number, err := strconv.ParseFloat(rest[:digits], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration", text)
		}
		unit := len(rest[digits:]) - len(strings.TrimLeft(rest[digits:], "nuµμmshdw"))
		size, ok := durationUnits[rest[digits:digits+unit]]
		if !ok {
			return 0, fmt.Errorf("%q is not a duration", text)
		}
		total += number * float64(size)
		if total > math.MaxInt64/2 {
			return 0, fmt.Errorf("%q is longer than 146 years", text)
		}
		exact += exactly(rest[:digits], number, size)
		rest = rest[digits+unit:]
	}
	if negative {
		exact = -exact
	}
	return time.Duration(exact), nil
}

// exactly multiplies without rounding where number is whole.
func exactly(digits string, number float64, unit time.Duration) int64 {
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return n * int64(unit)
	}
	return int64(math.Round(number * float64(unit)))
}

func (v *Value) parseDuration(s scalar) *problem {
	d, err := ParseDuration(s.text)
	switch {
	case err != nil && isBareNumber(s.text):
		return problemf("LR113", "add a unit: %q", withUnit(s))
	case err != nil && clockLike.MatchString(s.text):
		return problemf("LR113", "add a unit: %q", clockUnits(s.text))
	case err != nil && s.secret:
		return problemf("LR113", "not a duration")
	case err != nil:
		return problemf("LR113", "%s; write a number and a unit (ms, s, m, h, d, w)", err)
	case float64(d) < v.Type.Min:
		return problemf("LR113", "must be positive, not %q", s.shown())
	case v.Type.Max != 0 && float64(d) > v.Type.Max:
		return problemf("LR113", "%q is too long, at most %gd; write a shorter duration", s.shown(), v.Type.Max/float64(24*time.Hour))
	}
	v.whole = int64(d)
	return nil
}

var clockLike = regexp.MustCompile(`^\d+:\d\d$`)

func isBareNumber(text string) bool {
	_, ok := decimal(text)
	return ok
}

// withUnit guesses the unit that was meant: few are seconds, many milliseconds.
func withUnit(s scalar) string {
	if n, _ := decimal(s.text); n >= 100 {
		return s.shown() + "ms"
	}
	return s.shown() + "s"
}

func clockUnits(text string) string {
	minutes, seconds, _ := strings.Cut(text, ":")
	return minutes + "m" + strings.TrimPrefix(seconds, "0") + "s"
}

func (v *Value) parseHold(s scalar) *problem {
	hold, of, split := strings.Cut(s.text, " of ")
	if p := v.parseDuration(scalar{text: strings.TrimSpace(hold), secret: s.secret}); p != nil {
		return p
	}
	if v.of = v.whole; !split {
		return nil
	}
	window := &Value{Type: spanType}
	if p := window.parseDuration(scalar{text: strings.TrimSpace(of), secret: s.secret}); p != nil {
		return p
	}
	if v.of = window.whole; v.of < v.whole {
		return problemf("LR113", "%s is longer than %s", hold, of)
	}
	return nil
}

var momentPattern = regexp.MustCompile(`^(start|end|[a-z][a-z0-9_]*(?:\.start|\.end)?)(?:\s*\+\s*(\S+))?$`)

func (v *Value) parseMoment(s scalar) *problem {
	if d, err := ParseDuration(s.text); err == nil {
		v.text, v.whole = "start", int64(d)
		if d < 0 {
			return problemf("LR113", "must be positive, not %q", s.shown())
		}
		return nil
	}
	if isBareNumber(s.text) {
		return problemf("LR113", "add a unit: %q", withUnit(s))
	}
	m := momentPattern.FindStringSubmatch(s.text)
	if m == nil {
		return problemf("LR120", "%q is not a moment; write 3m, start, end, ID, ID.start or ID.end, and + 5s after it", s.shown())
	}
	v.text = m[1]
	if m[2] == "" {
		return nil
	}
	d, err := ParseDuration(m[2])
	if err != nil || d < 0 {
		return problemf("LR113", "%q is not a duration", m[2])
	}
	v.whole = int64(d)
	return nil
}

var sizeUnits = map[string]float64{
	"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

func (v *Value) parseSize(s scalar) *problem {
	digits := strings.TrimRight(s.text, "KMGTiB")
	n, ok := decimal(digits)
	unit, known := sizeUnits[s.text[len(digits):]]
	switch {
	case ok && digits == s.text:
		return problemf("LR117", "add a unit: %q", s.shown()+"KiB")
	case !ok || !known:
		return problemf("LR117", "%q is not a size; write a number and a unit (B, KiB, MiB, GiB, KB, MB, GB)", s.shown())
	case n*unit > math.MaxInt64/2:
		return problemf("LR117", "too large")
	case n*unit < v.Type.Min:
		return problemf("LR117", "must be positive, not %q", s.shown())
	}
	v.whole = int64(n * unit)
	return nil
}

func (v *Value) parseRate(s scalar) *problem {
	count, unit, split := strings.Cut(s.text, "/")
	n, ok := decimal(strings.TrimSpace(count))
	per, known := durationUnits[strings.TrimSpace(unit)]
	switch {
	case ok && !split:
		return problemf("LR118", "per what? write %q", s.shown()+"/s")
	case !ok || !known:
		return problemf("LR118", "%q is not a rate; write a number per unit of time: 200/s, 5/m", s.shown())
	case n < 0:
		return problemf("LR118", "must be positive, not %q", s.shown())
	case v.Type.Max != 0 && n/per.Seconds() > v.Type.Max:
		return problemf("LR118", "%q is too much, at most %s/s; write a lower rate", s.shown(), bound(v.Type.Max))
	}
	v.number = n / per.Seconds()
	return nil
}

func (v *Value) parseBool(s scalar) *problem {
	switch {
	case s.quoted:
		return problemf("LR112", "write true or false without quotes")
	case s.text == "true":
		v.whole = 1
	case s.text != "false":
		return problemf("LR112", "write true or false (%q is text in YAML 1.2)", s.shown())
	}
	return nil
}

func (v *Value) parseTime(s scalar) *problem {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(layout, s.text); err == nil {
			v.whole = at.UnixNano()
			return nil
		}
	}
	return problemf("LR119", "%q is not a time; write 2026-12-01T06:00:00Z", s.shown())
}

func (v *Value) parseEnum(s scalar) *problem {
	if contains(v.Type.Values, s.text) {
		return nil
	}
	p := problemf("LR109", "%q is not one of %s", s.shown(), strings.Join(v.Type.Values, ", "))
	if near := suggest.Nearest(s.text, v.Type.Values); near != "" && !s.secret {
		p.suggestion = didYouMean(near)
	}
	return p
}

// parseLiteral types a value by how it is written. Data (Any) knows only what
// JSON knows; a param may also be a duration, a ratio, a size or a rate.
func (v *Value) parseLiteral(s scalar) *problem {
	isParam := v.Type.Shape == Literal
	v.Type = textType
	if s.quoted {
		return nil
	}
	switch s.plain {
	case "bool":
		v.Type = boolType
		return v.parseBool(s)
	case "int":
		v.Type = signedInt
		return v.parseInt(s)
	case "float":
		v.Type = signedNumber
		return v.parseNumber(s)
	}
	if !isParam {
		return nil
	}
	for _, t := range []*Type{signedType, ratioType, sizeType, rateType} {
		if try, p := parseScalar(t, s); p == nil {
			*v = *try
			return nil
		}
	}
	return nil
}
