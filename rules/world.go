package rules

import "github.com/expr-lang/expr/ast"

// asking is a call of a world function whose arguments are known at run time only.
type asking struct {
	env  *Env
	args []any
}

// texts are the arguments; a missing last one is "".
func (a *asking) texts() []string {
	out := make([]string, 2)
	for i, arg := range a.args {
		out[i] = text(arg)
	}
	return out
}

func worldOf(e *Env) World {
	if e.World == nil {
		panic(fail("there is no system to ask here"))
	}
	return e.World
}

// settled lists what a world function with these arguments gives.
func settled(label, function string, args []string) []field[Env] {
	args = append(append([]string{}, args...), "")
	return answers(label, function, func(e *Env) (*Env, []string) { return e, args })
}

// pending lists what a world function gives for arguments yet to come.
func pending(label, function string) []field[asking] {
	return answers(label, function, func(a *asking) (*Env, []string) { return a.env, a.texts() })
}

func answers[T any](label, function string, question func(*T) (*Env, []string)) []field[T] {
	switch function {
	case "actor":
		return nest(label, func(t *T) *Actor {
			env, args := question(t)
			return must(worldOf(env).Actor(args[0]), "actor", args)
		}, actorFields())
	case "breaker":
		return nest(label, func(t *T) *Breaker {
			env, args := question(t)
			return must(worldOf(env).Breaker(args[0], args[1]), "breaker", args)
		}, breakerFields())
	case "load":
		return nest(label, func(t *T) *Load {
			env, args := question(t)
			return must(worldOf(env).Load(args[0]), "load", args)
		}, loadFields())
	case "share":
		return []field[T]{{name: label, num: func(t *T) float64 {
			env, args := question(t)
			return worldOf(env).Share(args[0], args[1])
		}}}
	default:
		return []field[T]{{name: label, num: func(t *T) float64 {
			env, args := question(t)
			if env.Window == nil || env.Window.Class == nil {
				return 0
			}
			return env.Window.Class(args[0])
		}}}
	}
}

func must[T any](found *T, what string, args []string) *T {
	if found == nil {
		panic(fail("there is no %s %q", what, args[0]))
	}
	return found
}

// The subjects of an Env; an absent one reads as zero.
func actorOf(e *Env) Actor           { return orZero(e.Actor) }
func supervisorOf(e *Env) Supervisor { return orZero(e.Supervisor) }
func breakerOf(e *Env) Breaker       { return orZero(e.Breaker) }
func nodeOf(e *Env) Node             { return orZero(e.Node) }

func orZero[T any](t *T) T {
	if t == nil {
		var zero T
		return zero
	}
	return *t
}

// operatorOf is the name of the function or operator that a node calls.
func operatorOf(n *ast.CallNode) string {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return ""
	}
	return name.Value
}
