package rules

import (
	"fmt"
	"math"
	"slices"

	"github.com/expr-lang/expr/vm/runtime"
)

// maxText bounds every text an expression makes, in bytes.
const maxText = 64 << 10

// failure carries a run-time error out of a closure; Program turns it back into an error. Nothing else catches it.
type failure struct{ err error }

// Error makes a failure survive the virtual machine, which keeps only errors.
func (f failure) Error() string { return f.err.Error() }

func fail(format string, args ...any) failure { return failure{fmt.Errorf(format, args...)} }

// toFloat is v as a number, of whatever Go type it came.
func toFloat(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case float32:
		return float64(n), true
	case int8, int16, int32, uint, uint8, uint16, uint32, uint64:
		return runtime.ToFloat64(n), true
	}
	return 0, false
}

func number(v any) float64 {
	n, ok := toFloat(v)
	if !ok {
		panic(fail("number expected, got %s", describe(v)))
	}
	return n
}

func text(v any) string {
	s, ok := v.(string)
	if !ok {
		panic(fail("text expected, got %s", describe(v)))
	}
	return s
}

func flag(v any) bool {
	b, ok := v.(bool)
	if !ok {
		panic(fail("true or false expected, got %s", describe(v)))
	}
	return b
}

// describe names a value in an error without quoting more of it than helps.
func describe(v any) string {
	switch x := v.(type) {
	case nil:
		return "nothing"
	case string:
		if len(x) > 40 {
			return "a text"
		}
		return fmt.Sprintf("text %q", x)
	case bool:
		return fmt.Sprint(x)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	if n, ok := toFloat(v); ok {
		return fmt.Sprintf("number %v", n)
	}
	return fmt.Sprintf("a %T", v)
}

// equal compares by value: numbers of any Go type as numbers, lists and objects by what is in them.
func equal(a, b any) bool {
	if x, ok := toFloat(a); ok {
		y, ok := toFloat(b)
		return ok && x == y
	}
	switch x := a.(type) {
	case nil:
		return runtime.IsNil(b)
	case string:
		y, ok := b.(string)
		return ok && x == y
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && equalObjects(x, y)
	}
	return runtime.Equal(a, b)
}

func equalObjects(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		w, there := b[k]
		if !there || !equal(v, w) {
			return false
		}
	}
	return true
}

// compare orders two numbers or two texts: negative, zero, positive. A NaN makes it unordered.
func compare(a, b any) (order int, ordered bool) {
	if x, ok := toFloat(a); ok {
		if y, ok := toFloat(b); ok {
			switch {
			case x < y:
				return -1, true
			case x > y:
				return 1, true
			}
			return 0, x == y
		}
	}
	x, isText := a.(string)
	y, isTextToo := b.(string)
	if !isText || !isTextToo {
		panic(fail("cannot compare %s with %s", describe(a), describe(b)))
	}
	switch {
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, true
}

// ordered applies one of < <= > >=.
func ordered(op string, a, b any) bool {
	order, ok := compare(a, b)
	if !ok {
		return false
	}
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

// calculate applies one of + - * / % **.
func calculate(op string, a, b float64) float64 {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return float64(a * b)
	case "/":
		return a / b
	case "%":
		return modulo(a, b)
	default:
		return math.Pow(a, b)
	}
}

// modulo is the remainder of whole numbers with the sign of a.
func modulo(a, b float64) float64 {
	if a != math.Trunc(a) || b != math.Trunc(b) || math.IsInf(a, 0) || math.IsInf(b, 0) {
		panic(fail("%% is modulo on whole numbers, got %v %% %v", a, b))
	}
	if b == 0 {
		panic(fail("%v %% 0 has no result", a))
	}
	return math.Mod(a, b)
}

// add adds numbers and joins texts.
func add(a, b any) any {
	if x, ok := a.(string); ok {
		return joinTexts(x, text(b))
	}
	return number(a) + number(b)
}

func joinTexts(a, b string) string {
	if len(a)+len(b) > maxText {
		panic(fail("text longer than %d bytes", maxText))
	}
	return a + b
}

// within tells whether a list holds an equal value, an object a name, or a text a part.
func within(v, in any) bool {
	switch x := in.(type) {
	case nil:
		return false
	case []any:
		return slices.ContainsFunc(x, func(item any) bool { return equal(item, v) })
	case map[string]any:
		_, there := x[text(v)]
		return there
	}
	return runtime.In(v, in)
}

// member reads a name of an object or an index of a list. An absent name reads as nil.
func member(of, name any) any {
	if object, ok := of.(map[string]any); ok {
		if key, ok := name.(string); ok {
			return object[key]
		}
	}
	if runtime.IsNil(of) {
		panic(fail("cannot read %v of nothing", name))
	}
	if index, ok := name.(float64); ok && index != math.Trunc(index) {
		panic(fail("index %v is not a whole number", index))
	}
	return runtime.Fetch(of, name)
}

// affix applies one of contains, startsWith and endsWith. As an absent text has no parts, nil is false.
func affix(a, b any, test func(string, string) bool) bool {
	if a == nil || b == nil {
		return false
	}
	return test(text(a), text(b))
}
