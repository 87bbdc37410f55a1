package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/lukhasai/lukhas-run/engine/scenario"
)

// goldenFile is where the traces of a file's scenarios are kept: beside it.
func goldenFile(file string) string { return strings.TrimSuffix(file, filepath.Ext(file)) + ".trace" }

// readGoldens finds the trace that each case must have, if any.
func (t *testRun) readGoldens() error {
	read := map[string][]scenario.Golden{}
	for _, c := range t.cases {
		path := goldenFile(c.file)
		if c.file == "-" {
			continue
		}
		if _, known := read[path]; !known {
			text, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			all, err := scenario.ParseGoldens(string(text))
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			read[path] = all
		}
		at := slices.IndexFunc(read[path], func(g scenario.Golden) bool { return g.Name == c.spec.Name })
		if at >= 0 {
			c.golden = &read[path][at]
		}
	}
	return nil
}

// traced tells whether a case's trace is wanted: it is compared with one, or written.
func (t *testRun) traced(c *testCase) bool { return c.golden != nil || t.update || t.timeline != "" }

// compareGoldens notes which runs went another way than their trace says. With another seed or order they may.
func (t *testRun) compareGoldens() {
	for _, c := range t.cases {
		if c.golden == nil || t.update || c.err != nil || t.shuffle != 0 || c.report.Seed != c.golden.Seed {
			continue
		}
		path := goldenFile(c.file)
		c.strayed = string(diff.Diff(path+" (expected)", []byte(c.golden.Trace), "this run (seen)", []byte(c.report.Tape.Trace())))
	}
}

// updateGoldens writes the traces of what has passed: of files that are named, and, below directories, of those that have
// traces already. What is not a scenario of the file any more goes; what did not run stays.
func (t *testRun) updateGoldens(args []string) (written []string, err error) {
	for _, file := range t.filesOfCases() {
		path := goldenFile(file)
		text, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !slices.Contains(args, file):
			continue
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return written, err
		}
		old, err := scenario.ParseGoldens(string(text))
		if err != nil {
			return written, fmt.Errorf("%s: %w", path, err)
		}
		all := t.goldens(file, old)
		next := scenario.FormatGoldens(all)
		if next == string(text) || len(all) == 0 && len(text) == 0 { // nothing has passed yet: no file says so
			continue
		}
		if err := os.WriteFile(path, []byte(next), 0o666); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}

// filesOfCases lists the files whose scenarios ran, once each.
func (t *testRun) filesOfCases() []string {
	var out []string
	for _, c := range t.cases {
		if c.file != "-" && !slices.Contains(out, c.file) {
			out = append(out, c.file)
		}
	}
	return out
}

// goldens are the traces that a file is to have, in the order of its scenarios.
func (t *testRun) goldens(file string, old []scenario.Golden) []scenario.Golden {
	var out []scenario.Golden
	for _, name := range t.names[file] {
		at := slices.IndexFunc(t.cases, func(c *testCase) bool { return c.file == file && c.spec.Name == name && c.passed() })
		if at >= 0 {
			r := t.cases[at].report
			out = append(out, scenario.Golden{Name: name, Seed: r.Seed, Trace: r.Tape.Trace()})
			continue
		}
		for _, g := range old {
			if g.Name == name {
				out = append(out, g)
			}
		}
	}
	return out
}
