package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine/admin"
)

func newEvents(s *settings) *cobra.Command {
	var follow bool
	var actor, kind string
	cmd := &cobra.Command{
		Use:     "events",
		Short:   "the live event stream: what is kept, and with --follow what comes",
		Args:    cobra.NoArgs,
		Example: "  lukhas-run events --follow --type breaker_changed",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.outputs("text", "json", "jsonl"); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			err = c.Events(cmd.Context(), 0, follow, func(e admin.Event) error {
				if strings.HasPrefix(e.Actor, actor) && (kind == "" || e.Type == kind) {
					return printEvent(cmd.OutOrStdout(), e, s.output())
				}
				return nil
			})
			if cmd.Context().Err() != nil {
				return nil
			}
			return reached(err)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until Ctrl-C")
	cmd.Flags().StringVar(&actor, "actor", "", "only actors whose path begins so")
	cmd.Flags().StringVar(&kind, "type", "", "only events of this type")
	return cmd
}

// printEvent writes one event: a line for people with both ids, or a line of JSON.
func printEvent(w io.Writer, e admin.Event, format string) error {
	if format == "json" || format == "jsonl" {
		return json.NewEncoder(w).Encode(e)
	}
	cause := ""
	if e.Causation != 0 {
		cause = fmt.Sprintf(" <- %d", e.Causation)
	}
	id := ""
	if e.Correlation != "" {
		id = " [" + e.Correlation + cause + "]"
	}
	_, err := fmt.Fprintf(w, "%6d  %s  %-18s %s%s\n", e.Seq, e.Time.Local().Format("15:04:05.000"), e.Type, e.Text, id)
	return err
}
