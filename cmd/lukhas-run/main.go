// Command lukhas-run runs and checks declarative resilience topologies: it supervises processes, guards HTTP upstreams and
// hosts actors as a YAML file says, and takes changes of the file while it runs.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func main() { os.Exit(execute(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// The exit codes that mean the same for every verb.
const (
	exitFailed      = 1
	exitUsage       = 64  // wrong flags or arguments
	exitNoInput     = 66  // a file that is not there or cannot be read
	exitUnavailable = 69  // no engine answers, or an address or data directory is taken
	exitBug         = 70  // a defect of ours, or a root supervisor that gave up
	exitInterrupted = 130 // Ctrl-C before there was anything to stop in order
	exitTerminated  = 143 // SIGTERM, likewise
)

// exit is an error that ends the process with a code of its own. A nil err has been reported already.
type exit struct {
	code int
	err  error
}

// Error gives the wrapped text.
func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

// Unwrap gives what happened.
func (e exit) Unwrap() error { return e.err }

// execute runs the command line and gives the process's exit code. A signal cancels the verb's context; a second one ends
// the process at once.
func execute(args []string, in io.Reader, out, errs io.Writer) int {
	return perform(newRoot(), args, in, out, errs)
}

func perform(root *cobra.Command, args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := untilSignal()
	defer stop()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	verb, err := root.ExecuteContextC(ctx)
	var e exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.failed(ctx, errs)
	default: // cobra's own: an unknown verb, flag or argument count
		fmt.Fprintf(errs, "lukhas-run: %s\nTry: %s --help\n", err, verb.CommandPath())
		return exitUsage
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "lukhas-run",
		Short:         "a declarative resilience engine: supervision, circuit breakers and steering rules from one YAML file",
		SilenceUsage:  true,
		SilenceErrors: true,
		Example: `  lukhas-run run examples/quickstart.yaml
  lukhas-run validate topology.yaml
  lukhas-run status`,
	}
	s := addSettings(root)
	root.AddCommand(newDemo())
	root.AddCommand(newStatus(s), newSteer(s), newAsk(s), newTell(s), newTest(s), newEvents(s), newJournal(s), newInit(), newRun(s), newReload(s))
	root.AddCommand(offline(s)...)
	return root
}
