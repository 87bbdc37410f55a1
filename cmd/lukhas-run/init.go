package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

//go:embed starter
var starter embed.FS

func newInit() *cobra.Command {
	var template string
	cmd := &cobra.Command{
		Use:     "init [DIR]",
		Short:   "write a starter that runs: a topology, a policy for people on call, a CI snippet",
		Args:    cobra.MaximumNArgs(1),
		Example: "  lukhas-run init shop --template workers && lukhas-run run shop/topology.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("template", template, []string{"gateway", "workers", "minimal"}); err != nil {
				return exit{exitUsage, err}
			}
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			written, err := writeStarter(dir, template)
			if err != nil {
				return exit{exitFailed, err}
			}
			for _, f := range written {
				fmt.Fprintln(cmd.OutOrStdout(), f)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Next: lukhas-run run %s\n", written[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&template, "template", "gateway", "gateway, workers or minimal")
	return cmd
}

// writeStarter writes all files or, when one of them is there already, none.
func writeStarter(dir, template string) ([]string, error) {
	files := []struct{ from, to string }{
		{template + ".yaml", "topology.yaml"}, {"policy.yaml", "on-call.yaml"}, {"ci.yaml", filepath.Join("ci", "topology.yaml")},
	}
	for _, f := range files {
		path := filepath.Join(dir, f.to)
		switch _, err := os.Lstat(path); {
		case err == nil:
			return nil, fmt.Errorf("%s exists already: choose another directory, or move it away", path)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%w: choose another directory", err)
		}
	}
	var written []string
	for _, f := range files {
		data, err := starter.ReadFile("starter/" + f.from)
		if err != nil {
			return written, err
		}
		path := filepath.Join(dir, f.to)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return written, err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}
