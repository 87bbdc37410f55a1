package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newCompletion() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "print a script that completes verbs and flags in a shell",
		Args:      cobra.ExactArgs(1),
		ValidArgs: shells,
		Example: `  source <(lukhas-run completion bash)
  lukhas-run completion zsh > ~/.zfunc/_lukhas-run
  lukhas-run completion fish > ~/.config/fish/completions/lukhas-run.fish`,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, w := cmd.Root(), cmd.OutOrStdout()
			var err error
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(w, true)
			case "zsh":
				err = root.GenZshCompletion(w)
			case "fish":
				err = root.GenFishCompletion(w, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(w)
			default:
				return exit{exitUsage, fmt.Errorf("unknown shell %q: expected %s", args[0], strings.Join(shells, ", "))}
			}
			if err != nil {
				return exit{exitFailed, err}
			}
			return nil
		},
	}
}
