package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/spec"
)

// versionInfo is what is known about this binary.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Language string `json:"language"` // the apiVersion it reads
}

func buildVersion() versionInfo {
	v := versionInfo{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Language: spec.APIVersion}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func newVersion(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "the version of this binary and of the language it reads",
		Args:    cobra.NoArgs,
		Example: "  lukhas-run version\n  lukhas-run version -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := buildVersion()
			if s.output() == "json" {
				return printJSON(cmd, v)
			}
			revision := ""
			if v.Revision != "" {
				revision = " (" + v.Revision[:min(12, len(v.Revision))]
				if v.Modified {
					revision += ", modified"
				}
				revision += ")"
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "lukhas-run %s%s, language %s, %s, %s\n", v.Version, revision, v.Language, v.Go, v.Platform)
			return err
		},
	}
}
