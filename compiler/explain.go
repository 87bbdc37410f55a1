package compiler

import (
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/spec"
)

// Setting is one effective value and where it comes from, for `plan --explain-defaults`.
type Setting struct {
	Path   string // root/services/database.guard.timeout: an actor's path and the field below it, or the field alone
	Value  string // in flow style; *** for a secret
	Origin string // "written here", "built-in", `template "worker"`, `policy breaker "upstream"`, `policy document "on-call"`, "override"…
	Pos    spec.Pos
}

// Explain lists every effective value of a set's topology with its origin, in the order of the table of fields: what was
// written, inherited, overridden or left to the defaults. Findings are those of spec.Resolve.
func Explain(set *spec.Set, opts Options) ([]Setting, spec.Diagnostics) {
	top, diags := spec.Resolve(set, opts.Override)
	if top == nil {
		return nil, diags
	}
	var x explainer
	for _, f := range top.Root.Type.Fields {
		if f.Name == "root" {
			x.actor(top.Root.Entry("root"), "")
		} else if !slices.Contains(ineffective[:], f.Name) {
			x.field(top.Root, f, "")
		}
	}
	return x.out, diags
}

// ineffective are fields that others refer to, or that only say what is read.
var ineffective = [...]string{"apiVersion", "kind", "metadata", "include", "messages", "policies", "templates", "defaults"}

type explainer struct{ out []Setting }

// actor lists an actor's fields under its path, then those below it.
func (x *explainer) actor(v *spec.Value, above string) {
	if v == nil {
		return
	}
	path := above + v.At("name").Text()
	wrong := spec.SupervisorSide
	if v.Entry("children") != nil {
		wrong = spec.WorkerSide
	}
	for _, f := range v.Type.Fields {
		inherited := f.Name == "observe" && v.Entry("observe") == nil // the topology's
		if f.Name != "children" && f.Name != "defaults" && f.Side != wrong && !inherited {
			x.field(v, f, path+".")
		}
	}
	for _, child := range v.Entry("children").Items() {
		x.actor(child, path+"/")
	}
}

// field lists one field of v, unless leaving it out means that there is none: the defaults of an absent guard are nobody's
// settings.
func (x *explainer) field(v *spec.Value, f *spec.Field, above string) {
	effective := v.At(f.Name)
	if f.Name == "use" || f.Name == "name" || effective == nil || v.Entry(f.Name) == nil && optional(f.Type) {
		return
	}
	x.value(effective, above+f.Name)
}

// optional reports whether a mapping that is left out is not there, instead of being there with its defaults.
// What has a switch is not there, but for the journal and for patterns (which have actions), which are on until switched off.
func optional(t *spec.Type) bool {
	switch {
	case t.Shape != spec.Map:
		return false
	case t.Field("enabled") != nil && t.Title != "journal" && t.Field("then") == nil, len(t.AnyOf) > 0, t.Policy == "guards":
		return true
	}
	return slices.ContainsFunc(t.Fields, func(f *spec.Field) bool { return f.Needed || f.Required })
}

func (x *explainer) value(v *spec.Value, path string) {
	switch v.Type.Shape {
	case spec.Map:
		for _, f := range v.Type.Fields {
			x.field(v, f, path+".")
		}
	case spec.Table:
		for _, e := range v.Entries() {
			x.value(e.Value, path+"."+e.Key)
		}
	case spec.NamedList:
		for _, item := range v.Items() {
			x.value(item, path+"."+item.Entry("name").Text())
		}
	default:
		x.out = append(x.out, Setting{Path: path, Value: flow(v), Origin: v.Origin.String(), Pos: v.Pos})
	}
}

// flow is a value in YAML's flow style, without secrets.
func flow(v *spec.Value) string {
	var parts []string
	switch v.Type.Shape {
	case spec.Map, spec.Table:
		for _, e := range v.Entries() {
			parts = append(parts, e.Key+": "+flow(e.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case spec.List, spec.NamedList:
		for _, item := range v.Items() {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return v.String()
}
