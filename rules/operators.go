package rules

import (
	"math"
	"strings"

	"github.com/expr-lang/expr/vm/runtime"
)

// operate applies a function or one of our own operators to boxed arguments: the virtual machine's road. The closures
// take shorter ones that must agree.
func (p *Program) operate(operator string, args []any) any {
	switch operator {
	case "@read":
		return p.slots[int(args[1].(float64))].from.value(args[0].(*Env))
	case "@ask":
		a := &asking{env: args[0].(*Env), args: args[2:]}
		return p.asks[int(args[1].(float64))].value(a)
	case "@matches":
		return p.match(args[0], int(args[1].(float64)))
	case "@member":
		return member(args[0], args[1])
	case "@slice":
		return part(args[0], args[1], args[2])
	case "@index":
		return key(args[0])
	case "@flag":
		return flag(args[0])
	case "@number":
		return number(args[0])
	case "@text":
		return text(args[0])
	case "@list":
		return loopable(args[0], int(args[1].(float64)))
	}
	return operateTwo(operator, args)
}

func operateTwo(operator string, args []any) any {
	switch operator {
	case "@==":
		return equal(args[0], args[1])
	case "@<", "@<=", "@>", "@>=":
		return ordered(operator[1:], args[0], args[1])
	case "@+":
		return add(args[0], args[1])
	case "@-", "@*", "@/", "@%", "@**":
		return calculate(operator[1:], number(args[0]), number(args[1]))
	case "@in":
		return within(args[0], args[1])
	case "@contains", "@startsWith", "@endsWith":
		return affix(args[0], args[1], affixTest(operator[1:]))
	}
	f, _ := lookup(operator)
	return f.call(args)
}

func affixTest(operator string) func(string, string) bool {
	switch operator {
	case "contains":
		return strings.Contains
	case "startsWith":
		return strings.HasPrefix
	default:
		return strings.HasSuffix
	}
}

// match tests a text; an absent one matches nothing.
func (p *Program) match(v any, pattern int) bool {
	return v != nil && p.patterns[pattern].MatchString(text(v))
}

// part is a run of a list's items or a text's characters. Bounds beyond the ends are cut, negative ones count from the end.
func part(of, from, to any) any {
	switch x := of.(type) {
	case []any:
		a, b := bounds(from, to, len(x))
		return x[a:b]
	case string:
		characters := []rune(short(x))
		a, b := bounds(from, to, len(characters))
		return string(characters[a:b])
	}
	panic(fail("cannot take a part of %s", describe(of)))
}

func bounds(from, to any, length int) (a, b int) {
	a, b = 0, length
	if from != nil {
		a = bound(index(from), length)
	}
	if to != nil {
		b = bound(index(to), length)
	}
	return min(a, b), b
}

func bound(i, length int) int {
	if i < 0 {
		i += length
	}
	return max(0, min(i, length))
}

// key is what a computed member is looked up by: a name, or a number as a position.
func key(v any) any {
	if name, ok := v.(string); ok {
		return name
	}
	return index(v)
}

// index is a number as a position.
func index(v any) int {
	n := number(v)
	if n != math.Trunc(n) || math.Abs(n) > 1<<53 {
		panic(fail("index %v is not a whole number", n))
	}
	return int(n)
}

// loopable is a list short enough to walk.
func loopable(v any, limit int) any {
	if v == nil {
		return []any{}
	}
	l := list(v)
	if len(l) > limit {
		panic(fail("list of %d items is longer than %d", len(l), limit))
	}
	return l
}

// isNil tells whether `??` takes the other side.
func isNil(v any) bool { return runtime.IsNil(v) }
