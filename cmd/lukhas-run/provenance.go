package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/compiler"
)

// provenance is one value in force and the layer it comes from.
type provenance struct {
	Path  string `json:"path"`
	Value string `json:"value"` // *** for a secret
	From  string `json:"from"`  // built-in, defaults, template "worker", policy "standard", written here…
	Place string `json:"place,omitempty"`
}

func explainDefaults(cmd *cobra.Command, s *settings, f planFlags, args []string) error {
	l, err := loadPlan(cmd, s, args, f.allowMissingEnv)
	if err != nil {
		return err
	}
	settings, _ := compiler.Explain(l.Set, compiler.Options{}) // its findings have been shown
	all := make([]provenance, len(settings))
	for i, one := range settings {
		all[i] = provenance{Path: one.Path, Value: one.Value, From: one.Origin}
		if !one.Pos.IsZero() {
			all[i].Place = one.Pos.String()
		}
	}
	if s.output() == "json" {
		err = writeJSON(cmd.OutOrStdout(), all)
	} else {
		err = printProvenances(cmd.OutOrStdout(), all)
	}
	if err != nil {
		return exit{exitFailed, err}
	}
	return nil
}

func printProvenances(w io.Writer, all []provenance) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "PATH\tVALUE\tFROM\tPLACE")
	for _, p := range all {
		value := strings.ReplaceAll(p.Value, "\n", "\\n")
		if runes := []rune(value); len(runes) > 60 {
			value = string(runes[:59]) + "…"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.Path, strings.ReplaceAll(value, "\t", " "), p.From, p.Place)
	}
	return t.Flush()
}
