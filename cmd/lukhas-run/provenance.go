package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/spec"
)

// provenance is one value in force and the layer it comes from.
type provenance struct {
	Path  string `json:"path"`
	Value string `json:"value"` // *** for a secret
	From  string `json:"from"`  // built-in, defaults, template "worker", policy "standard", written here…
	Place string `json:"place,omitempty"`
}

// inForce are the mappings that mean their defaults when they are left out. All others mean that there is none: no guard,
// no probe, no canary.
func inForce() []string {
	return []string{"journal", "observe", "reload", "health", "restart", "mailbox", "shutdown", "persist", "intensity",
		"retention", "snapshot", "backoff", "open", "half_open", "stop"}
}

// definitions are values that only others refer to.
func definitions() []string {
	return []string{"apiVersion", "kind", "metadata", "include", "policies", "templates", "defaults", "use", "messages"}
}

func explainDefaults(cmd *cobra.Command, s *settings, f planFlags, args []string) error {
	l, err := loadPlan(cmd, s, args, f.allowMissingEnv)
	if err != nil {
		return err
	}
	top, _ := spec.Resolve(l.Set, nil) // its findings have been shown
	p := provenances{}
	p.mapping(top.Root, "", true)
	if s.output() == "json" {
		err = writeJSON(cmd.OutOrStdout(), p.out)
	} else {
		err = printProvenances(cmd.OutOrStdout(), p.out)
	}
	if err != nil {
		return exit{exitFailed, err}
	}
	return nil
}

func printProvenances(w io.Writer, all []provenance) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "PATH\tVALUE\tFROM\tPLACE")
	for _, p := range all {
		value := strings.ReplaceAll(p.Value, "\n", "\\n")
		if runes := []rune(value); len(runes) > 60 {
			value = string(runes[:59]) + "…"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.Path, strings.ReplaceAll(value, "\t", " "), p.From, p.Place)
	}
	return t.Flush()
}

// provenances collects leaf after leaf.
type provenances struct {
	out []provenance
}

// mapping visits the fields of a mapping in the table's order, given or not; top is the document itself.
func (p *provenances) mapping(v *spec.Value, path string, top bool) {
	for _, f := range v.Type.Fields {
		at := joinPath(path, f.Name)
		given := v.Entry(f.Name)
		switch {
		case slices.Contains(definitions(), f.Name), f.Name == "name" && !top, f.Name == "children":
		case given == nil && otherSide(f, v):
		case f.Name == "root" && top && given != nil:
			p.actor(given, given.At("name").Text())
		case given != nil:
			p.value(given, at)
		case f.Type.Shape == spec.Map && applies(f.Name, top, v):
			p.mapping(f.Fallback(), at, false)
		case f.Type.Shape != spec.Map && f.Fallback() != nil:
			p.leaf(f.Fallback(), at)
		}
	}
}

// applies says whether a mapping that is left out is in force with its defaults. An actor without `observe` and `health`
// has none of its own.
func applies(name string, top bool, in *spec.Value) bool {
	if !slices.Contains(inForce(), name) {
		return false
	}
	switch name {
	case "observe", "health":
		return top
	case "intensity":
		return in.Entry("children") != nil
	case "persist", "mailbox":
		return in.Entry("children") == nil
	}
	return true
}

// otherSide says that only the other kind of actor has the field: supervisors, or those they supervise.
func otherSide(f *spec.Field, in *spec.Value) bool {
	if in.Entry("children") != nil {
		return f.Side == spec.WorkerSide
	}
	return f.Side == spec.SupervisorSide
}

// actor visits an actor and those below it under their paths.
func (p *provenances) actor(v *spec.Value, path string) {
	p.mapping(v, path, false)
	for _, child := range v.Entry("children").Items() {
		p.actor(child, path+"/"+child.Field("name").Text())
	}
}

func (p *provenances) value(v *spec.Value, path string) {
	switch v.Type.Shape {
	case spec.Map:
		p.mapping(v, path, false)
	case spec.Table:
		for _, e := range v.Entries() {
			p.value(e.Value, joinPath(path, e.Key))
		}
	case spec.NamedList:
		for _, item := range v.Items() {
			p.value(item, joinPath(path, item.Entry("name").Text()))
		}
	default:
		p.leaf(v, path)
	}
}

func (p *provenances) leaf(v *spec.Value, path string) {
	one := provenance{Path: path, Value: shown(v), From: v.Origin.String()}
	if !v.Pos.IsZero() {
		one.Place = v.Pos.String()
	}
	p.out = append(p.out, one)
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// shown is a value in flow style, without secrets.
func shown(v *spec.Value) string {
	switch {
	case len(v.Entries()) > 0:
		var parts []string
		for _, e := range v.Entries() {
			parts = append(parts, e.Key+": "+shown(e.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case len(v.Items()) > 0:
		var parts []string
		for _, item := range v.Items() {
			parts = append(parts, shown(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return v.String()
}
