package main

import (
	"errors"
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
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "status [ACTOR]",
		Short: "health, actors and breakers of the running engine, or one actor and its state",
		Long: "With ACTOR, a name or path, it shows that actor and what it holds: the state of a script, or of a Go behaviour that\n" +
			"has one. The state is read between two messages, before all that wait, also while the actor is paused. A state\n" +
			"that there is and that cannot be read is exit 1; having none, or not being up, is not.",
		Args:    cobra.MaximumNArgs(1),
		Example: "  lukhas-run status\n  lukhas-run status -o json\n  lukhas-run status counter",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.outputs("text", "json"); err != nil {
				return err
			}
			if err := statusFlags(cmd, args, timeout); err != nil {
				return exit{exitUsage, err}
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return statusOf(cmd, s, c, admin.ActorRequest{Actor: args[0], Timeout: timeout})
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
	cmd.Flags().DurationVar(&timeout, "timeout", admin.DefaultLook, "with ACTOR: how long to wait for a turn to read its state")
	return cmd
}

// statusFlags refuses flags that mean nothing.
func statusFlags(cmd *cobra.Command, args []string, timeout time.Duration) error {
	switch one := len(args) == 1; {
	case one && cmd.Flags().Changed("check"):
		return errors.New("--check is for the engine as a whole, not for an actor")
	case !one && cmd.Flags().Changed("timeout"):
		return errors.New("--timeout is for the state of an actor: status ACTOR --timeout 5s")
	case timeout <= 0:
		return fmt.Errorf("--timeout %s: expected more than 0", timeout)
	}
	return nil
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
	if st.DeadLetters > 0 {
		fmt.Fprintf(w, "dead letters: %d\n", st.DeadLetters)
	}
	for _, l := range st.Listeners {
		fmt.Fprintf(w, "listening on %s (%s)\n", l.Address, l.Name)
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "\nACTOR\tKIND\tSTATE\tFOR\tRESTARTS\tCALLS\tERRORS\tP99\tMAILBOX\tPID")
	for _, a := range st.Actors {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%.0f%%\t%s\t%s\t%s\n", a.Path, a.Kind, stateOf(a), span(a.Since), a.Restarts,
			a.Calls, a.ErrorRate*100, latency(a.P99), mailbox(a), number(a.PID))
	}
	tableBreakers(t, st.Breakers)
	return t.Flush()
}

func tableBreakers(t io.Writer, list []admin.BreakerStatus) {
	if len(list) > 0 {
		fmt.Fprintln(t, "\nBREAKER\tSTATE\tFOR\tCALLS\tERRORS\tIN A ROW\tREJECTED\tOPENED\tTRIPS AT")
	}
	for _, b := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%.0f%%\t%d\t%d\t%d\t%s\n", b.Name, b.State, span(b.Since), b.Calls, b.ErrorRate*100, b.Consecutive,
			b.Rejected, b.Opens, thresholds(b.Thresholds))
	}
}

// mailbox shows what waits in it of what may, and apart from that who waits for room.
func mailbox(a admin.ActorStatus) string {
	text := fmt.Sprintf("%d/%d", a.Mailbox, a.Capacity)
	if a.Blocked > 0 {
		text += fmt.Sprintf(" +%d blocked", a.Blocked)
	}
	return text
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
