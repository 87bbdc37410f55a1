package compiler

import (
	"strconv"

	"github.com/lukhasai/lukhas-run/spec"
)

// Setting is one effective value and where it comes from, for `plan --explain-defaults`.
type Setting struct {
	Path   string // root/services/database guard.timeout: an actor's path and the field below it, or the field alone
	Value  string // as an author would write it; *** for a secret
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
		switch f.Name {
		case "apiVersion", "kind", "include", "policies", "templates", "defaults":
			continue // not effective by themselves
		case "root":
			x.actor(top.Root.Entry("root"), "")
		default:
			x.field(top.Root, f, "", "")
		}
	}
	return x.out, diags
}

type explainer struct{ out []Setting }

// actor lists an actor's fields under its path, then those below it.
func (x *explainer) actor(v *spec.Value, above string) {
	if v == nil {
		return
	}
	path := above + v.At("name").Text()
	supervisor := v.Entry("children") != nil
	for _, f := range v.Type.Fields {
		wrongSide := supervisor && f.Side == spec.WorkerSide || !supervisor && f.Side == spec.SupervisorSide
		inherited := f.Name == "observe" && v.Entry("observe") == nil // the topology's
		if f.Name != "name" && f.Name != "children" && f.Name != "defaults" && !wrongSide && !inherited {
			x.field(v, f, path+" ", "")
		}
	}
	for _, child := range v.Entry("children").Items() {
		x.actor(child, path+"/")
	}
}

// field lists one field of v. A part with a switch of its own, or that must say something to be there, is listed only when
// it was given: the defaults of an absent guard are nobody's settings.
func (x *explainer) field(v *spec.Value, f *spec.Field, prefix, above string) {
	given := v.Entry(f.Name)
	if given == nil && (optional(f) || v.At(f.Name) == nil) {
		return
	}
	x.value(v.At(f.Name), prefix, above+f.Name)
}

// optional reports whether leaving the field out means that the part is not there.
func optional(f *spec.Field) bool {
	t := f.Type
	if t.Shape != spec.Map {
		return false
	}
	switches := t.Field("enabled") != nil && t.Policy != "restarts"
	return switches || len(t.AnyOf) > 0 || t.Policy == "guards" || needs(t)
}

func needs(t *spec.Type) bool {
	for _, f := range t.Fields {
		if f.Needed || f.Required {
			return true
		}
	}
	return false
}

func (x *explainer) value(v *spec.Value, prefix, path string) {
	switch v.Type.Shape {
	case spec.Map:
		for _, f := range v.Type.Fields {
			x.field(v, f, prefix, path+".")
		}
		return
	case spec.Table:
		for _, e := range v.Entries() {
			x.value(e.Value, prefix, path+"."+e.Key)
		}
		return
	case spec.List, spec.NamedList:
		for i, item := range v.Items() {
			name := strconv.Itoa(i)
			if n := item.Entry("name"); n != nil {
				name = n.Text()
			}
			x.value(item, prefix, path+"."+name)
		}
		return
	}
	x.out = append(x.out, Setting{Path: prefix + path, Value: v.String(), Origin: v.Origin.String(), Pos: v.Pos})
}
