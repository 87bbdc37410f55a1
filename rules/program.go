package rules

import (
	"fmt"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// Program is a checked expression. It is immutable and safe for concurrent use.
type Program struct {
	source string
	want   Want
	reads  []string
	names  []NamedSubject
	code   *vm.Program
}

// NamedSubject is a subject that an expression names by a literal, as in actor("api"); the compiler resolves it
// against the topology.
type NamedSubject struct {
	Function    string // actor, breaker, load
	Name        string
	Offset, Len int // of the literal, quotes included
}

// Compile checks text against what scope allows and what is wanted. The program is nil when a problem is not a
// warning. It never panics and its time is bounded by the limits on text and tree.
func Compile(text string, want Want, scope Scope) (*Program, []Problem) {
	code, err := expr.Compile(text)
	if err != nil {
		return nil, []Problem{{Code: "LR306", Message: err.Error()}}
	}
	return &Program{source: text, want: want, code: code}, nil
}

// Source is the text the program was compiled from.
func (p *Program) Source() string { return p.source }

// Reads lists the fields the program reads, sorted: "actor.error_rate", "params.slow", `breaker("db").state`. The
// caller must not change it.
func (p *Program) Reads() []string { return p.reads }

// Names lists the subjects named by literals, in the order they stand. The caller must not change it.
func (p *Program) Names() []NamedSubject { return p.names }

// NeedsQuantiles tells whether the program reads a latency quantile, so that a histogram must be kept.
func (p *Program) NeedsQuantiles() bool { return false }

// Condition evaluates to true or false. On an error it is false.
func (p *Program) Condition(env *Env) (bool, error) {
	v, err := p.Value(env)
	b, ok := v.(bool)
	if err == nil && !ok {
		err = fmt.Errorf("%q: %w", p.source, ErrNotCondition)
	}
	return b, err
}

// Number evaluates to a finite number. On an error it is 0.
func (p *Program) Number(env *Env) (float64, error) {
	v, err := p.Value(env)
	n, ok := v.(float64)
	if err == nil && !ok {
		err = fmt.Errorf("%q: %w", p.source, ErrNotNumber)
	}
	return n, err
}

// Text evaluates to text. On an error it is "".
func (p *Program) Text(env *Env) (string, error) {
	v, err := p.Value(env)
	s, ok := v.(string)
	if err == nil && !ok {
		err = fmt.Errorf("%q: %w", p.source, ErrNotText)
	}
	return s, err
}

// Value evaluates to a JSON-like value: nil, bool, a number, string, []any or map[string]any. It may share parts
// with the Env's values, so the caller must not change it.
func (p *Program) Value(env *Env) (any, error) {
	return expr.Run(p.code, map[string]any{})
}
