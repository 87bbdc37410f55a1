package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// checkup is one thing that doctor looked at.
type checkup struct {
	Name   string `json:"name"`
	Result string `json:"result"` // ok, warning, error
	Text   string `json:"text"`
	Help   string `json:"help,omitempty"` // the way out
}

const (
	fine    = "ok"
	dubious = "warning"
	broken  = "error"
)

func newDoctor(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [SPEC…]",
		Short: "check whether this machine can run a spec: watching, files, ports, permissions, clock",
		Long:  "Exit: 0, 1 when something would keep the engine from running.",
		Example: `  lukhas-run doctor
  lukhas-run doctor topology.yaml --data /var/lib/lukhas`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("output", s.output(), []string{"text", "json"}); err != nil {
				return exit{exitUsage, err}
			}
			d := doctor{paths: args, data: s.data()}
			all := d.examine()
			var err error
			if s.output() == "json" {
				err = writeJSON(cmd.OutOrStdout(), all)
			} else {
				err = printCheckups(cmd.OutOrStdout(), all)
			}
			if err != nil {
				return exit{exitFailed, err}
			}
			for _, c := range all {
				if c.Result == broken {
					return exit{code: exitFailed}
				}
			}
			return nil
		},
	}
}

func printCheckups(w io.Writer, all []checkup) error {
	for _, c := range all {
		if _, err := fmt.Fprintf(w, "%-8s %-12s %s\n", c.Result, c.Name, c.Text); err != nil {
			return err
		}
		if c.Help != "" && c.Result != fine {
			if _, err := fmt.Fprintf(w, "%-8s %-12s -> %s\n", "", "", c.Help); err != nil {
				return err
			}
		}
	}
	return nil
}

// doctor examines the machine for the specs at paths.
type doctor struct {
	paths []string
	data  string
	plan  *plan.Plan // nil without a valid spec
}

func (d *doctor) examine() []checkup {
	var all []checkup
	if len(d.paths) > 0 {
		all = append(all, d.spec())
	}
	all = append(all, d.directory(), d.clock(time.Now()))
	all = append(all, d.watching()...)
	all = append(all, d.descriptors())
	for _, path := range d.paths {
		all = append(all, d.mount(path)...)
	}
	return append(all, d.ports()...)
}

func (d *doctor) spec() checkup {
	c := checkup{Name: "spec", Result: fine}
	l, err := host.Load(host.Source{Paths: d.paths, Now: time.Now()})
	switch {
	case err != nil:
		c.Result, c.Text = broken, err.Error()
	case l.Plan == nil:
		errors, _ := l.Diagnostics.Count()
		c.Result, c.Text, c.Help = broken, plural(errors, "error", "errors"), "lukhas-run validate "+strings.Join(d.paths, " ")
	default:
		d.plan, c.Text = l.Plan, fmt.Sprintf("%s is valid, %s", l.Plan.Name, plural(len(l.Plan.Actors), "actor", "actors"))
	}
	return c
}

// directory tries to write where the engine would.
func (d *doctor) directory() checkup {
	c := checkup{Name: "data", Result: fine, Text: d.data + " can be written"}
	at := d.data
	for {
		info, err := os.Stat(at)
		if err == nil && !info.IsDir() {
			return checkup{"data", broken, at + " is not a directory", "choose another with --data"}
		}
		if err == nil || at == filepath.Dir(at) {
			break
		}
		at = filepath.Dir(at)
	}
	probe, err := os.CreateTemp(at, ".lukhas-doctor-*")
	if err != nil {
		return checkup{"data", broken, fmt.Sprintf("%s cannot be written: %v", at, reasonOf(err)), "change its permissions, or choose another with --data"}
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return checkup{"data", broken, err.Error(), ""}
	}
	if at != d.data {
		c.Text = d.data + " does not exist yet and can be made"
	}
	return c
}

func reasonOf(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// ports tries every listener's address.
func (d *doctor) ports() []checkup {
	if d.plan == nil {
		return nil
	}
	var all []checkup
	for i := range d.plan.Gateway {
		l := &d.plan.Gateway[i]
		c := checkup{Name: "port", Result: fine, Text: fmt.Sprintf("%s is free for listener %s", l.Listen, l.Name)}
		socket, err := net.Listen("tcp", l.Listen)
		if err == nil {
			err = socket.Close()
		}
		if err != nil {
			c.Result, c.Text, c.Help = broken, fmt.Sprintf("listener %s: %v", l.Name, err), "stop who holds the address, or change `listen`; a running engine holds its own"
		}
		all = append(all, c)
	}
	return all
}

// clock distrusts a clock that lies in the past of this program.
func (d *doctor) clock(now time.Time) checkup {
	const earliest = 2025
	switch {
	case now.Year() < earliest:
		return checkup{"clock", broken, "it is " + now.Format(time.RFC3339) + ", which cannot be", "set the clock: the journal orders incidents by it"}
	case !clockSynchronised():
		return checkup{"clock", dubious, now.UTC().Format(time.RFC3339) + ", not synchronised with others", "run chrony or systemd-timesyncd: times of several machines are compared"}
	}
	return checkup{"clock", fine, now.UTC().Format(time.RFC3339), ""}
}
