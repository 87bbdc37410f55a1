package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

// export is one call of the verb.
type export struct {
	s            *settings
	as           string
	since, until string
	slice        scenario.Slice
	topology     string
	file         string
	force        bool

	errs io.Writer
}

func newJournalExport(s *settings) *cobra.Command {
	x := &export{s: s}
	cmd := &cobra.Command{
		Use:   "export --as scenario",
		Short: "turn a part of the journal into a scenario: its load, its faults, what it decided",
		Long: "The newest run of the engine, or what of it the flags leave, becomes a scenario that can be tested: recorded calls are its load,\n" +
			"failures and commands its timeline, decisions its expectations. Review what it expects. With --file the calls are written beside\n" +
			"it; journal.record: [calls, messages, payloads] in the topology keeps them.",
		Args: cobra.NoArgs,
		Example: `  lukhas-run journal export --as scenario --file incident.yaml
  lukhas-run journal export --as scenario --since 2026-11-23T06:00:00Z --until 2026-11-23T06:10:00Z
  lukhas-run test incident.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error { return x.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&x.as, "as", "scenario", "what it becomes: scenario")
	f.StringVar(&x.since, "since", "", "from this `TIME` on (2026-11-23T06:00:00Z), or only the last of so much time (10m)")
	f.StringVar(&x.until, "until", "", "until this `TIME`, or until so long ago")
	f.Uint64Var(&x.slice.From, "from", 0, "from the event with this number on")
	f.Uint64Var(&x.slice.To, "to", 0, "to the event with this number")
	f.StringVar(&x.slice.Actor, "actor", "", "only what concerns this actor and those below it")
	f.StringVar(&x.slice.Correlation, "correlation", "", "only this incident or request")
	f.StringVar(&x.topology, "topology", "", "the topology's `FILE`; default: the one that the journal names")
	f.StringVar(&x.file, "file", "", "write to `FILE`, and recorded calls to a file beside it, instead of standard output")
	f.BoolVar(&x.force, "force", false, "replace files that exist")
	return cmd
}

func (x *export) run(cmd *cobra.Command) error {
	x.errs = cmd.ErrOrStderr()
	if err := x.settle(time.Now()); err != nil {
		return exit{exitUsage, err}
	}
	r, err := openJournal(x.s)
	if err != nil {
		return err
	}
	in, err := scenario.ReadIncident(r, x.slice)
	if err != nil {
		return exit{exitFailed, err}
	}
	if in.First == 0 {
		return exit{exitNoInput, errors.New("no event of the journal is within these bounds")}
	}
	src, err := x.source(in)
	if err != nil {
		return err
	}
	if err := x.write(cmd.OutOrStdout(), in, src); err != nil {
		return err
	}
	if len(in.Damage) > 0 {
		return exit{code: exitFailed}
	}
	return nil
}

// settle checks the flags.
func (x *export) settle(now time.Time) error {
	if err := x.s.outputs("text"); err != nil {
		return err
	}
	if err := oneOf("as", x.as, []string{"scenario"}); err != nil {
		return err
	}
	var err error
	if x.slice.Since, err = moment("since", x.since, now); err != nil {
		return err
	}
	x.slice.Until, err = moment("until", x.until, now)
	return err
}

// moment reads a time, or a span before now; zero for "".
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if span, err := time.ParseDuration(text); err == nil && span > 0 {
		return now.Add(-span), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	return time.Time{}, fmt.Errorf("--%s %q: expected a time such as 2026-11-23T06:00:00Z, or a span such as 10m", flag, text)
}

func (x *export) say(format string, args ...any) {
	fmt.Fprintf(x.errs, "lukhas-run: "+format+"\n", args...)
}

// source finds the topology that ran, as it is on disk now.
func (x *export) source(in *scenario.Incident) (scenario.Source, error) {
	var src scenario.Source
	files := in.Files
	if x.topology != "" {
		files = []string{x.topology}
	}
	if len(files) == 0 {
		return src, exit{exitUsage, errors.New("the journal does not say which file the topology was read from; name it with --topology FILE")}
	}
	loaded, err := host.Load(host.Source{Paths: files})
	if err != nil {
		return src, exit{exitNoInput, err}
	}
	if loaded.Plan == nil {
		if err := spec.Render(x.errs, loaded.Diagnostics, loaded.Set.Files, x.s.color(x.errs)); err != nil {
			return src, exit{exitFailed, err}
		}
		return src, exit{exitFailed, fmt.Errorf("the topology in %s does not compile as it is now", strings.Join(files, ", "))}
	}
	if len(files) > 1 {
		x.say("the engine ran with %d files, and a scenario names one: %s", len(files), files[0])
	}
	switch now := loaded.Plan.Digest().String(); {
	case now == in.Digest:
	case slices.Contains(in.Later, now):
		src.Reloads = slices.Index(in.Later, now) + 1
	default:
		x.say("%s has been changed since: what runs in the scenario is what it says now", files[0])
	}
	src.Topology, src.Plan = files[0], loaded.Plan
	return src, nil
}

// write makes the scenario and says what of the journal it could not tell.
func (x *export) write(out io.Writer, in *scenario.Incident, src scenario.Source) error {
	path, topology := x.file, src.Topology
	if path == "" {
		path = "incident.yaml"
	} else {
		src.Recording = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) + ".calls.jsonl"
	}
	var err error
	if src.Topology, err = relative(path, topology); err != nil {
		return exit{exitFailed, err}
	}
	draft := in.Draft(src)
	if len(draft.Recording) > 0 {
		var b bytes.Buffer
		if err := scenario.WriteArrivals(&b, draft.Recording); err != nil {
			return exit{exitFailed, err}
		}
		if err := x.create(filepath.Join(filepath.Dir(path), src.Recording), b.Bytes()); err != nil {
			return err
		}
	}
	opts, err := host.Source{Paths: []string{topology}}.Options()
	if err != nil {
		return exit{exitBug, err}
	}
	text, s, diags := scenario.Settle(path, draft.Text, opts)
	if s == nil {
		return exit{exitFailed, fmt.Errorf("the draft does not compile: %s", diags[0].Error())}
	}
	for _, note := range slices.Concat(in.Damage, draft.Notes) {
		x.say("%s", note)
	}
	if in.Left > 0 {
		x.say("%s of earlier runs are left out; --until or --to chooses such a run", count(in.Left, "event"))
	}
	if x.file == "" {
		_, err = out.Write(text)
		return err
	}
	if err := x.create(path, text); err != nil {
		return err
	}
	x.say("%s: %s; lukhas-run test %s", path, count(len(s.Expect), "expectation"), quoted(path))
	return nil
}

// create writes a file that is not there yet, unless it may be replaced.
func (x *export) create(path string, data []byte) error {
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if x.force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, how, 0o644)
	if errors.Is(err, os.ErrExist) {
		return exit{exitUsage, fmt.Errorf("%s exists; --force replaces it", path)}
	}
	if err != nil {
		return exit{exitFailed, err}
	}
	if _, err := f.Write(data); err != nil {
		return exit{exitFailed, errors.Join(err, f.Close())}
	}
	if err := f.Close(); err != nil {
		return exit{exitFailed, err}
	}
	return nil
}

// relative is a file as a scenario in the file from names it.
func relative(from, to string) (string, error) {
	base, err := filepath.Abs(filepath.Dir(from))
	if err != nil {
		return "", err
	}
	whole, err := filepath.Abs(to)
	if err != nil {
		return "", err
	}
	return filepath.Rel(base, whole)
}
