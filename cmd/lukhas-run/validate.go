package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/spec"
)

const exitWarned = 3 // validate: only warnings, and --fail-on warning

func newValidate(s *settings) *cobra.Command {
	var c checker
	var failOn string
	cmd := &cobra.Command{
		Use:     "validate PATH…",
		Aliases: []string{"lint", "check"},
		Short:   "check specs offline, with the very pipeline of run: files, directories, - for standard input",
		Long: "All that is wrong is told at once, with its place and a way out. A topology is checked with the policies and scenarios\n" +
			"given beside it. Exit: 0 ok, 1 errors, 3 only warnings (with --fail-on warning), 66 no such file.",
		Args: cobra.MinimumNArgs(1),
		Example: `  lukhas-run validate topology.yaml
  lukhas-run validate . --fail-on warning
  lukhas-run validate topology.yaml on-call.yaml -o github`,
		RunE: func(cmd *cobra.Command, args []string) error {
			write, err := reportFormat(s.output())
			if err == nil {
				err = oneOf("fail-on", failOn, []string{"error", "warning"})
			}
			if err != nil {
				return exit{exitUsage, err}
			}
			g, err := gather(args, cmd.InOrStdin())
			if err != nil {
				return err
			}
			defer hurry()()
			start := time.Now()
			c.now = start
			p := newProgress(cmd.ErrOrStderr(), s, "checked")
			c.step = p.step
			found, err := c.check(g)
			p.end()
			if err != nil {
				return err
			}
			v := verdict{found: found, missing: g.missing, failOn: failOn, took: time.Since(start)}
			if err := v.tell(cmd.ErrOrStderr(), s); err != nil {
				return exit{exitFailed, err}
			}
			if write != nil {
				if err := write(cmd.OutOrStdout(), found); err != nil {
					return exit{exitFailed, err}
				}
			}
			return v.exit()
		},
	}
	cmd.Flags().StringVar(&failOn, "fail-on", "error", "`SEVERITY`: error, or warning to exit 3 when there are only warnings")
	cmd.Flags().BoolVar(&c.shapeOnly, "schema-only", false, "only keys, types and values, as the published schema says; no names and expressions")
	cmd.Flags().BoolVar(&c.allowMissingEnv, "allow-missing-env", false, "unset variables of ${VAR} are empty, with a warning")
	return cmd
}

// report writes findings for machines.
type report func(w io.Writer, found findings) error

// reportFormat finds how -o wants the findings; nil is text, for people.
func reportFormat(name string) (report, error) {
	switch name {
	case "text":
		return nil, nil
	case "json":
		return reportJSON, nil
	case "sarif":
		return reportSARIF, nil
	case "github":
		return reportGitHub, nil
	case "junit":
		return reportJUnit, nil
	}
	return nil, oneOf("output", name, []string{"text", "json", "sarif", "github", "junit"})
}

// verdict is how a validation ended.
type verdict struct {
	found   findings
	missing bool
	failOn  string
	took    time.Duration
}

// tell says everything to people: notes, findings (unless a machine gets them) and a last line.
func (v verdict) tell(w io.Writer, s *settings) error {
	if !s.quiet() {
		for _, n := range v.found.notes {
			fmt.Fprintf(w, "note: %s\n", n)
		}
	}
	if s.output() == "text" && len(v.found.diags) > 0 {
		if err := spec.Render(w, v.found.diags, v.found.files, s.color(w)); err != nil {
			return err
		}
	}
	if v.found.diags.HasErrors() || s.quiet() {
		return nil
	}
	_, err := fmt.Fprintf(w, "ok: %s in %s\n", v.found.summary(), v.took.Round(time.Millisecond))
	return err
}

// summary counts what is in the files: 1 topology, 14 actors, 3 breakers, 2 rules.
func (f findings) summary() string {
	t := f.count
	if t == (tally{}) {
		return plural(len(f.checked), "file", "files")
	}
	var parts []string
	for _, p := range []struct {
		n         int
		one, many string
		always    bool
	}{
		{t.Topologies, "topology", "topologies", false}, {t.Policies, "policy", "policies", false}, {t.Scenarios, "scenario", "scenarios", false},
		{t.Actors, "actor", "actors", t.Topologies > 0}, {t.Breakers, "breaker", "breakers", t.Topologies > 0}, {t.Rules, "rule", "rules", t.Topologies > 0},
	} {
		if p.n > 0 || p.always {
			parts = append(parts, plural(p.n, p.one, p.many))
		}
	}
	return strings.Join(parts, ", ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// exit gives the process's exit code.
func (v verdict) exit() error {
	_, warnings := v.found.diags.Count()
	switch {
	case v.missing:
		return exit{code: exitNoInput}
	case v.found.diags.HasErrors():
		return exit{code: exitFailed}
	case warnings > 0 && v.failOn == "warning":
		return exit{code: exitWarned}
	}
	return nil
}
