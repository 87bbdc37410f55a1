package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// page is what is documented about one verb, read off the command itself, so that help, manual and web page agree.
type page struct {
	name    string // lukhas-run plan
	usage   string
	short   string
	long    string
	aliases []string
	example []string // lines, not indented
	flags   []pageFlag
	below   []page // verbs of a verb
}

type pageFlag struct {
	names string // -o, --output string
	doc   string
	value string // default, "" when there is none
}

// pageOf documents a command and those below it, hidden ones left out.
func pageOf(cmd *cobra.Command) page {
	p := page{name: cmd.CommandPath(), usage: strings.TrimSuffix(cmd.UseLine(), " [flags]"), short: cmd.Short, long: cmd.Long, aliases: cmd.Aliases}
	for line := range strings.Lines(strings.Trim(cmd.Example, "\n")) {
		p.example = append(p.example, strings.TrimPrefix(strings.TrimRight(line, "\n"), "  "))
	}
	flags := cmd.LocalNonPersistentFlags()
	if !cmd.HasParent() {
		flags = cmd.PersistentFlags()
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			p.flags = append(p.flags, flagOf(f))
		}
	})
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			p.below = append(p.below, pageOf(c))
		}
	}
	return p
}

func flagOf(f *pflag.Flag) pageFlag {
	kind, doc := pflag.UnquoteUsage(f)
	names := "--" + f.Name
	if f.Shorthand != "" {
		names = "-" + f.Shorthand + ", " + names
	}
	if kind != "" {
		names += " " + kind
	}
	value := f.DefValue
	if value == "false" || value == "[]" || value == "0s" || value == "0" {
		value = ""
	}
	return pageFlag{names: names, doc: doc, value: value}
}

// exitCode is one row of the exit codes that all verbs share.
type exitCode struct {
	code int
	doc  string
}

func exitCodes() []exitCode {
	return []exitCode{
		{0, "all is well"},
		{exitFailed, "the verb failed, or found errors"},
		{exitUsage, "wrong flags or arguments"},
		{exitNoInput, "a file is not there or cannot be read"},
		{exitUnavailable, "no engine answers, or an address or data directory is taken"},
		{exitBug, "a defect of lukhas-run, or a root supervisor that gave up"},
		{exitInterrupted, "cut short by Ctrl-C, 143 by SIGTERM; a run or a follow that is stopped in order is well: 0"},
	}
}

// environment says how settings are found.
const environment = "Flags win over LUKHAS_* variables (LUKHAS_DATA, LUKHAS_LOG_LEVEL…), those over the settings file of --config, " +
	"that over the defaults. Settings are for the process, never for the spec. People read standard error, machines standard output; " +
	"colours appear only on a terminal, and never with NO_COLOR."
