package rules

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// Program is a checked expression. It is immutable and safe for concurrent use.
type Program struct {
	source   string
	reads    []string
	names    []NamedSubject
	slots    []slot
	asks     []field[asking]
	patterns []pattern
	code     code // fast closures, or the virtual machine behind one
	compiled bool // the closures cover the whole expression
}

// NamedSubject is a subject that an expression names by a literal, as in actor("api"); the compiler resolves it
// against the topology.
type NamedSubject struct {
	Function    string // actor, breaker, load, share.state or share.target
	Name        string
	Offset, Len int // of the literal, quotes included
}

// Source is the text the program was compiled from.
func (p *Program) Source() string { return p.source }

// Reads lists the fields the program reads, sorted: "actor.error_rate", "params.slow", `breaker("db").state`. The
// caller must not change it.
func (p *Program) Reads() []string { return p.reads }

// Names lists the subjects named by literals, in the order they stand. The caller must not change it.
func (p *Program) Names() []NamedSubject { return p.names }

// NeedsQuantiles tells whether the program reads a latency quantile, so that a histogram must be kept.
func (p *Program) NeedsQuantiles() bool {
	return slices.ContainsFunc(p.reads, func(path string) bool {
		last := path[strings.LastIndexByte(path, '.')+1:]
		return strings.HasSuffix(path, "latency") || strings.Contains(path, "latency.p") && strings.HasPrefix(last, "p")
	})
}

// Compiled tells whether the program runs as closures; otherwise it runs in the slower virtual machine.
func (p *Program) Compiled() bool { return p.compiled }

// Condition evaluates to true or false. On an error it is false.
func (p *Program) Condition(env *Env) (result bool, err error) {
	defer p.rescue(&err)
	if flag := p.code.flag; flag != nil {
		return flag(env), nil
	}
	return p.code.condition(env), nil
}

// Number evaluates to a finite number. On an error it is 0.
func (p *Program) Number(env *Env) (result float64, err error) {
	defer p.rescue(&err)
	return finite(p.code.number(env)), nil
}

// Text evaluates to text. On an error it is "".
func (p *Program) Text(env *Env) (result string, err error) {
	defer p.rescue(&err)
	return p.code.words(env), nil
}

// Value evaluates to a JSON-like value: nil, bool, a number, string, []any or map[string]any. It may share parts
// with the Env's values, so the caller must not change it. On an error it is nil.
func (p *Program) Value(env *Env) (result any, err error) {
	defer p.rescue(&err)
	v := p.code.value(env)
	if n, ok := v.(float64); ok {
		finite(n)
	}
	return v, nil
}

func finite(n float64) float64 {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		panic(failure{ErrNotNumber})
	}
	return n
}

// rescue turns what an evaluation panicked with into an error that names the expression. It is deferred directly.
func (p *Program) rescue(err *error) {
	switch r := recover().(type) {
	case nil:
	case failure:
		*err = fmt.Errorf("%q: %w", p.source, r.err)
	case error:
		*err = fmt.Errorf("%q: %w", p.source, r)
	default:
		*err = fmt.Errorf("%q: %v", p.source, r)
	}
}

// plain takes the virtual machine's excerpt of the source off an error: the source names it already.
func plain(err error) error {
	var f failure
	if errors.As(err, &f) {
		return f.err
	}
	var e *file.Error
	if errors.As(err, &e) {
		return errors.New(e.Message)
	}
	return err
}

// engines says what may run a program; tests compare the two.
type engines uint8

const (
	closuresFirst engines = iota
	machineOnly
)

// Compile checks text against what scope allows and what is wanted. The program is nil when a problem is not a
// warning; problems come in the order they stand. It never panics, and its time and memory are bounded by limits on
// the text and on the tree.
func Compile(text string, want Want, scope Scope) (*Program, []Problem) {
	return compileFor(closuresFirst, text, want, scope)
}

func compileFor(run engines, text string, want Want, scope Scope) (p *Program, problems []Problem) {
	defer func() {
		if r := recover(); r != nil {
			p = nil
			problems = []Problem{{Code: "LR319", Len: len(text), Message: fmt.Sprintf("cannot be compiled: %v", r)}}
		}
	}()
	c, root := parse(text, &scope)
	if root == nil {
		return nil, c.problems
	}
	of := c.check(root)
	c.wanted(want, root, of)
	c.unguarded()
	slices.SortStableFunc(c.problems, func(a, b Problem) int { return a.Offset - b.Offset })
	if slices.ContainsFunc(c.problems, func(p Problem) bool { return !p.Warning }) {
		return nil, c.problems
	}
	p = &Program{source: text, reads: sortedReads(c.reads), names: c.names, slots: c.slots, asks: c.asks, patterns: c.patterns}
	if err := p.prepare(run, of.node, c.source.text); err != nil {
		return nil, append(c.problems, Problem{Code: "LR319", Len: len(text), Message: "cannot be compiled: " + err.Error()})
	}
	return p, c.problems
}

// prepare gives the program what runs it.
func (p *Program) prepare(run engines, root ast.Node, source string) error {
	if run == closuresFirst {
		b := builder{p}
		if p.code, p.compiled = b.build(root); p.compiled {
			return nil
		}
	}
	m, err := newMachine(p, root, source)
	if err != nil {
		return plain(err)
	}
	p.code = code{any: m.run}
	return nil
}

func sortedReads(reads map[string]bool) []string {
	paths := make([]string, 0, len(reads))
	for path := range reads {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}
