package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
)

// The exit codes of reload, besides those of every verb.
const (
	exitRolledBack = 4 // the generation was in force and did not hold
	exitMoved      = 5 // another reload came before the verdict
)

func newReload(s *settings) *cobra.Command {
	r := admin.ReloadRequest{By: operator(), Wait: true}
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "ask the engine to read its files again, and wait for the verdict",
		Long: "Ask the engine to read its files again, and wait for the verdict: until the new generation has passed its probation" +
			" (reload.verify_for). Exit code 0: it is active; 1: it was refused and nothing has changed; 4: it was rolled back;" +
			" 5: another reload came in between.",
		Args:    cobra.NoArgs,
		Example: "  lukhas-run reload\n  lukhas-run reload --allow-destroy",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.outputs("text", "json"); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			res, err := c.Reload(cmd.Context(), r)
			if cmd.Context().Err() != nil {
				return exit{interrupted(cmd.Context()), errors.New("stopped waiting for the verdict; the reload goes on in the engine, and lukhas-run status tells what becomes of it")}
			}
			if err != nil {
				return reached(err)
			}
			if s.output() == "json" {
				err = printJSON(cmd, res)
			} else {
				printReload(cmd, res)
			}
			if err != nil {
				return err
			}
			return reloaded(res)
		},
	}
	cmd.Flags().BoolVar(&r.AllowDestroy, "allow-destroy", false, "also when it removes many actors or makes something anew")
	return cmd
}

func printReload(cmd *cobra.Command, res admin.ReloadResult) {
	for _, line := range res.Changes {
		fmt.Fprintln(cmd.OutOrStdout(), line)
	}
	switch {
	case res.Status == engine.ReloadRolledBack || res.Replaced:
	case res.Code != "":
		fmt.Fprintf(cmd.ErrOrStderr(), "generation %d stays: %s\n", res.Generation, res.Reason)
	case !res.Changed:
		fmt.Fprintf(cmd.ErrOrStderr(), "generation %d is what the files say\n", res.Generation)
	default:
		fmt.Fprintf(cmd.ErrOrStderr(), "generation %d is in force\n", res.Generation)
	}
}

// reloaded gives the exit code of a reload that was not refused.
func reloaded(res admin.ReloadResult) error {
	switch {
	case res.Replaced:
		return exit{exitMoved, fmt.Errorf("generation %d came before the verdict on this one", res.Generation)}
	case res.Status == engine.ReloadRolledBack:
		return exit{exitRolledBack, fmt.Errorf("rolled back, generation %d is in force: %s %s (it is not tried again until the files change)", res.Generation, res.Code, res.Reason)}
	case res.Code != "":
		return exit{code: exitFailed}
	}
	return nil
}
