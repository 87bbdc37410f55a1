package main

import (
	"encoding/json"
	"fmt"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine/admin"
)

func newAsk(s *settings) *cobra.Command {
	var r admin.AskRequest
	cmd := &cobra.Command{
		Use:     "ask ACTOR MESSAGE [JSON]",
		Short:   "send a message through the actor's guard and print the reply",
		Args:    cobra.RangeArgs(2, 3),
		Example: `  lukhas-run ask worker price '{"grams": 250}'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.Timeout <= 0 {
				return exit{exitUsage, fmt.Errorf("--timeout %s: expected more than 0", r.Timeout)}
			}
			c, err := request(s, &r, args)
			if err != nil {
				return err
			}
			reply, err := c.Ask(cmd.Context(), r)
			if err != nil {
				return reached(err)
			}
			return printJSON(cmd, reply)
		},
	}
	askFlags(cmd, &r)
	cmd.Flags().DurationVar(&r.Timeout, "timeout", 10*time.Second, "how long to wait for the reply")
	return cmd
}

func newTell(s *settings) *cobra.Command {
	var r admin.AskRequest
	cmd := &cobra.Command{
		Use:     "tell ACTOR MESSAGE [JSON]",
		Short:   "send a message without waiting for what it does",
		Args:    cobra.RangeArgs(2, 3),
		Example: `  lukhas-run tell worker-1 break '{"seconds": 20}'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := request(s, &r, args)
			if err != nil {
				return err
			}
			return reached(c.Tell(cmd.Context(), r))
		},
	}
	askFlags(cmd, &r)
	return cmd
}

func askFlags(cmd *cobra.Command, r *admin.AskRequest) {
	cmd.Flags().StringVar(&r.Correlation, "correlation", "", "id to find the message's events by; default: a new one")
	cmd.Flags().BoolVar(&r.Idempotent, "idempotent", false, "the message may be retried")
}

// request fills r from the arguments and gives the client to send it with.
func request(s *settings, r *admin.AskRequest, args []string) (*admin.Client, error) {
	r.Actor, r.Message = args[0], args[1]
	if len(args) == 3 {
		if err := json.Unmarshal([]byte(args[2]), &r.Payload); err != nil {
			return nil, exit{exitUsage, fmt.Errorf("the payload %q is not JSON: %w", args[2], err)}
		}
	}
	return s.client()
}

func printJSON(cmd *cobra.Command, value any) error {
	if err := writeJSON(cmd.OutOrStdout(), value); err != nil {
		return exit{exitFailed, err}
	}
	return nil
}

// operator is who runs this command, for the journal.
func operator() string {
	u, err := user.Current()
	if err != nil {
		return "operator"
	}
	return u.Username
}
