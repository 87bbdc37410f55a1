package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/spec"
)

// formatting is one run of fmt.
type formatting struct {
	write, check, diff bool
	to                 string

	out, errs io.Writer
	colour    bool
	changed   []string
	failed    bool
}

func newFmt(s *settings) *cobra.Command {
	var f formatting
	cmd := &cobra.Command{
		Use:   "fmt PATH…",
		Short: "lay files out canonically; comments, key order and meaning stay",
		Long: "Without flags the result is printed. Directories are followed. A file that cannot be parsed is left as it is, and said.\n" +
			"Exit: 0, 1 when --check found files that would change or a file cannot be parsed.",
		Args: cobra.MinimumNArgs(1),
		Example: `  lukhas-run fmt -w .
  lukhas-run fmt --check --diff topology.yaml
  lukhas-run fmt - < topology.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if version := strings.TrimPrefix(f.to, "lukhas/"); version != strings.TrimPrefix(spec.APIVersion, "lukhas/") {
				return exit{exitUsage, fmt.Errorf("--to %q: the only version is %s", f.to, spec.APIVersion)}
			}
			g, err := gather(args, cmd.InOrStdin())
			if err != nil {
				return err
			}
			f.out, f.errs, f.colour = cmd.OutOrStdout(), cmd.ErrOrStderr(), s.color(cmd.ErrOrStderr())
			p := newProgress(cmd.ErrOrStderr(), s, "formatted")
			for i, file := range g.files {
				if err := f.file(file); err != nil {
					return err
				}
				p.step(i+1, len(g.files))
			}
			p.end()
			return f.verdict(s)
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.write, "write", "w", false, "write the files instead of printing them")
	fs.BoolVar(&f.check, "check", false, "only name the files that would change, and exit 1 when there are any")
	fs.BoolVar(&f.diff, "diff", false, "show what would change")
	fs.StringVar(&f.to, "to", spec.APIVersion, "`VERSION` of the language to write")
	return cmd
}

// file formats one file.
func (f *formatting) file(file gatheredFile) error {
	data := file.stdin
	if file.path != "-" {
		read, err := os.ReadFile(file.path)
		if err != nil {
			return exit{exitNoInput, err}
		}
		data = read
	}
	text, diags := spec.Format(file.path, data)
	if len(diags) > 0 {
		if err := spec.Render(f.errs, diags, []spec.File{{Path: file.path, Data: data}}, f.colour); err != nil {
			return err
		}
	}
	if diags.HasErrors() {
		f.failed = true
		return nil
	}
	if err := f.use(file.path, data, text); err != nil {
		return exit{exitFailed, err}
	}
	return nil
}

func (f *formatting) use(path string, before, after []byte) error {
	changed := !bytes.Equal(before, after)
	if changed {
		f.changed = append(f.changed, path)
	}
	switch {
	case f.diff:
		if _, err := f.out.Write(diff.Diff(path, before, path+" (formatted)", after)); err != nil {
			return err
		}
	case f.check && changed:
		if _, err := fmt.Fprintln(f.out, path); err != nil {
			return err
		}
	}
	if f.check || f.diff && !f.write {
		return nil
	}
	if !f.write || path == "-" {
		_, err := f.out.Write(after)
		return err
	}
	if !changed {
		return nil
	}
	return replaceFile(path, after)
}

func (f *formatting) verdict(s *settings) error {
	switch {
	case f.failed:
		return exit{code: exitFailed}
	case f.check && len(f.changed) > 0:
		return exit{exitFailed, fmt.Errorf("%s would change; lukhas-run fmt -w does it", plural(len(f.changed), "file", "files"))}
	case f.write && !s.quiet():
		for _, path := range f.changed {
			fmt.Fprintf(f.errs, "formatted %s\n", path)
		}
	}
	return nil
}

// replaceFile puts new content in a file's place in one step, so that an engine watching it never reads a half. Links and
// permissions stay.
func replaceFile(path string, data []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(info.Mode().Perm()), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
