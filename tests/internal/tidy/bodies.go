package tidy

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// clockCalls read or wait on the machine's clock.
var clockCalls = []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker", "time.Tick"}

// randomSources give other numbers in every run, or are seeded by who runs them: a run has its own generators.
var randomSources = []string{"math/rand", "math/rand/v2", "crypto/rand"}

// bodies: goroutines have their rooms, the clock has its door, nothing happens in another order where order matters, and
// what is declared once at package level is not assigned again.
func (s *source) bodies(rules Rules) []Finding {
	var found []Finding
	vars := s.packageVars()
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if !s.covered(rules.Goroutines) {
				found = append(found, s.at(n.Pos(), "goroutine", "%s starts no goroutines", s.room))
			}
		case *ast.SelectorExpr:
			if name := selector(n); slices.Contains(clockCalls, name) && !s.covered(rules.Clocks) {
				found = append(found, s.at(n.Pos(), "clock", "%s may not use %s: take a clock or the time", s.room, name))
			}
		case *ast.FuncDecl:
			found = append(found, s.ordered(n, rules)...)
		case *ast.AssignStmt:
			found = append(found, s.assigned(n, vars)...)
		}
		return true
	})
	return found
}

// ordered: what a deterministic room does is the same in every run.
func (s *source) ordered(f *ast.FuncDecl, rules Rules) []Finding {
	var found []Finding
	if slices.Contains(rules.NoMapRange, s.room) {
		for _, pos := range s.peer.ranged(f) {
			found = append(found, s.at(pos, "maprange", "%s ranges over a map: its order is not the same twice", s.room))
		}
	}
	if s.test || !slices.Contains(rules.Repeatable, s.room) {
		return found
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectStmt:
			if races(n) && !slices.Contains(rules.Watchers, s.room+"."+f.Name.Name) {
				found = append(found, s.at(n.Pos(), "select", "%s selects between channels: which is taken is not the same twice", s.room))
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING && strings.Contains(n.Value, "%p") {
				found = append(found, s.at(n.Pos(), "address", "%s prints an address: it is not the same twice", s.room))
			}
		}
		return true
	})
	return found
}

// races is true of a select with more than one channel: with one and a default it is a try.
func races(n *ast.SelectStmt) bool {
	channels := 0
	for _, c := range n.Body.List {
		if c.(*ast.CommClause).Comm != nil {
			channels++
		}
	}
	return channels > 1
}

// random reports a source of randomness that a deterministic room imports.
func (s *source) random(spec *ast.ImportSpec, path string, rules Rules) []Finding {
	if s.test || !slices.Contains(rules.Repeatable, s.room) || !slices.Contains(randomSources, path) {
		return nil
	}
	return []Finding{s.at(spec.Pos(), "random", "%s imports %s: what it draws comes from the run's seed", s.room, path)}
}

// covered is true when the file's room is in the list or below one of it.
func (s *source) covered(rooms []string) bool {
	for at := s.room; ; at = pathDir(at) {
		if slices.Contains(rooms, at) {
			return true
		}
		if at == "." || at == pathDir(at) {
			return false
		}
	}
}

func selector(n *ast.SelectorExpr) string {
	if x, ok := n.X.(*ast.Ident); ok {
		return x.Name + "." + n.Sel.Name
	}
	return ""
}

// packageVars lists the file's package-level variables.
func (s *source) packageVars() []string {
	var names []string
	for _, d := range s.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			for _, n := range spec.(*ast.ValueSpec).Names {
				names = append(names, n.Name)
			}
		}
	}
	return names
}

// assigned reports a write to a package-level variable, its elements included.
func (s *source) assigned(n *ast.AssignStmt, vars []string) []Finding {
	if n.Tok == token.DEFINE {
		return nil
	}
	var found []Finding
	for _, left := range n.Lhs {
		if ix, ok := left.(*ast.IndexExpr); ok {
			left = ix.X
		}
		if id, ok := left.(*ast.Ident); ok && slices.Contains(vars, id.Name) && id.Name != "_" {
			found = append(found, s.at(n.Pos(), "state", "%s is package-level and assigned here", id.Name))
		}
	}
	return found
}

// maps knows, by name, which fields and package-level variables of a package are maps, and which names a function declares
// as what. It reads declarations only: a map that reaches a range through a call's result is not seen.
type maps struct {
	shared map[string]bool // fields and package-level variables; false where one of that name is no map
}

func mapsOf(files []*source) *maps {
	m := &maps{shared: map[string]bool{}}
	for _, s := range files {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if st, ok := n.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					note(m.shared, f.Names, f.Type)
				}
			}
			return true
		})
		for _, d := range s.file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, spec := range g.Specs {
					noteValue(m.shared, spec.(*ast.ValueSpec))
				}
			}
		}
	}
	return m
}

// note records names of a type; a name that is both a map and something else counts as something else.
func note(known map[string]bool, names []*ast.Ident, t ast.Expr) {
	_, isMap := t.(*ast.MapType)
	for _, n := range names {
		was, seen := known[n.Name]
		known[n.Name] = isMap && (was || !seen)
	}
}

func noteValue(known map[string]bool, spec *ast.ValueSpec) {
	for i, n := range spec.Names {
		t := spec.Type
		if t == nil && i < len(spec.Values) {
			t = typeOf(spec.Values[i])
		}
		note(known, []*ast.Ident{n}, t)
	}
}

// typeOf is the type a literal or make states, nil for anything else.
func typeOf(x ast.Expr) ast.Expr {
	switch x := x.(type) {
	case *ast.CompositeLit:
		return x.Type
	case *ast.CallExpr:
		if callee(x) == "make" && len(x.Args) > 0 {
			return x.Args[0]
		}
	}
	return nil
}

// ranged gives the places in a function where a map is ranged over.
func (m *maps) ranged(f *ast.FuncDecl) []token.Pos {
	local := map[string]bool{}
	for _, group := range []*ast.FieldList{f.Recv, f.Type.Params, f.Type.Results} {
		if group != nil {
			for _, field := range group.List {
				note(local, field.Names, field.Type)
			}
		}
	}
	var found []token.Pos
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			noteValue(local, n)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE && len(n.Lhs) == len(n.Rhs) {
				for i, left := range n.Lhs {
					if id, ok := left.(*ast.Ident); ok {
						note(local, []*ast.Ident{id}, typeOf(n.Rhs[i]))
					}
				}
			}
		case *ast.RangeStmt:
			if m.isMap(n.X, local) {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

func (m *maps) isMap(x ast.Expr, local map[string]bool) bool {
	switch x := x.(type) {
	case *ast.Ident:
		if isMap, ok := local[x.Name]; ok {
			return isMap
		}
		return m.shared[x.Name]
	case *ast.SelectorExpr:
		return m.shared[x.Sel.Name]
	}
	t, isMap := typeOf(x).(*ast.MapType)
	return isMap && t != nil
}
