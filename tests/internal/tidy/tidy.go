// Package tidy reads the project's source and reports where it breaks the house rules. It parses, it does not build:
// the whole project takes milliseconds.
package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Finding is one broken rule and where.
type Finding struct {
	Rule string // imports, door, goroutine, clock, state, init, length, doc, name, maprange
	File string
	Line int
	Text string
}

// String gives the finding as compilers do: file:line: text.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s [%s]", f.File, f.Line, f.Text, f.Rule)
}

// source is one parsed file on its way through the rules.
type source struct {
	fset *token.FileSet
	file *ast.File
	path string // relative to the module
	room string // "" when no room covers it
	test bool
	peer *maps // of the file's package: what is known to be a map
}

// Check reads every Go file of the module in dir, nested modules left out, and gives what breaks the rules.
func Check(dir string, rules Rules) ([]Finding, error) {
	packages, err := parse(dir, rules)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, files := range packages {
		known := mapsOf(files)
		for _, s := range files {
			s.peer = known
			found = append(found, s.check(rules)...)
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return found, nil
}

// parse groups the module's files by directory, directories in order.
func parse(dir string, rules Rules) ([][]*source, error) {
	byDir := map[string][]*source{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(dir, path, d.Name())
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		at := pathDir(rel)
		byDir[at] = append(byDir[at], &source{fset: fset, file: file, path: rel, room: roomOf(at, rules), test: strings.HasSuffix(rel, "_test.go")})
		return nil
	})
	dirs := make([][]*source, 0, len(byDir))
	for _, at := range sortedKeys(byDir) {
		dirs = append(dirs, byDir[at])
	}
	return dirs, err
}

// enter says which directories belong to the module's own source.
func enter(root, path, name string) error {
	if path == root {
		return nil
	}
	if name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
		return filepath.SkipDir // a nested module
	}
	return nil
}

func pathDir(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// roomOf is the nearest room that covers the directory, "" when none does.
func roomOf(dir string, rules Rules) string {
	for at := dir; ; at = pathDir(at) {
		if _, ok := rules.Imports[at]; ok {
			return at
		}
		if !strings.Contains(at, "/") {
			return ""
		}
	}
}

func (s *source) at(pos token.Pos, rule, format string, args ...any) Finding {
	return Finding{Rule: rule, File: s.path, Line: s.fset.Position(pos).Line, Text: fmt.Sprintf(format, args...)}
}

// check runs every rule over one file.
func (s *source) check(rules Rules) []Finding {
	found := s.names(rules)
	found = append(found, s.imports(rules)...)
	found = append(found, s.declarations(rules)...)
	if !s.test {
		found = append(found, s.bodies(rules)...)
	}
	return found
}

// names: no package is called after nothing, and every directory belongs to a room.
func (s *source) names(rules Rules) []Finding {
	var found []Finding
	if slices.Contains(rules.Banned, strings.TrimSuffix(s.file.Name.Name, "_test")) {
		found = append(found, s.at(s.file.Name.Pos(), "name", "package %s: say what it holds", s.file.Name.Name))
	}
	if s.room == "" {
		found = append(found, s.at(s.file.Name.Pos(), "imports", "no room covers this directory: a new room needs an ADR and a row in the table"))
	}
	return found
}

// imports: no arrow runs upward, and each outside library has one door. Tests may build anything together.
func (s *source) imports(rules Rules) []Finding {
	var found []Finding
	for _, spec := range s.file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if own, ok := strings.CutPrefix(path, rules.Module+"/"); ok {
			if to := roomOf(own, rules); !s.test && !s.mayImport(to, rules) {
				found = append(found, s.at(spec.Pos(), "imports", "%s may not import %s", s.room, own))
			}
			continue
		}
		if strings.Contains(strings.Split(path, "/")[0], ".") {
			found = append(found, s.door(spec, path, rules)...)
		}
		found = append(found, s.random(spec, path, rules)...)
	}
	return found
}

func (s *source) mayImport(room string, rules Rules) bool {
	allowed := rules.Imports[s.room]
	if room == s.room || room == "internal/suggest" || slices.Contains(allowed, everything) {
		return true
	}
	return slices.ContainsFunc(allowed, func(a string) bool { return room == a || strings.HasPrefix(room, a+"/") && a == "engine/actors" })
}

func (s *source) door(spec *ast.ImportSpec, path string, rules Rules) []Finding {
	for _, prefix := range sortedKeys(rules.Doors) {
		if path != prefix && !strings.HasPrefix(path, prefix+"/") {
			continue
		}
		rooms := rules.Doors[prefix]
		if s.test && !slices.Contains([]string{"gopkg.in/yaml.v3", "github.com/expr-lang/expr"}, prefix) || slices.Contains(rooms, s.room) {
			return nil
		}
		return []Finding{s.at(spec.Pos(), "door", "%s may not import %s, its door is %s", s.room, path, strings.Join(rooms, " or "))}
	}
	return []Finding{s.at(spec.Pos(), "door", "%s has no door: give it one in the table, with its reason", path)}
}
