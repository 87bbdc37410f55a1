package tidy

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// declarations: exported names are explained, functions fit a screen, there is no init and no package-level state.
func (s *source) declarations(rules Rules) []Finding {
	var found []Finding
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			found = append(found, s.function(d, rules)...)
		case *ast.GenDecl:
			found = append(found, s.group(d)...)
		}
	}
	return found
}

func (s *source) function(d *ast.FuncDecl, rules Rules) []Finding {
	if s.test {
		return nil // a table of cases may be long
	}
	var found []Finding
	from, to := s.fset.Position(d.Pos()).Line, s.fset.Position(d.End()).Line
	if lines := to - from + 1; lines > rules.MaxLines {
		found = append(found, s.at(d.Pos(), "length", "%s has %d lines, at most %d fit a screen", d.Name.Name, lines, rules.MaxLines))
	}
	if d.Name.Name == "init" && d.Recv == nil {
		found = append(found, s.at(d.Pos(), "init", "no init: nothing happens by being imported"))
	}
	if d.Name.IsExported() && d.Doc == nil && receiverExported(d) && s.file.Name.Name != "main" {
		found = append(found, s.at(d.Pos(), "doc", "exported %s has no doc comment", d.Name.Name))
	}
	return found
}

// receiverExported is true for plain functions and for methods of exported types.
func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch at := t.(type) {
		case *ast.StarExpr:
			t = at.X
		case *ast.IndexExpr:
			t = at.X
		case *ast.Ident:
			return at.IsExported()
		default:
			return false
		}
	}
}

func (s *source) group(d *ast.GenDecl) []Finding {
	if s.test {
		return nil
	}
	var found []Finding
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
				found = append(found, s.at(spec.Pos(), "doc", "exported %s has no doc comment", spec.Name.Name))
			}
		case *ast.ValueSpec:
			found = append(found, s.values(d, spec)...)
		}
	}
	return found
}

func (s *source) values(d *ast.GenDecl, spec *ast.ValueSpec) []Finding {
	var found []Finding
	for i, name := range spec.Names {
		if name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
			found = append(found, s.at(name.Pos(), "doc", "exported %s has no doc comment", name.Name))
		}
		if d.Tok == token.VAR && name.Name != "_" && !constant(d, spec, i) {
			found = append(found, s.at(name.Pos(), "state", "package-level variable %s: keep state in a value that somebody owns", name.Name))
		}
	}
	return found
}

// constant accepts what the language cannot call const but nobody changes: sentinel errors, compiled patterns, embedded
// files and tables. That nobody assigns to them is checked by bodies.
func constant(d *ast.GenDecl, spec *ast.ValueSpec, i int) bool {
	if i >= len(spec.Values) {
		return embedded(d.Doc) || embedded(spec.Doc)
	}
	switch v := spec.Values[i].(type) {
	case *ast.CompositeLit:
		return true
	case *ast.CallExpr:
		return slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer", "reflect.TypeFor", "reflect.TypeOf", "crc32.MakeTable", "sync.OnceValue", "sync.OnceValues"}, callee(v))
	case *ast.UnaryExpr:
		_, literal := v.X.(*ast.CompositeLit)
		return literal
	case *ast.FuncLit, *ast.BasicLit:
		return true
	}
	return false
}

func embedded(comments *ast.CommentGroup) bool {
	return comments != nil && slices.ContainsFunc(comments.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// callee names a called function as it is written: fmt.Errorf.
func callee(c *ast.CallExpr) string {
	fun := c.Fun
	if ix, ok := fun.(*ast.IndexExpr); ok {
		fun = ix.X
	}
	switch f := fun.(type) {
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	case *ast.Ident:
		return f.Name
	}
	return ""
}
