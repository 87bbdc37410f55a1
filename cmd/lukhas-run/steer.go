package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine"
)

// steerVerbs are the actions an operator may ask for.
const steerVerbs = "pause resume restart stop inject set-state quarantine release force-open force-close reset run"

func newSteer(s *settings) *cobra.Command {
	var want engine.Steer
	var payload string
	cmd := &cobra.Command{
		Use:   "steer VERB TARGET [MESSAGE]",
		Short: "act on the running engine: " + strings.ReplaceAll(steerVerbs, " ", ", "),
		Long: "TARGET is an actor's name or path, a breaker's name, or a glob (* is a level, ** all levels).\n" +
			"MESSAGE is what inject sends.",
		Args:      cobra.RangeArgs(2, 3),
		ValidArgs: strings.Fields(steerVerbs),
		Example: `  lukhas-run steer pause worker-1
  lukhas-run steer quarantine worker-2 --for 30s --reason "disk is slow"
  lukhas-run steer force-open rates
  lukhas-run steer inject shop tick`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOfVerbs(args[0]); err != nil {
				return exit{exitUsage, err}
			}
			want.Verb, want.Target = strings.ReplaceAll(args[0], "-", "_"), args[1]
			if want.Verb == "run" {
				want.Target, want.Text = "", args[1]
			}
			if len(args) == 3 {
				want.Message = args[2]
			}
			if payload != "" {
				if err := json.Unmarshal([]byte(payload), &want.Payload); err != nil {
					return exit{exitUsage, fmt.Errorf("--payload %q is not JSON: %w", payload, err)}
				}
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			if err := c.Steer(cmd.Context(), want, operator()); err != nil {
				return reached(err)
			}
			if !s.quiet() {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s %s: done\n", args[0], args[1])
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.DurationVar(&want.For, "for", 0, "undo it after this time")
	f.StringVar(&want.Reason, "reason", "", "why, for the journal")
	f.StringVar(&payload, "payload", "", "JSON: inject's payload or set-state's state")
	f.Float64Var(&want.MaxShare, "max-share", 0, "quarantine: at most this share of the group, 0..1")
	return cmd
}

func oneOfVerbs(verb string) error {
	for _, v := range strings.Fields(steerVerbs) {
		if v == verb {
			return nil
		}
	}
	return fmt.Errorf("unknown verb %q: expected one of %s", verb, strings.ReplaceAll(steerVerbs, " ", ", "))
}
