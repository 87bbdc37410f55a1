package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/schema"
	"github.com/lukhasai/lukhas-run/spec"
)

func newSchema() *cobra.Command {
	kinds := []string{"topology", "policy", "scenario"}
	return &cobra.Command{
		Use:       "schema [topology|policy|scenario]",
		Short:     "print the JSON Schema (draft-07) of a kind of document, for editors and other checkers",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: kinds,
		Example:   "  lukhas-run schema > topology.schema.json\n  lukhas-run schema policy",
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := kinds[0]
			if len(args) == 1 {
				kind = strings.ToLower(args[0])
			}
			text := schemaOf(kind)
			if text == nil {
				return exit{exitUsage, fmt.Errorf("there is no schema %q: expected %s", args[0], strings.Join(kinds, ", "))}
			}
			if _, err := cmd.OutOrStdout().Write(text); err != nil {
				return exit{exitFailed, err}
			}
			return nil
		},
	}
}

func schemaOf(kind string) []byte {
	switch kind {
	case "topology":
		return schema.Of(spec.KindTopology)
	case "policy":
		return schema.Of(spec.KindPolicy)
	case "scenario":
		return schema.Of(spec.KindScenario)
	}
	return nil
}
