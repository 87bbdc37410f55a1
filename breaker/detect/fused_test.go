package detect

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoProductIsFused: a compiler may fuse a product with a sum that uses it, even in a later statement, and arm64's does;
// the result is then rounded otherwise. A product of floats must stand in float64() or be a factor or dividend itself.
func TestNoProductIsFused(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	for _, at := range bareProducts(t, fset, parsed) {
		t.Errorf("%s: write float64(a*b)", fset.Position(at))
	}
}

func TestBareProductsAreSeen(t *testing.T) {
	for text, want := range map[string]int{
		"a*b + c": 1, "c - (a * b)": 1, "float64(a*b) + c": 0, "a + b": 0, "max(a*b, c)": 1, "float64(2*a*b) - c": 0, "a * b / c": 0, "2 * 3.5 + a": 0,
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "x.go", "package x\nfunc f(a, b, c float64, i int) (float64, int) { return "+text+", i*i }", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(bareProducts(t, fset, []*ast.File{f})); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

// bareProducts are the places of float products that could be fused.
func bareProducts(t *testing.T, fset *token.FileSet, files []*ast.File) []token.Pos {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	if _, err := config.Check("detect", fset, files, info); err != nil {
		t.Fatal(err)
	}
	var found []token.Pos
	for _, f := range files {
		var path []ast.Node
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				path = path[:len(path)-1]
				return true
			}
			if e, ok := n.(*ast.BinaryExpr); ok && e.Op == token.MUL && !guarded(path) {
				is := info.Types[e]
				basic, _ := is.Type.Underlying().(*types.Basic)
				if is.Value == nil && basic != nil && basic.Info()&types.IsFloat != 0 {
					found = append(found, n.Pos())
				}
			}
			path = append(path, n)
			return true
		})
	}
	return found
}

// guarded reports whether what encloses a product keeps it from being fused.
func guarded(path []ast.Node) bool {
	for i := len(path) - 1; i >= 0; i-- {
		switch n := path[i].(type) {
		case *ast.ParenExpr:
			continue
		case *ast.BinaryExpr:
			return n.Op == token.MUL || n.Op == token.QUO
		case *ast.CallExpr:
			name, ok := n.Fun.(*ast.Ident)
			return ok && name.Name == "float64"
		default:
			return false
		}
	}
	return false
}
