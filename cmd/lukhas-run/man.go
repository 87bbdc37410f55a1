package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func newMan(s *settings) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "man [VERB]",
		Short:   "print the manual page of this binary or of one verb, or write all of them",
		Args:    cobra.ArbitraryArgs,
		Example: "  lukhas-run man | man -l -\n  lukhas-run man --dir /usr/local/share/man/man1",
		RunE: func(cmd *cobra.Command, args []string) error {
			root := pageOf(cmd.Root())
			if dir != "" {
				return writeManuals(cmd.ErrOrStderr(), s, dir, root)
			}
			p, ok := root.find(args)
			if !ok {
				return exit{exitUsage, fmt.Errorf("there is no verb %q", strings.Join(args, " "))}
			}
			if _, err := io.WriteString(cmd.OutOrStdout(), p.roff()); err != nil {
				return exit{exitFailed, err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "write the pages of all verbs into this `DIR`")
	return cmd
}

// find follows names down to a verb's page.
func (p page) find(names []string) (page, bool) {
	if len(names) == 0 {
		return p, true
	}
	for _, b := range p.below {
		if strings.HasSuffix(b.name, " "+names[0]) {
			return b.find(names[1:])
		}
	}
	return page{}, false
}

func writeManuals(w io.Writer, s *settings, dir string, root page) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return exit{exitFailed, err}
	}
	pages := root.all()
	for _, p := range pages {
		file := filepath.Join(dir, strings.ReplaceAll(p.name, " ", "-")+".1")
		if err := os.WriteFile(file, []byte(p.roff()), 0o644); err != nil {
			return exit{exitFailed, err}
		}
	}
	if !s.quiet() {
		fmt.Fprintf(w, "wrote %s to %s\n", plural(len(pages), "page", "pages"), dir)
	}
	return nil
}

// all lists the page and those below it.
func (p page) all() []page {
	pages := []page{p}
	for _, b := range p.below {
		pages = append(pages, b.all()...)
	}
	return pages
}

// roff writes the page in the manual's macros, of which it needs a handful.
func (p page) roff() string {
	var b strings.Builder
	title := strings.ReplaceAll(p.name, " ", "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"lukhas-run\" \"lukhas-run manual\"\n.SH NAME\n%s \\- %s\n", roffText(strings.ToUpper(title)), roffText(title), roffText(p.short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roffText(p.usage))
	b.WriteString(".SH DESCRIPTION\n" + roffText(sentence(p.short)) + "\n")
	if p.long != "" {
		fmt.Fprintf(&b, ".PP\n%s\n", roffText(p.long))
	}
	if len(p.aliases) > 0 {
		fmt.Fprintf(&b, ".PP\nAlso called: %s.\n", roffText(strings.Join(p.aliases, ", ")))
	}
	if len(p.flags) > 0 {
		b.WriteString(".SH OPTIONS\n")
		for _, f := range p.flags {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roffText(f.names), roffText(f.text()))
		}
	}
	if len(p.example) > 0 {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roffText(strings.Join(p.example, "\n")))
	}
	if !strings.Contains(p.name, " ") {
		b.WriteString(".SH VERBS\n")
		for _, v := range p.below {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roffText(v.usage), roffText(v.short))
		}
		b.WriteString(".SH SETTINGS\n" + roffText(environment) + "\n.SH EXIT STATUS\n")
		for _, c := range exitCodes() {
			fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", c.code, roffText(c.doc))
		}
	}
	return b.String()
}

func (f pageFlag) text() string {
	if f.value == "" {
		return f.doc
	}
	return f.doc + " (default " + f.value + ")"
}

// sentence makes a verb's short text one.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

// roffText keeps text from being taken for requests, options from becoming dashes.
func roffText(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
