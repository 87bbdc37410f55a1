package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/spec"
)

// gathered are the files that a verb's arguments name, directories followed.
type gathered struct {
	files   []gatheredFile
	notes   []string // what was left out, and why
	missing bool     // an argument names nothing
}

// gatheredFile is one file and the kinds of documents it says it holds; none when that cannot be seen at a glance.
type gatheredFile struct {
	path  string
	kinds []spec.Kind
	stdin []byte // of the path "-"
}

// reader gives the standard input again and again, nil when the file is on disk.
func (f gatheredFile) reader() io.Reader {
	if f.path != "-" {
		return nil
	}
	return &again{data: f.stdin}
}

// again reads the same bytes once more after each end, since several loads may ask for the standard input.
type again struct {
	data []byte
	at   int
}

// Read gives what is left, and begins anew after the end.
func (a *again) Read(p []byte) (int, error) {
	if a.at == len(a.data) {
		a.at = 0
		return 0, io.EOF
	}
	n := copy(p, a.data[a.at:])
	a.at += n
	return n, nil
}

func (f gatheredFile) has(kind spec.Kind) bool { return slices.Contains(f.kinds, kind) }

// gather finds the files. A file that is named is taken whatever it holds; below a directory those that are not of this
// language are left out with a note.
func gather(args []string, in io.Reader) (gathered, error) {
	var g gathered
	for _, arg := range args {
		if err := g.argument(arg, in); err != nil {
			return g, err
		}
	}
	return g, nil
}

func (g *gathered) argument(arg string, in io.Reader) error {
	if arg == "-" {
		data, err := io.ReadAll(io.LimitReader(in, spec.MaxFileSize+1))
		if err != nil {
			return exit{exitNoInput, fmt.Errorf("standard input: %w", err)}
		}
		g.add(gatheredFile{path: "-", kinds: kindsIn(data), stdin: data})
		return nil
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return g.directory(arg)
	case errors.Is(err, fs.ErrNotExist):
		g.missing = true
	}
	g.add(gatheredFile{path: filepath.Clean(arg), kinds: kindsOf(arg)})
	return nil
}

// add keeps a file once, under the name it was first given.
func (g *gathered) add(f gatheredFile) {
	same := func(have gatheredFile) bool { return filepath.Clean(have.path) == filepath.Clean(f.path) }
	if !slices.ContainsFunc(g.files, same) {
		g.files = append(g.files, f)
	}
}

func (g *gathered) directory(dir string) error {
	before, skipped := len(g.files), len(g.notes)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir(), filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".yml":
			return nil
		}
		data, version := peek(path)
		if !version {
			g.notes = append(g.notes, fmt.Sprintf("skipped %s: it has no line apiVersion: %s", path, spec.APIVersion))
			return nil
		}
		g.add(gatheredFile{path: path, kinds: kindsIn(data)})
		return nil
	})
	switch {
	case err != nil:
		return exit{exitNoInput, err}
	case len(g.files) == before && len(g.notes) == skipped:
		return exit{exitNoInput, fmt.Errorf("no *.yaml or *.yml below %s", dir)}
	}
	return nil
}

// peek reads a file of moderate size and says whether it claims to be of this language, of whatever version.
func peek(path string) (data []byte, ours bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > spec.MaxFileSize {
		return nil, true // the load says what is wrong
	}
	data, err = os.ReadFile(path)
	if err != nil {
		return nil, true
	}
	version := len(headerValues(data, "apiVersion", func(v string) bool { return strings.HasPrefix(v, "lukhas/") })) > 0
	return data, version
}

func kindsOf(path string) []spec.Kind {
	data, _ := peek(path)
	return kindsIn(data)
}

// kindsIn reads the kinds off the lines `kind: X`, without parsing what may be eight megabytes.
func kindsIn(data []byte) []spec.Kind {
	known := []spec.Kind{spec.KindTopology, spec.KindPolicy, spec.KindScenario}
	var kinds []spec.Kind
	for _, v := range headerValues(data, "kind", func(v string) bool { return slices.Contains(known, spec.Kind(v)) }) {
		kinds = append(kinds, spec.Kind(v))
	}
	return kinds
}

// headerValues lists the values of a key that stands at the start of a line, or first in a mapping in braces there.
func headerValues(data []byte, key string, want func(string) bool) []string {
	var out []string
	for rest := data; ; {
		at := bytes.Index(rest, []byte(key))
		if at < 0 {
			return out
		}
		line := rest[bytes.LastIndexByte(rest[:at], '\n')+1 : at]
		rest = rest[at+len(key):]
		if !atTop(line) {
			continue
		}
		value, ok := strings.CutPrefix(strings.TrimLeft(string(firstLine(rest)), `"'`), ":")
		if !ok {
			continue
		}
		value, _, _ = strings.Cut(strings.TrimLeft(value, " \"'"), ",")
		if value = strings.TrimRight(strings.SplitN(value, " ", 2)[0], "\"'}\r"); want(value) {
			out = append(out, value)
		}
	}
}

// atTop says whether a key behind this part of a line stands in the document's own mapping, or may do so.
func atTop(before []byte) bool {
	trimmed := bytes.Trim(bytes.TrimPrefix(before, []byte("\ufeff")), `"'`)
	return len(trimmed) == 0 || trimmed[0] == '{'
}

func firstLine(text []byte) []byte {
	if at := bytes.IndexByte(text, '\n'); at >= 0 {
		return text[:at]
	}
	return text
}
