package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine/plan/draw"
)

func newGraph(s *settings) *cobra.Command {
	var allowMissingEnv bool
	formats := map[string]func(io.Writer, draw.Graph) error{
		"mermaid": draw.Mermaid, "dot": draw.Dot, "svg": draw.SVG,
		"json": func(w io.Writer, g draw.Graph) error { return writeJSON(w, g) },
	}
	cmd := &cobra.Command{
		Use:   "graph SPEC…",
		Short: "draw a spec: supervision, calls, breakers, rules",
		Long:  "-o mermaid (the default), dot, svg or json. Replicas are drawn as one.",
		Args:  cobra.MinimumNArgs(1),
		Example: `  lukhas-run graph topology.yaml -o svg > topology.svg
  lukhas-run graph topology.yaml > topology.mmd
  lukhas-run graph topology.yaml -o dot | dot -Tpdf > topology.pdf`,
		RunE: func(cmd *cobra.Command, args []string) error {
			format := s.output()
			if format == "text" {
				format = "mermaid"
			}
			write := formats[format]
			if write == nil {
				return exit{exitUsage, oneOf("output", format, []string{"mermaid", "dot", "svg", "json"})}
			}
			l, err := loadPlan(cmd, s, args, allowMissingEnv)
			if err != nil {
				return err
			}
			if err := write(cmd.OutOrStdout(), draw.Of(l.Plan)); err != nil {
				return exit{exitFailed, err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&allowMissingEnv, "allow-missing-env", false, "unset variables of ${VAR} are empty, with a warning")
	return cmd
}
