package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine"
)

// steerVerbs are the actions an operator may ask for.
const steerVerbs = "pause resume restart stop inject set-state quarantine release force-open force-close reset scale set-param adopt run"

func newSteer(s *settings) *cobra.Command {
	var want engine.Steer
	var payload string
	cmd := &cobra.Command{
		Use:   "steer VERB TARGET [ARGUMENT]",
		Short: "act on the running engine: " + strings.ReplaceAll(steerVerbs, " ", ", "),
		Long: "TARGET is an actor's name or path, a breaker's name, or a glob (* is a level, ** all levels).\n" +
			"ARGUMENT is the message that inject sends, set-state's new state as JSON, the number of replicas that scale\n" +
			"gives a group, or, with TARGET a param, the value that set-param gives it. adopt puts an actor that has\n" +
			"adopt: true under another supervisor; it goes on as it is. What scale, set-param and adopt change lies over\n" +
			"the files until --for is over or a reload changes the same thing.",
		Args:      cobra.RangeArgs(2, 3),
		ValidArgs: strings.Fields(steerVerbs),
		Example: `  lukhas-run steer pause worker-1
  lukhas-run steer quarantine worker-2 --for 30s --reason "disk is slow"
  lukhas-run steer force-open rates
  lukhas-run steer inject shop tick
  lukhas-run steer set-state shop '{"orders": 0}'
  lukhas-run steer scale worker 5 --for 10m
  lukhas-run steer scale worker --by -1
  lukhas-run steer set-param slow 1200ms
  lukhas-run steer adopt worker --under root/spare`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := limits(cmd.Flags(), want, args[0]); err != nil {
				return exit{exitUsage, err}
			}
			if err := wish(&want, args, payload); err != nil {
				return exit{exitUsage, err}
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			if err := c.Steer(cmd.Context(), want, operator()); err != nil {
				return reached(err)
			}
			if !s.quiet() {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: done\n", strings.Join(args, " "))
			}
			return nil
		},
	}
	cmd.SetFlagErrorFunc(orFewer)
	f := cmd.Flags()
	f.DurationVar(&want.For, "for", 0, "undo it after this time")
	f.StringVar(&want.Reason, "reason", "", "why, for the journal")
	f.StringVar(&payload, "payload", "", "JSON: inject's payload, set-state's state or set-param's value")
	f.Float64Var(&want.MaxShare, "max-share", 0, "quarantine: at most this share of the group, 0..1")
	f.StringVar(&want.Text, "under", "", "adopt: the supervisor that the actor comes under")
	f.IntVar(&want.By, "by", 0, "scale: so many more replicas, or fewer when negative")
	return cmd
}

// limits checks the flags that bound an action.
func limits(f *pflag.FlagSet, want engine.Steer, verb string) error {
	switch {
	case f.Changed("for") && want.For <= 0:
		return fmt.Errorf("--for %s: expected more than 0; without --for it lasts until it is undone", want.For)
	case f.Changed("max-share") && verb != "quarantine":
		return fmt.Errorf("--max-share belongs to quarantine, not to %s", verb)
	}
	return nil
}

// orFewer tells what a negative number of replicas, which looks like a flag, is written as.
func orFewer(_ *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	if n, bad := strconv.Atoi(unknown.GetSpecifiedShortnames()); bad == nil {
		return fmt.Errorf("%w; for fewer replicas write scale TARGET --by -%d", err, n)
	}
	return err
}

// wish fills in what the arguments say.
func wish(want *engine.Steer, args []string, payload string) error {
	if err := oneOfVerbs(args[0]); err != nil {
		return err
	}
	want.Verb, want.Target = strings.ReplaceAll(args[0], "-", "_"), args[1]
	if payload != "" {
		if err := json.Unmarshal([]byte(payload), &want.Payload); err != nil {
			return fmt.Errorf("--payload %q is not JSON: %w", payload, err)
		}
	}
	if want.By != 0 && want.Verb != "scale" {
		return fmt.Errorf("--by belongs to scale, not to %s", args[0])
	}
	if (want.Text != "") != (want.Verb == "adopt") {
		return fmt.Errorf("adopt and --under belong together: steer adopt %s --under SUPERVISOR", args[1])
	}
	argument := strings.Join(args[2:], "")
	switch want.Verb {
	case "run":
		want.Target, want.Text = "", args[1]
	case "scale":
		return wishReplicas(want, argument)
	case "set_param":
		return wishParam(want, argument)
	case "set_state":
		return wishState(want, argument)
	case "inject":
		want.Message = argument
	default:
		if argument != "" {
			return fmt.Errorf("%s takes nothing after its target, got %q", args[0], argument)
		}
	}
	return nil
}

func wishState(want *engine.Steer, argument string) error {
	if (argument == "") == (want.Payload == nil) {
		return fmt.Errorf("the new state: steer set-state %s '{\"n\": 1}', or with --payload", want.Target)
	}
	if argument == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(argument), &want.Payload); err != nil {
		return fmt.Errorf("%q is no state, which is JSON: %w", argument, err)
	}
	return nil
}

func wishReplicas(want *engine.Steer, argument string) error {
	n, err := strconv.Atoi(argument)
	switch {
	case argument == "" && want.By == 0:
		return fmt.Errorf("how many replicas: steer scale %s 5, or --by 2", want.Target)
	case argument == "":
		return nil
	case want.By != 0:
		return errors.New("give a number of replicas or --by, not both")
	case err == nil && n < 0:
		return fmt.Errorf("%d is no number of replicas; for fewer write steer scale %s --by %d", n, want.Target, n)
	case err != nil || n < 1:
		return fmt.Errorf("%q is no number of replicas; write a whole number of at least 1, or --by", argument)
	}
	want.Count = n
	return nil
}

func wishParam(want *engine.Steer, argument string) (err error) {
	want.Text, want.Target = want.Target, ""
	switch {
	case (argument == "") == (want.Payload == nil):
		return fmt.Errorf("the new value: steer set-param %s VALUE, or as JSON with --payload", want.Text)
	case argument != "":
		want.Payload, err = compiler.ParamValue(argument)
	}
	return err
}

func oneOfVerbs(verb string) error {
	for _, v := range strings.Fields(steerVerbs) {
		if v == verb {
			return nil
		}
	}
	return fmt.Errorf("unknown verb %q: expected one of %s", verb, strings.ReplaceAll(steerVerbs, " ", ", "))
}
