package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
)

func newStatus(s *settings) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "health, actors and breakers of the running engine",
		Args:    cobra.NoArgs,
		Example: "  lukhas-run status\n  lukhas-run status -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.outputs("text", "json"); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			st, err := c.Status(cmd.Context())
			if err != nil {
				return reached(err)
			}
			if s.output() == "json" {
				err = printJSON(cmd, st)
			} else {
				err = printStatus(cmd.OutOrStdout(), st)
			}
			if err != nil || !check {
				return err
			}
			return checked(st)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "exit 1 when degraded, 2 when critical")
	return cmd
}

// checked gives the exit code for --check.
func checked(st admin.Status) error {
	switch st.Health {
	case "healthy", "starting":
		return nil
	case "critical":
		return exit{code: 2}
	default:
		return exit{code: exitFailed}
	}
}

func printStatus(w io.Writer, st admin.Status) error {
	fmt.Fprintf(w, "%s  %s  generation %d  up %s  pid %d\n", st.Name, st.Health, st.Generation, span(st.Uptime), st.PID)
	if st.Emergency {
		fmt.Fprintln(w, "EMERGENCY MODE")
	}
	switch {
	case st.Reload.Status == engine.ReloadVerifying:
		fmt.Fprintf(w, "VERIFYING generation %d\n", st.Generation)
	case st.Reload.Status == engine.ReloadRolledBack && st.Drift != "": // once the files are what runs, it is history
		fmt.Fprintf(w, "ROLLED BACK (%s)\n", st.Reload.Code)
	}
	if st.Drift != "" {
		fmt.Fprintf(w, "drift: %s\n", st.Drift)
	}
	for _, o := range st.Overrides {
		fmt.Fprintln(w, "override:", override(o))
	}
	for _, p := range st.Patterns {
		fmt.Fprintf(w, "pattern %s for %s (confidence %.2f): %s%s\n", p.Name, span(p.Since), p.Confidence, p.Why, rootOf(p))
	}
	for _, l := range st.Listeners {
		fmt.Fprintf(w, "listening on %s (%s)\n", l.Address, l.Name)
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "\nACTOR\tKIND\tSTATE\tFOR\tRESTARTS\tCALLS\tERRORS\tP99\tMAILBOX\tPID")
	for _, a := range st.Actors {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%.0f%%\t%s\t%d/%d\t%s\n", a.Path, a.Kind, stateOf(a), span(a.Since), a.Restarts,
			a.Calls, a.ErrorRate*100, latency(a.P99), a.Mailbox, a.Capacity, number(a.PID))
	}
	if len(st.Breakers) > 0 {
		fmt.Fprintln(t, "\nBREAKER\tSTATE\tFOR\tCALLS\tERRORS\tIN A ROW\tREJECTED\tOPENED\tTRIPS AT")
	}
	for _, b := range st.Breakers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%.0f%%\t%d\t%d\t%d\t%s\n", b.Name, b.State, span(b.Since), b.Calls, b.ErrorRate*100, b.Consecutive,
			b.Rejected, b.Opens, thresholds(b.Thresholds))
	}
	return t.Flush()
}

// rootOf names a pattern's likely cause.
func rootOf(p admin.Pattern) string {
	if p.Root == "" {
		return ""
	}
	return "; likely root " + p.Root
}

func stateOf(a admin.ActorStatus) string {
	state := a.State
	if a.Paused {
		state += ", paused"
	}
	if a.Quarantined {
		state += ", quarantined"
	}
	if a.Unhealthy {
		state += ", unhealthy"
	}
	return state
}

// thresholds shows the trip conditions in a fixed order.
func thresholds(t map[string]string) string {
	var parts []string
	for _, name := range []string{"consecutive_failures", "failures", "error_rate", "slow_calls", "when"} {
		if v, ok := t[name]; ok {
			parts = append(parts, name+" "+v)
		}
	}
	return strings.Join(parts, ", ")
}

func span(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond).String()
}

func latency(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Microsecond).String()
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// override tells what an action has changed, who wanted it, and when it ends.
func override(o admin.Override) string {
	text := o.What + " " + o.Value
	if o.Before != "" {
		text += " (files: " + o.Before + ")"
	}
	text += ", for " + span(o.Since) + " by " + o.By
	if o.Reason != "" {
		text += " (" + o.Reason + ")"
	}
	switch o.Until {
	case "time":
		return text + ", ends in " + span(o.Left)
	case "emergency":
		return text + ", ends with the emergency"
	}
	return text
}
