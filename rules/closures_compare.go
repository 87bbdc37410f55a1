package rules

// same is left == right. A comparison with a literal, the most frequent form, gets a closure of its own.
func same(left, right code) func(*Env) bool {
	switch {
	case left.num != nil && right.num != nil:
		a, c := left.num, right.num
		if right.literal {
			v := c(nil)
			return func(e *Env) bool { return a(e) == v }
		}
		return func(e *Env) bool { return a(e) == c(e) }
	case left.text != nil && right.text != nil:
		a, c := left.text, right.text
		if right.literal {
			v := c(nil)
			return func(e *Env) bool { return a(e) == v }
		}
		return func(e *Env) bool { return a(e) == c(e) }
	case left.flag != nil && right.flag != nil:
		a, c := left.flag, right.flag
		return func(e *Env) bool { return a(e) == c(e) }
	}
	a, c := left.asAny(), right.asAny()
	if right.literal {
		v := c(nil)
		return func(e *Env) bool { return equal(a(e), v) }
	}
	return func(e *Env) bool { return equal(a(e), c(e)) }
}

// inOrder is left < right and its like.
func inOrder(operator string, left, right code) func(*Env) bool {
	switch {
	case left.num != nil && right.num != nil:
		return numbersInOrder(operator, left, right)
	case left.text != nil && right.text != nil:
		a, c := left.text, right.text
		return func(e *Env) bool { return textsInOrder(operator, a(e), c(e)) }
	case left.num == nil && left.text == nil && right.num != nil:
		return anyInOrder(operator, left.asAny(), right.num)
	case right.num == nil && right.text == nil && left.num != nil:
		return anyInOrder(mirrored(operator), right.asAny(), left.num)
	}
	a, c := left.asAny(), right.asAny()
	return func(e *Env) bool { return ordered(operator, a(e), c(e)) }
}

func numbersInOrder(operator string, left, right code) func(*Env) bool {
	a, c := left.num, right.num
	if right.literal {
		v := c(nil)
		switch operator {
		case "<":
			return func(e *Env) bool { return a(e) < v }
		case "<=":
			return func(e *Env) bool { return a(e) <= v }
		case ">":
			return func(e *Env) bool { return a(e) > v }
		default:
			return func(e *Env) bool { return a(e) >= v }
		}
	}
	switch operator {
	case "<":
		return func(e *Env) bool { return a(e) < c(e) }
	case "<=":
		return func(e *Env) bool { return a(e) <= c(e) }
	case ">":
		return func(e *Env) bool { return a(e) > c(e) }
	default:
		return func(e *Env) bool { return a(e) >= c(e) }
	}
}

func textsInOrder(operator, a, b string) bool {
	switch operator {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	default:
		return a >= b
	}
}

// anyInOrder compares a value that is mostly a number with a number, without boxing the latter.
func anyInOrder(operator string, left func(*Env) any, num func(*Env) float64) func(*Env) bool {
	return func(e *Env) bool {
		v := left(e)
		n, ok := toFloat(v)
		c := num(e)
		if !ok {
			return ordered(operator, v, c)
		}
		switch operator {
		case "<":
			return n < c
		case "<=":
			return n <= c
		case ">":
			return n > c
		default:
			return n >= c
		}
	}
}

// mirrored is the operator that says the same with its sides exchanged.
func mirrored(operator string) string {
	switch operator {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	default:
		return "<="
	}
}

func sum(operator string, a, b func(*Env) float64) func(*Env) float64 {
	switch operator {
	case "+":
		return func(e *Env) float64 { return a(e) + b(e) }
	case "-":
		return func(e *Env) float64 { return a(e) - b(e) }
	case "*":
		return func(e *Env) float64 { return float64(a(e) * b(e)) }
	case "/":
		return func(e *Env) float64 { return a(e) / b(e) }
	default:
		return func(e *Env) float64 { return calculate(operator, a(e), b(e)) }
	}
}

// asNumber reads the node as a number, testing at run time what is not known before.
func (c code) asNumber() func(*Env) float64 {
	if c.num != nil {
		return c.num
	}
	read := c.asAny()
	return func(e *Env) float64 {
		v := read(e)
		if n, ok := v.(float64); ok {
			return n
		}
		return number(v)
	}
}

func (c code) asText() func(*Env) string {
	if c.text != nil {
		return c.text
	}
	read := c.asAny()
	return func(e *Env) string { return text(read(e)) }
}

func (c code) asFlag() func(*Env) bool {
	if c.flag != nil {
		return c.flag
	}
	read := c.asAny()
	return func(e *Env) bool { return flag(read(e)) }
}

// asAny boxes what the node gives; a literal is boxed once.
func (c code) asAny() func(*Env) any {
	if c.literal {
		v := c.value(nil)
		return func(*Env) any { return v }
	}
	switch {
	case c.num != nil:
		read := c.num
		return func(e *Env) any { return read(e) }
	case c.text != nil:
		read := c.text
		return func(e *Env) any { return read(e) }
	case c.flag != nil:
		read := c.flag
		return func(e *Env) any { return read(e) }
	}
	return c.any
}

// value evaluates once and boxes the result.
func (c code) value(e *Env) any {
	switch {
	case c.num != nil:
		return c.num(e)
	case c.text != nil:
		return c.text(e)
	case c.flag != nil:
		return c.flag(e)
	}
	return c.any(e)
}

// condition evaluates once to true or false.
func (c code) condition(e *Env) bool {
	if c.flag != nil {
		return c.flag(e)
	}
	b, ok := c.value(e).(bool)
	if !ok {
		panic(failure{ErrNotCondition})
	}
	return b
}

// number evaluates once to a number.
func (c code) number(e *Env) float64 {
	if c.num != nil {
		return c.num(e)
	}
	n, ok := toFloat(c.value(e))
	if !ok {
		panic(failure{ErrNotNumber})
	}
	return n
}

// words evaluates once to text.
func (c code) words(e *Env) string {
	if c.text != nil {
		return c.text(e)
	}
	s, ok := c.value(e).(string)
	if !ok {
		panic(failure{ErrNotText})
	}
	return s
}
