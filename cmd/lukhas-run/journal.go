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
	"github.com/lukhasai/lukhas-run/journal"
)

func newJournal(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "journal",
		Short:   "the log of all that happened: cat, stats, verify, repair, export",
		Example: "  lukhas-run journal cat --actor root/workers --since 5m\n  lukhas-run journal verify",
	}
	cmd.AddCommand(newJournalCat(s), newJournalVerify(s), newJournalStats(s), newJournalRepair(s), newJournalExport(s))
	return cmd
}

// openJournal reads the journal of the data directory, also while an engine writes it.
func openJournal(s *settings) (*journal.Reader, error) {
	r, err := journal.OpenReader(filepath.Join(s.data(), "journal"))
	if err != nil {
		return nil, exit{exitNoInput, fmt.Errorf("%w (--data DIR says which data directory)", err)}
	}
	return r, nil
}

func newJournalCat(s *settings) *cobra.Command {
	var q journal.Query
	var kinds []string
	var since time.Duration
	var all bool
	cmd := &cobra.Command{
		Use:   "cat",
		Short: "print events, oldest first, with correlation and causation ids",
		Args:  cobra.NoArgs,
		Example: `  lukhas-run journal cat
  lukhas-run journal cat --correlation i-42
  lukhas-run journal cat --type actor_failed --since 1h -o jsonl`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.outputs("text", "json", "jsonl"); err != nil {
				return err
			}
			types, err := eventTypes(kinds, all)
			if err != nil {
				return exit{exitUsage, err}
			}
			q.Types = types
			if since > 0 {
				q.Since = time.Now().Add(-since)
			}
			r, err := openJournal(s)
			if err != nil {
				return err
			}
			return catJournal(cmd, s, r, q)
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Actor, "actor", "", "only events of this actor")
	f.StringVar(&q.Correlation, "correlation", "", "only events of this incident or request")
	f.StringSliceVar(&kinds, "type", nil, "only events of these types")
	f.DurationVar(&since, "since", 0, "only the last of this time")
	f.BoolVar(&all, "all", false, "also the Machine's raw inputs, which are left out otherwise")
	return cmd
}

func catJournal(cmd *cobra.Command, s *settings, r *journal.Reader, q journal.Query) error {
	damaged := false
	for e, err := range r.Scan(q) {
		var d *journal.Damage
		switch {
		case errors.As(err, &d):
			damaged = true
			fmt.Fprintf(cmd.ErrOrStderr(), "lukhas-run: %s\n", err)
		case err != nil:
			return exit{exitFailed, err}
		default:
			if err := printEvent(cmd.OutOrStdout(), admin.Show(e), s.output()); err != nil {
				return exit{exitFailed, err}
			}
		}
	}
	if damaged {
		return exit{code: exitFailed}
	}
	return nil
}

// eventTypes turns names into types; no names are all but raw inputs.
func eventTypes(names []string, all bool) ([]journal.Type, error) {
	var types []journal.Type
	for _, n := range names {
		t, err := journal.ParseType(n)
		if err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	if len(types) > 0 || all {
		return types, nil
	}
	for _, t := range journal.Types() {
		if t != journal.TypeInput {
			types = append(types, t)
		}
	}
	return types, nil
}

func newJournalVerify(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "verify",
		Short:   "read every byte and check every checksum and the chain; exit 1 when damage is found",
		Args:    cobra.NoArgs,
		Example: "  lukhas-run journal verify --data /var/lib/lukhas",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.outputs("text", "json"); err != nil {
				return err
			}
			r, err := openJournal(s)
			if err != nil {
				return err
			}
			report, err := r.Verify()
			if err != nil {
				return exit{exitFailed, err}
			}
			if s.output() == "json" {
				err = printJSON(cmd, report)
			} else {
				err = printReport(cmd.OutOrStdout(), report)
			}
			if err == nil && !report.Intact() {
				return exit{code: exitFailed}
			}
			return err
		},
	}
}

func newJournalStats(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "stats",
		Short:   "how much the journal holds, and from when to when",
		Args:    cobra.NoArgs,
		Example: "  lukhas-run journal stats",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.outputs("text", "json"); err != nil {
				return err
			}
			r, err := openJournal(s)
			if err != nil {
				return err
			}
			stats, err := r.Stats()
			if err != nil {
				return exit{exitFailed, err}
			}
			return printJSON(cmd, stats)
		},
	}
}

func newJournalRepair(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "repair",
		Short: "make a damaged journal usable: what is intact is kept, what is not is set aside and told",
		Long:  "No engine may run on the data directory. Each damaged segment is first copied whole into journal/aside.",
		Args:  cobra.NoArgs,
		Example: `  lukhas-run journal verify
  lukhas-run journal repair`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.outputs("text", "json"); err != nil {
				return err
			}
			dir := filepath.Join(s.data(), "journal")
			if _, err := os.Stat(dir); err != nil {
				return exit{exitNoInput, fmt.Errorf("%w (--data DIR says which data directory)", err)}
			}
			done, err := journal.Repair(dir, journal.Options{})
			switch {
			case errors.Is(err, journal.ErrLocked):
				return exit{exitUnavailable, fmt.Errorf("%w: stop that engine first", err)}
			case err != nil:
				return exit{exitFailed, err}
			case s.output() == "json":
				return printJSON(cmd, done)
			}
			printRepaired(cmd.OutOrStdout(), done)
			return nil
		},
	}
}

func printRepaired(w io.Writer, done journal.Repaired) {
	if !done.Manifest && len(done.Segments) == 0 && done.Cut == "" {
		fmt.Fprintln(w, "nothing to repair")
		return
	}
	if done.Manifest {
		fmt.Fprintln(w, "the manifest was rebuilt from the segments")
	}
	for _, d := range done.Damage {
		fmt.Fprintf(w, "%s\n", d)
	}
	if done.Cut != "" {
		fmt.Fprintf(w, "unfinished end cut: %s\n", done.Cut)
	}
	fmt.Fprintf(w, "%s rewritten, %s lost\n", count(len(done.Segments), "segment"), count(int(done.Lost), "event"))
}

func printReport(w io.Writer, r journal.Report) error {
	verdict := "intact"
	if !r.Intact() {
		verdict = "DAMAGED"
	}
	fmt.Fprintf(w, "%s: events %d to %d, %d readable in %d segments, %d bytes\n", verdict, r.First, r.Last, r.Events, r.Segments, r.Bytes)
	for _, d := range r.Damage {
		fmt.Fprintf(w, "  %s\n", d)
	}
	if r.Torn != "" {
		fmt.Fprintf(w, "  unfinished end, cut when next opened: %s\n", r.Torn)
	}
	if r.Lost > 0 {
		fmt.Fprintf(w, "  %d events were given up by an earlier repair\n", r.Lost)
	}
	return nil
}
