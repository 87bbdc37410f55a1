package rules

import (
	"reflect"
	"sync"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	exprcheck "github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// maxMemory bounds what the virtual machine may build in one run, in list items and map entries.
const maxMemory = 100_000

// machine runs a program in expr's virtual machine: the road for loops, optional chains and all else the closures do
// not cover. It is safe for concurrent use.
type machine struct {
	code *vm.Program
	pool sync.Pool // of *vm.VM: one for each evaluation under way
}

// newMachine compiles a checked tree. An error means that the grammar's own checker found what ours let pass.
func newMachine(p *Program, root ast.Node, source string) (*machine, error) {
	config := conf.CreateNew()
	config.WithEnv(types.Map{"@env": types.Any})
	config.MaxNodes = 0 // the tree was bounded when it was parsed and unfolded
	for _, name := range operatorsIn(root, map[string]bool{}) {
		config.Functions[name] = &builtin.Function{
			Name:  name,
			Func:  func(args ...any) (any, error) { return p.operate(name, args), nil },
			Types: []reflect.Type{reflect.TypeFor[func(...any) any]()},
		}
	}
	tree := &parser.Tree{Node: root, Source: file.NewSource(source)}
	if _, err := exprcheck.Check(tree, config); err != nil {
		return nil, err
	}
	code, err := compiler.Compile(tree, config)
	if err != nil {
		return nil, err
	}
	m := &machine{code: code}
	m.pool.New = func() any { return &vm.VM{MemoryBudget: maxMemory} }
	return m, nil
}

// operatorsIn lists the functions a checked tree calls, each once.
func operatorsIn(node ast.Node, seen map[string]bool) []string {
	var names []string
	if n, ok := node.(*ast.CallNode); ok {
		if name := operatorOf(n); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, child := range children(node) {
		if child != nil {
			names = append(names, operatorsIn(child, seen)...)
		}
	}
	return names
}

// run evaluates, or fails with what went wrong.
func (m *machine) run(env *Env) any {
	machine := m.pool.Get().(*vm.VM)
	defer m.pool.Put(machine)
	v, err := machine.Run(m.code, map[string]any{"@env": env})
	if err != nil {
		panic(failure{plain(err)})
	}
	return v
}
