package tidy

import (
	"go/ast"
	"go/token"
	"slices"
)

// clockCalls read or wait on the machine's clock.
var clockCalls = []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker", "time.Tick"}

// bodies: goroutines have their rooms, the clock has its door, maps are not ranged where order matters, and what is
// declared once at package level is not assigned again.
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
		case *ast.RangeStmt:
			if slices.Contains(rules.NoMapRange, s.room) && s.peer.isMap(n.X) {
				found = append(found, s.at(n.Pos(), "maprange", "%s ranges over a map: its order is not the same twice", s.room))
			}
		case *ast.AssignStmt:
			found = append(found, s.assigned(n, vars)...)
		}
		return true
	})
	return found
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

// maps knows, by name, which fields, variables and parameters of a package are maps. It reads declarations only, so a
// map that reaches a range through a call's result is not seen.
type maps struct{ names []string }

func mapsOf(files []*source) *maps {
	m := &maps{}
	for _, s := range files {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				m.add(n.Names, n.Type)
			case *ast.ValueSpec:
				m.add(n.Names, n.Type)
			case *ast.AssignStmt:
				m.made(n)
			}
			return true
		})
	}
	return m
}

func (m *maps) add(names []*ast.Ident, t ast.Expr) {
	if _, ok := t.(*ast.MapType); !ok {
		return
	}
	for _, n := range names {
		m.names = append(m.names, n.Name)
	}
}

// made notes x := make(map…) and x := map…{…}.
func (m *maps) made(n *ast.AssignStmt) {
	for i, right := range n.Rhs {
		if i >= len(n.Lhs) {
			return
		}
		var t ast.Expr
		switch r := right.(type) {
		case *ast.CompositeLit:
			t = r.Type
		case *ast.CallExpr:
			if callee(r) == "make" && len(r.Args) > 0 {
				t = r.Args[0]
			}
		}
		if id, ok := n.Lhs[i].(*ast.Ident); ok && t != nil {
			m.add([]*ast.Ident{id}, t)
		}
	}
}

func (m *maps) isMap(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return slices.Contains(m.names, x.Name)
	case *ast.SelectorExpr:
		return slices.Contains(m.names, x.Sel.Name)
	case *ast.CompositeLit:
		_, ok := x.Type.(*ast.MapType)
		return ok
	}
	return false
}
