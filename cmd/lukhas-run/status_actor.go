package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine/admin"
)

// statusOf shows one actor. That there is a state which could not be read is told by the exit code too.
func statusOf(cmd *cobra.Command, s *settings, c *admin.Client, r admin.ActorRequest) error {
	d, err := c.Actor(cmd.Context(), r)
	if err != nil {
		return reached(err)
	}
	if s.output() == "json" {
		err = printJSON(cmd, d)
	} else {
		err = printActor(cmd.OutOrStdout(), d)
	}
	if err == nil && d.Unread.Failed() {
		return exit{exitFailed, errors.New(d.Unread.Kind + ": " + d.Unread.Message)}
	}
	return err
}

func printActor(w io.Writer, d admin.ActorDetail) error {
	a := d.Actor
	fmt.Fprintf(w, "%s  %s  %s  incarnation %d  for %s\n", a.Path, a.Kind, stateOf(a), a.Incarnation, span(a.Since))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name, format string, values ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", values...) }
	row("restarts", "%d", a.Restarts)
	row("calls", "%d, %d failed (%.0f%% errors, p99 %s)", a.Calls, a.Failures, a.ErrorRate*100, latency(a.P99))
	row("mailbox", "%s, %d at work", mailbox(a), a.InFlight)
	row("dead letters", "%d", a.DeadLetters)
	if a.PID != 0 {
		row("pid", "%d", a.PID)
	}
	if d.Group != "" {
		row("group", "%s", d.Group)
	}
	if len(d.Labels) > 0 {
		row("labels", "%s", labels(d.Labels))
	}
	if d.Guard != "" {
		row("guard", "%s", d.Guard)
	}
	tableBreakers(t, d.Breakers)
	if err := t.Flush(); err != nil {
		return err
	}
	if d.Unread != nil {
		_, err := fmt.Fprintf(w, "\nSTATE  not shown: %s\n", d.Unread.Message)
		return err
	}
	var state bytes.Buffer
	if err := json.Indent(&state, d.State, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nSTATE\n%s\n", &state)
	return err
}

// labels shows them in order.
func labels(of map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, key+"="+of[key])
	}
	return strings.Join(parts, ", ")
}
