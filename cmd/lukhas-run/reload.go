package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine/admin"
)

func newReload(s *settings) *cobra.Command {
	r := admin.ReloadRequest{By: operator()}
	cmd := &cobra.Command{
		Use:     "reload",
		Short:   "ask the engine to read its files again, and wait for the verdict",
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
			if err != nil {
				return reached(err)
			}
			if s.output() == "json" {
				return printJSON(cmd, res)
			}
			if !res.Changed {
				fmt.Fprintf(cmd.ErrOrStderr(), "generation %d is what the files say\n", res.Generation)
				return nil
			}
			for _, line := range res.Changes {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "generation %d is in force\n", res.Generation)
			return nil
		},
	}
	cmd.Flags().BoolVar(&r.AllowDestroy, "allow-destroy", false, "also when it removes many actors or makes something anew")
	return cmd
}
