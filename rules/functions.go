package rules

import (
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// function is a pure function that expressions may call. Its arguments come boxed; a number's closure form avoids
// that where it is hot.
type function struct {
	name     string
	takes    []Kind // the last one repeats when rest is set
	least    int    // arguments that must be there
	rest     bool
	gives    Kind
	lists    bool // walks a list, so it may not stand in a loop
	call     func(args []any) any
	ofNumber func(float64) float64 // the same for one number
}

// functions are the allowed builtins. Each is deterministic and its cost is bounded by the size of its arguments.
func functions() []function {
	return slices.Concat(numberFunctions(), textFunctions(), listFunctions(), conversions())
}

func lookup(name string) (function, bool) {
	all := functions()
	i := slices.IndexFunc(all, func(f function) bool { return f.name == name })
	if i < 0 {
		return function{}, false
	}
	return all[i], true
}

func ofNumber(name string, apply func(float64) float64) function {
	return function{name: name, takes: []Kind{NumberKind}, least: 1, gives: NumberKind, ofNumber: apply,
		call: func(args []any) any { return apply(number(args[0])) }}
}

func numberFunctions() []function {
	return []function{
		ofNumber("abs", math.Abs), ofNumber("ceil", math.Ceil), ofNumber("floor", math.Floor), ofNumber("round", math.Round),
		ofNumbers("max", slices.Max[[]float64]), ofNumbers("min", slices.Min[[]float64]),
		ofNumbers("mean", mean), ofNumbers("median", median),
	}
}

func ofNumbers(name string, fold func([]float64) float64) function {
	return function{name: name, takes: []Kind{AnyKind}, least: 1, rest: true, gives: NumberKind, lists: true,
		call: func(args []any) any { return fold(numbers(name, args)) }}
}

// numbers takes numbers, or lists of them, as one list. NaN is refused: it has no place in an order.
func numbers(name string, args []any) []float64 {
	var out []float64
	for _, arg := range args {
		list, isList := arg.([]any)
		if !isList {
			list = []any{arg}
		}
		for _, item := range list {
			n := number(item)
			if math.IsNaN(n) {
				panic(fail("%s of a value that is not a number", name))
			}
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		panic(fail("%s of nothing", name))
	}
	return out
}

func mean(of []float64) float64 {
	sum := 0.0
	for _, n := range of {
		sum += n
	}
	return sum / float64(len(of))
}

func median(of []float64) float64 {
	slices.Sort(of)
	middle := len(of) / 2
	if len(of)%2 == 1 {
		return of[middle]
	}
	return (of[middle-1] + of[middle]) / 2
}

func onText(name string, apply func(string) string) function {
	return function{name: name, takes: []Kind{TextKind}, least: 1, gives: TextKind,
		call: func(args []any) any { return apply(short(args[0])) }}
}

func onTexts(name string, gives Kind, apply func(a, b string) any) function {
	return function{name: name, takes: []Kind{TextKind, TextKind}, least: 2, gives: gives,
		call: func(args []any) any { return apply(short(args[0]), short(args[1])) }}
}

// short is v as a text that is within the limit for texts that functions work on.
func short(v any) string {
	s := text(v)
	if len(s) > maxText {
		panic(fail("text longer than %d bytes", maxText))
	}
	return s
}

func textFunctions() []function {
	return []function{
		onText("upper", strings.ToUpper), onText("lower", strings.ToLower), onText("trim", strings.TrimSpace),
		onTexts("trimPrefix", TextKind, func(a, b string) any { return strings.TrimPrefix(a, b) }),
		onTexts("trimSuffix", TextKind, func(a, b string) any { return strings.TrimSuffix(a, b) }),
		onTexts("hasPrefix", BoolKind, func(a, b string) any { return strings.HasPrefix(a, b) }),
		onTexts("hasSuffix", BoolKind, func(a, b string) any { return strings.HasSuffix(a, b) }),
		onTexts("indexOf", NumberKind, func(a, b string) any { return position(a, strings.Index(a, b)) }),
		onTexts("lastIndexOf", NumberKind, func(a, b string) any { return position(a, strings.LastIndex(a, b)) }),
		{name: "split", takes: []Kind{TextKind, TextKind}, least: 2, gives: ListKind, lists: true, call: split},
		{name: "join", takes: []Kind{ListKind, TextKind}, least: 1, gives: TextKind, lists: true, call: joinList},
		{name: "replace", takes: []Kind{TextKind, TextKind, TextKind}, least: 3, gives: TextKind, lists: true, call: replace},
	}
}

// position counts the characters before a byte offset; -1 stays.
func position(s string, at int) float64 {
	if at < 0 {
		return -1
	}
	return float64(utf8.RuneCountInString(s[:at]))
}

func split(args []any) any {
	parts := strings.Split(short(args[0]), short(args[1]))
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out
}

func joinList(args []any) any {
	var out strings.Builder
	for i, item := range list(args[0]) {
		if i > 0 && len(args) > 1 {
			out.WriteString(text(args[1]))
		}
		out.WriteString(text(item))
		if out.Len() > maxText {
			panic(fail("text longer than %d bytes", maxText))
		}
	}
	return out.String()
}

func replace(args []any) any {
	s, old, fresh := short(args[0]), text(args[1]), text(args[2])
	if grown := strings.Count(s, old) * (len(fresh) - len(old)); len(s)+grown > maxText {
		panic(fail("text longer than %d bytes", maxText))
	}
	return strings.ReplaceAll(s, old, fresh)
}

func list(v any) []any {
	l, ok := v.([]any)
	if !ok {
		panic(fail("list expected, got %s", describe(v)))
	}
	return l
}

func objectOf(v any) map[string]any {
	o, ok := v.(map[string]any)
	if !ok {
		panic(fail("object expected, got %s", describe(v)))
	}
	return o
}

func onList(name string, gives Kind, apply func([]any) any) function {
	return function{name: name, takes: []Kind{ListKind}, least: 1, gives: gives, lists: true,
		call: func(args []any) any { return apply(list(args[0])) }}
}

func listFunctions() []function {
	return []function{
		onList("first", AnyKind, func(l []any) any {
			if len(l) == 0 {
				return nil
			}
			return l[0]
		}),
		onList("last", AnyKind, func(l []any) any {
			if len(l) == 0 {
				return nil
			}
			return l[len(l)-1]
		}),
		onList("reverse", ListKind, func(l []any) any {
			out := slices.Clone(l)
			slices.Reverse(out)
			return out
		}),
		onList("sort", ListKind, sorted),
		{name: "take", takes: []Kind{ListKind, NumberKind}, least: 2, gives: ListKind, lists: true, call: take},
		{name: "concat", takes: []Kind{ListKind}, least: 1, rest: true, gives: ListKind, lists: true, call: concat},
		{name: "keys", takes: []Kind{ObjectKind}, least: 1, gives: ListKind, lists: true, call: keys},
		{name: "values", takes: []Kind{ObjectKind}, least: 1, gives: ListKind, lists: true, call: sortedValues},
	}
}

// sorted orders numbers or texts, equal ones as they stood.
func sorted(l []any) any {
	out := slices.Clone(l)
	sort.SliceStable(out, func(i, j int) bool { return ordered("<", out[i], out[j]) })
	return out
}

func take(args []any) any {
	l, n := list(args[0]), number(args[1])
	if !(n >= 0) {
		panic(fail("take %v: must be 0 or more", n))
	}
	return l[:int(min(n, float64(len(l))))]
}

func concat(args []any) any {
	out := []any{}
	for _, arg := range args {
		out = append(out, list(arg)...)
	}
	return out
}

func keys(args []any) any {
	out := []any{}
	for _, k := range slices.Sorted(maps.Keys(objectOf(args[0]))) {
		out = append(out, k)
	}
	return out
}

// sortedValues lists an object's values in the order of their names.
func sortedValues(args []any) any {
	object, out := objectOf(args[0]), []any{}
	for _, k := range slices.Sorted(maps.Keys(object)) {
		out = append(out, object[k])
	}
	return out
}

func conversions() []function {
	return []function{
		{name: "len", takes: []Kind{AnyKind}, least: 1, gives: NumberKind, call: length},
		{name: "int", takes: []Kind{AnyKind}, least: 1, gives: NumberKind, call: func(args []any) any {
			return math.Trunc(parseNumber(args[0]))
		}},
		{name: "float", takes: []Kind{AnyKind}, least: 1, gives: NumberKind, call: func(args []any) any {
			return parseNumber(args[0])
		}},
		{name: "string", takes: []Kind{AnyKind}, least: 1, gives: TextKind, call: func(args []any) any {
			return print(args[0])
		}},
		{name: "duration", takes: []Kind{TextKind}, least: 1, gives: NumberKind, call: func(args []any) any {
			seconds, err := parseDuration(text(args[0]))
			if err != nil {
				panic(failure{err})
			}
			return seconds
		}},
		{name: "hash", takes: []Kind{AnyKind}, least: 1, gives: NumberKind, call: func(args []any) any {
			return hash(args[0])
		}},
	}
}

// length counts a list's items, an object's names or a text's characters.
func length(args []any) any {
	switch x := args[0].(type) {
	case []any:
		return float64(len(x))
	case map[string]any:
		return float64(len(x))
	case string:
		return float64(utf8.RuneCountInString(x))
	}
	panic(fail("len of %s", describe(args[0])))
}

func parseNumber(v any) float64 {
	s, isText := v.(string)
	if !isText {
		return number(v)
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		panic(fail("%s is not a number", describe(v)))
	}
	return n
}

// print is the text of a number, a text or a truth value; whole numbers have no point.
func print(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case int:
		return strconv.Itoa(x)
	case int64:
		return strconv.FormatInt(x, 10)
	}
	return strconv.FormatFloat(number(v), 'f', -1, 64)
}

// hash maps equal values to the same whole number from 0 below 2^53, on every platform and in every run (FNV-1a over
// a tagged form, objects by sorted names).
func hash(v any) float64 {
	h := fnv.New64a()
	hashInto(v, func(tag byte, s string) {
		_, _ = h.Write([]byte{tag})
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	})
	return float64(h.Sum64() >> 11)
}

func hashInto(v any, write func(tag byte, s string)) {
	switch x := v.(type) {
	case nil:
		write('z', "")
	case string:
		write('s', x)
	case bool:
		write('b', strconv.FormatBool(x))
	case []any:
		write('[', strconv.Itoa(len(x)))
		for _, item := range x {
			hashInto(item, write)
		}
	case map[string]any:
		write('{', strconv.Itoa(len(x)))
		for _, k := range slices.Sorted(maps.Keys(x)) {
			write('k', k)
			hashInto(x[k], write)
		}
	default:
		write('n', strconv.FormatFloat(number(v)+0, 'g', -1, 64))
	}
}
