package main

import (
	"fmt"
	"strings"
)

// reference is docs/cli.md: every verb with its flags, read off the commands.
func reference(root page) string {
	var b strings.Builder
	b.WriteString("# The command line\n\nGenerated from the commands themselves; `lukhas-run VERB --help` prints the same on a terminal, `lukhas-run man` as manual pages.\n\n")
	b.WriteString(environment + "\n\n| verb | does |\n|---|---|\n")
	for _, v := range root.below {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", strings.TrimPrefix(v.name, "lukhas-run "), anchor(v.name), cell(v.short))
	}
	b.WriteString("\n## Flags of every verb\n\n" + flagTable(root.flags))
	b.WriteString("\n## Exit codes\n\nThe same for every verb; a verb's own are told with it.\n\n| code | means |\n|---|---|\n")
	for _, c := range exitCodes() {
		fmt.Fprintf(&b, "| %d | %s |\n", c.code, cell(c.doc))
	}
	for _, v := range root.below {
		b.WriteString(v.section("##"))
	}
	b.WriteString(reportReference)
	return b.String()
}

// section documents a verb, and below it its own verbs.
func (p page) section(heading string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s %s\n\n%s\n\n```\n%s\n```\n", heading, p.name, sentence(p.short), p.usage)
	if p.long != "" {
		fmt.Fprintf(&b, "\n%s\n", p.long)
	}
	if len(p.aliases) > 0 {
		fmt.Fprintf(&b, "\nAlso called `%s`.\n", strings.Join(p.aliases, "`, `"))
	}
	if len(p.flags) > 0 {
		b.WriteString("\n" + flagTable(p.flags))
	}
	if len(p.example) > 0 {
		fmt.Fprintf(&b, "\n```sh\n%s\n```\n", strings.Join(p.example, "\n"))
	}
	for _, v := range p.below {
		b.WriteString(v.section(heading + "#"))
	}
	return b.String()
}

func flagTable(flags []pageFlag) string {
	var b strings.Builder
	b.WriteString("| flag | default | |\n|---|---|---|\n")
	for _, f := range flags {
		value := ""
		if f.value != "" {
			value = "`" + f.value + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.names, cell(value), cell(f.doc))
	}
	return b.String()
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func anchor(name string) string { return strings.ReplaceAll(name, " ", "-") }

// reportReference documents the machine-readable reports.
const reportReference = `
## Reports of validate

` + "`-o json`" + ` is one object. Its shape is stable: while ` + "`version`" + ` is 1, fields may be added, none is renamed or removed. Lines and columns count from 1,
columns in characters; 0 is unknown.

` + "```json" + `
{
  "version": 1,
  "ok": false,
  "errors": 1,
  "warnings": 0,
  "summary": {"topologies": 1, "policies": 0, "scenarios": 0, "actors": 0, "breakers": 0, "rules": 0},
  "files": ["topology.yaml"],
  "diagnostics": [
    {
      "severity": "error",
      "code": "LR104",
      "message": "unknown field \"failurs\" in policies.breakers.payments.trip",
      "place": {"file": "topology.yaml", "line": 14, "column": 23, "length": 7},
      "suggestion": "did you mean \"failures\"?"
    }
  ]
}
` + "```" + `

` + "`-o sarif`" + ` is SARIF 2.1.0 for code scanning, ` + "`-o github`" + ` are workflow commands that become annotations, ` + "`-o junit`" + ` has a suite for each file and a failed case
for each error. ` + "`plan -o json`" + ` and ` + "`plan --out`" + ` have ` + "`version`, `name`, `old_digest`, `new_digest`, `class`" + ` (the costliest), ` + "`counts`" + ` by class and ` + "`changes`" + `,
each with ` + "`path`, `actor`, `class`, `old`, `new`" + `.
`
