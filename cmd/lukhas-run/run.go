package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/spec"
)

func newRun(s *settings) *cobra.Command {
	var watch bool
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "run SPEC…",
		Short: "run the engine: supervise, guard, steer, journal, and take changes of the files",
		Long: "Ctrl-C or SIGTERM stops everything in order, what started last first; that ends with exit code 0. A second signal\n" +
			"ends the process at once, and one before everything is ready makes it 130 or 143.",
		Args: cobra.MinimumNArgs(1),
		Example: `  lukhas-run run examples/quickstart.yaml
  lukhas-run run topology.yaml on-call.yaml --data /var/lib/lukhas`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if lasts < 0 {
				return exit{exitUsage, fmt.Errorf("--for %s: expected more than 0", lasts)}
			}
			return run(cmd, s, lasts, host.Options{
				Source: host.Source{Paths: args, Stdin: cmd.InOrStdin(), Now: time.Now()},
				Data:   s.data(), Version: buildVersion().Version, Watch: watch,
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", true, "take changes of the files while running")
	cmd.Flags().DurationVar(&lasts, "for", 0, "stop this long after everything is ready; 0: run until Ctrl-C")
	return cmd
}

// run starts the engine, shows its events, and stops it on Ctrl-C, when it has lasted, or when it ends by itself.
func run(cmd *cobra.Command, s *settings, lasts time.Duration, o host.Options) error {
	outliveReaders()
	ctx := cmd.Context()
	errs := cmd.ErrOrStderr()
	log := observe.NewLog(errs, observe.LogOptions{
		Format: s.v.GetString("log-format"), Level: logLevel(s), Color: s.color(errs),
	})
	events := observe.NewStream(8192)
	banner := make(chan string)
	shown := show(events, log, banner, errs)
	defer func() { events.Close(); <-shown }()
	o.Events = events
	h, err := host.Start(ctx, o)
	if err != nil {
		return startFailed(ctx, err, errs, s.color(errs))
	}
	if !s.quiet() && s.v.GetString("log-format") == "console" {
		select {
		case banner <- greeting(h.Status(), o.Source.Paths):
		case <-shown:
		}
	}
	stop := onHangup(h)
	defer stop()
	if lasts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lasts)
		defer cancel()
	}
	select {
	case <-ctx.Done():
		h.Stop(why(ctx))
	case <-h.Done():
	}
	<-h.Done()
	code, reason := h.Result()
	if code == 0 {
		return nil
	}
	return exit{code, errors.New(reason)}
}

func logLevel(s *settings) string {
	if s.quiet() {
		return "error"
	}
	return s.v.GetString("log-level")
}

func why(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "the time given by --for is over"
	}
	return "interrupted"
}

// show writes events as they come, and a banner to w after all that came before it; the channel closes when the stream
// has ended and all are written.
func show(events *observe.Stream, log *observe.Log, banner <-chan string, w io.Writer) <-chan struct{} {
	done := make(chan struct{})
	sub := events.Subscribe(8192, 0)
	go func() {
		defer close(done)
		for more := true; more; {
			text := ""
			select {
			case <-sub.Wake():
			case text = <-banner:
			}
			var list []journal.Event
			var dropped uint64
			list, dropped, more = sub.Take()
			if dropped > 0 {
				log.Note("warn", fmt.Sprintf("%d lines are not shown: the terminal is too slow (the journal has them)", dropped), time.Now())
			}
			for _, e := range list {
				log.Write(e)
			}
			fmt.Fprint(w, text)
		}
	}()
	return done
}

// outliveReaders makes a write to a pipe that nobody reads any more an error instead of the engine's death: the journal
// still has what the log lost.
func outliveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// onHangup reloads on SIGHUP, as daemons do.
func onHangup(h *host.Host) (stop func()) {
	c := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(c, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range c {
			_, _ = h.Reload(context.Background(), admin.ReloadRequest{By: "SIGHUP"}) // the verdict is an event
		}
	}()
	return func() {
		signal.Stop(c)
		close(c)
		<-done
	}
}

// greeting says what runs, where it can be reached and what to do next.
func greeting(st admin.Status, paths []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s is running: %s, %s.\n", st.Name, count(len(st.Actors), "actor"), count(len(st.Breakers), "breaker"))
	for _, l := range st.Listeners {
		fmt.Fprintf(&b, "  gateway   http://%s (%s)\n", l.Address, l.Name)
	}
	fmt.Fprintf(&b, "  status    lukhas-run status\n  edit      %s (changes apply as you save)\n  stop      Ctrl-C\n\n", strings.Join(paths, ", "))
	return b.String()
}

// startFailed shows why nothing was started and gives the exit code that fits.
func startFailed(ctx context.Context, err error, w io.Writer, color bool) error {
	var invalid *host.Invalid
	switch {
	case errors.As(err, &invalid):
		if err := spec.Render(w, invalid.Diagnostics, invalid.Files, color); err != nil {
			return exit{exitFailed, err}
		}
		return exit{code: invalidCode(invalid.Diagnostics)}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return exit{interrupted(ctx), errors.New("stopped before everything was ready")}
	case errors.Is(err, host.ErrBusy):
		return exit{exitUnavailable, err}
	default:
		return exit{exitFailed, err}
	}
}

// invalidCode tells a missing file from a wrong one.
func invalidCode(diags spec.Diagnostics) int {
	for _, d := range diags {
		if d.Code == codeMissing {
			return exitNoInput
		}
	}
	return exitFailed
}

// codeMissing is the diagnostic of a file that is not there.
const codeMissing = "LR015"

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
