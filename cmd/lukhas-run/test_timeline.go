package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/scenario/lanes"
)

// checkTimeline refuses one file for several pictures before anything runs.
func (t *testRun) checkTimeline() error {
	if strings.EqualFold(filepath.Ext(t.timeline), ".svg") && len(t.cases) > 1 {
		return fmt.Errorf("--timeline %s: %d scenarios do not fit into one picture; give a directory, or choose one with --run", t.timeline, len(t.cases))
	}
	return nil
}

// drawTimelines draws each run: into the file that was named, or into a directory.
func (t *testRun) drawTimelines() error {
	if t.timeline == "" {
		return nil
	}
	one := strings.EqualFold(filepath.Ext(t.timeline), ".svg")
	if !one {
		if err := os.MkdirAll(t.timeline, 0o777); err != nil {
			return err
		}
	}
	var taken []string
	for _, c := range t.cases {
		if c.err != nil {
			continue // there is nothing to draw
		}
		path := t.timeline
		if !one {
			path = filepath.Join(t.timeline, pictureName(c, &taken))
		}
		var b bytes.Buffer
		if err := lanes.SVG(&b, c.report); err != nil && !errors.Is(err, lanes.ErrNoTape) {
			return err
		}
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// pictureName is the file's name and the scenario's, as far as every file system takes them.
func pictureName(c *testCase, taken *[]string) string {
	slug := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, c.spec.Name)
	for strings.Contains(slug, "--") {
		slug = strings.ReplaceAll(slug, "--", "-")
	}
	if len(slug) > 80 {
		slug = slug[:80]
	}
	base := strings.TrimSuffix(filepath.Base(c.file), filepath.Ext(c.file)) + "." + strings.Trim(slug, "-")
	name := base + ".svg"
	for n := 2; slices.Contains(*taken, name); n++ {
		name = fmt.Sprintf("%s-%d.svg", base, n)
	}
	*taken = append(*taken, name)
	return name
}
