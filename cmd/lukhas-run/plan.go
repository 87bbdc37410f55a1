package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

const exitChanges = 2 // plan: there are changes, with --detailed-exitcode

// planFlags are plan's own flags.
type planFlags struct {
	base            []string
	detailed        bool
	summary         bool
	defaults        bool
	out             string
	allowMissingEnv bool
}

func newPlan(s *settings) *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:     "plan SPEC…",
		Aliases: []string{"diff"},
		Short:   "what taking a spec over would change, and what each change costs",
		Long: "Every change has a class, cheapest first: hot (state and windows are kept), start, restart_actor, stop, recreate,\n" +
			"restart_engine. With --detailed-exitcode: 0 no changes, 2 changes, 1 an error.",
		Args: cobra.MinimumNArgs(1),
		Example: `  lukhas-run plan topology.yaml    # against the running engine
  lukhas-run plan new.yaml --base old.yaml
  git show HEAD:topology.yaml | lukhas-run plan topology.yaml --base - --detailed-exitcode
  lukhas-run plan topology.yaml --explain-defaults`,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := oneOf("output", s.output(), []string{"text", "json"})
			if err != nil {
				return exit{exitUsage, err}
			}
			if f.defaults {
				return explainDefaults(cmd, s, f, args)
			}
			return f.strict(runPlan(cmd, s, f, args))
		},
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.base, "base", nil, "the `SPEC` to compare with, - for standard input; again for each of its files; default: the running engine")
	fs.BoolVar(&f.detailed, "detailed-exitcode", false, "exit 2 when there are changes")
	fs.BoolVar(&f.summary, "summary", false, "only count the changes by class")
	fs.BoolVar(&f.defaults, "explain-defaults", false, "instead of changes: every value in force, and which layer it comes from")
	fs.StringVar(&f.out, "out", "", "also write the changes to this `FILE`, as JSON")
	fs.BoolVar(&f.allowMissingEnv, "allow-missing-env", false, "unset variables of ${VAR} are empty, with a warning")
	return cmd
}

// strict keeps the promise of --detailed-exitcode that every error is 1.
func (f planFlags) strict(err error) error {
	var e exit
	if f.detailed && errors.As(err, &e) && e.code != exitChanges {
		return exit{exitFailed, e.err}
	}
	return err
}

func runPlan(cmd *cobra.Command, s *settings, f planFlags, args []string) error {
	after, err := loadPlan(cmd, s, args, f.allowMissingEnv)
	if err != nil {
		return err
	}
	report, changes, err := f.compare(cmd, s, after, args)
	if err != nil {
		return err
	}
	if err := f.show(cmd.OutOrStdout(), s, report, changes); err != nil {
		return exit{exitFailed, err}
	}
	if f.detailed && len(changes) > 0 {
		return exit{code: exitChanges}
	}
	return nil
}

// compare sets the spec against the base that was given, or against the running engine.
func (f planFlags) compare(cmd *cobra.Command, s *settings, after host.Loaded, args []string) (jsonPlan, plan.Changes, error) {
	if len(f.base) > 0 {
		before, err := loadPlan(cmd, s, f.base, f.allowMissingEnv)
		if err != nil {
			return jsonPlan{}, nil, err
		}
		changes := plan.Diff(before.Plan, after.Plan)
		return jsonPlanOf(after.Plan.Name, before.Plan.Digest().String(), after.Plan.Digest().String(), changes), changes, nil
	}
	res, err := askPlan(cmd, s, args)
	if err != nil {
		return jsonPlan{}, nil, err
	}
	var changes plan.Changes
	for _, c := range res.Changes {
		class, ok := plan.ParseClass(c.Class)
		if !ok {
			return jsonPlan{}, nil, exit{exitFailed, fmt.Errorf("the engine names a class %q that this binary does not know: are they of one version?", c.Class)}
		}
		changes = append(changes, plan.Change{Path: c.Path, Actor: c.Actor, Old: c.Old, New: c.New, Class: class})
	}
	return jsonPlanOf(res.Name, res.Old, res.New, changes), changes, nil
}

// askPlan lets the running engine compare: it reads the files with its own environment, as a reload would.
func askPlan(cmd *cobra.Command, s *settings, args []string) (admin.PlanResult, error) {
	var r admin.PlanRequest
	for _, path := range args {
		if path == "-" {
			return admin.PlanResult{}, exit{exitUsage, errors.New("a running engine cannot read this standard input: give a file, or --base OLD")}
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return admin.PlanResult{}, exit{exitFailed, err}
		}
		r.Paths = append(r.Paths, abs)
	}
	c, err := s.client()
	if err != nil {
		return admin.PlanResult{}, err
	}
	res, err := c.Plan(cmd.Context(), r)
	if errors.Is(err, admin.ErrUnreachable) {
		return res, exit{exitUnavailable, fmt.Errorf("%w; without an engine, --base OLD compares two files", err)}
	}
	return res, reached(err)
}

// loadPlan compiles a spec; what is wrong with it is shown, and is the error.
func loadPlan(cmd *cobra.Command, s *settings, paths []string, allowMissingEnv bool) (host.Loaded, error) {
	defer hurry()()
	l, err := host.Load(host.Source{Paths: paths, Stdin: cmd.InOrStdin(), AllowMissingEnv: allowMissingEnv, Now: time.Now()})
	if err != nil {
		return l, exit{exitBug, err}
	}
	if len(l.Diagnostics) > 0 && (!s.quiet() || l.Diagnostics.HasErrors()) {
		w := cmd.ErrOrStderr()
		if err := spec.Render(w, l.Diagnostics, l.Set.Files, s.color(w)); err != nil {
			return l, exit{exitFailed, err}
		}
	}
	if l.Plan != nil {
		return l, nil
	}
	for _, path := range paths {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && path != "-" {
			return l, exit{code: exitNoInput}
		}
	}
	return l, exit{code: exitFailed}
}

// jsonPlan is plan -o json, and the file of --out.
type jsonPlan struct {
	Version int            `json:"version"`
	Name    string         `json:"name"`
	Old     string         `json:"old_digest"`
	New     string         `json:"new_digest"`
	Class   string         `json:"class,omitempty"` // the costliest; absent without changes
	Counts  map[string]int `json:"counts"`          // by class
	Changes []jsonChange   `json:"changes"`
}

type jsonChange struct {
	Path  string `json:"path"`
	Actor string `json:"actor,omitempty"` // path of the actor or group it belongs to
	Class string `json:"class"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

func (f planFlags) show(w io.Writer, s *settings, report jsonPlan, changes plan.Changes) error {
	if f.out != "" {
		if err := writeFileJSON(f.out, report); err != nil {
			return err
		}
	}
	switch {
	case s.output() == "json":
		return writeJSON(w, report)
	case f.summary:
		_, err := fmt.Fprintln(w, changes.Summary())
		return err
	}
	return plan.PrintChanges(w, changes)
}

func jsonPlanOf(name, before, after string, changes plan.Changes) jsonPlan {
	report := jsonPlan{Version: 1, Name: name, Old: before, New: after, Counts: map[string]int{}, Changes: []jsonChange{}}
	for _, c := range changes {
		report.Counts[c.Class.String()]++
		report.Changes = append(report.Changes, jsonChange{c.Path, c.Actor, c.Class.String(), c.Old, c.New})
	}
	if len(changes) > 0 {
		report.Class = changes.Worst().String()
	}
	return report
}

func writeFileJSON(path string, value any) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(writeJSON(f, value), f.Close())
}
