package spec

import (
	"fmt"
	"slices"
	"strings"
)

// expand puts named policies in place of `use`, in v and below.
func (r *resolver) expand(v *Value) *Value {
	if v == nil || !v.Type.holdsPolicy {
		return v
	}
	if done, ok := r.expanded[v]; ok {
		return done
	}
	out := v
	switch v.Type.Shape {
	case List, NamedList:
		out = v.mapItems(r.expand)
	default:
		out = v.mapEntries(r.expand)
	}
	if v.Type.Policy != "" && v.Has("use") {
		if named := r.policy(v.Type, v.Field("use")); named != nil {
			out = mergeEntries(named, out)
		}
	}
	r.expanded[v] = out
	return out
}

// policy returns a named policy, itself expanded; nil when there is none.
func (r *resolver) policy(t *Type, use *Value) *Value {
	id := t.Title + " " + use.text
	if done, ok := r.policies[id]; ok {
		return done
	}
	table := r.root.Entry("policies").Entry(t.Policy)
	named := table.Entry(use.text)
	if f := t.Field("policy"); named == nil && f != nil && contains(f.Type.Values, use.text) {
		*r.diags = append(*r.diags, Diagnostic{Code: "LR203", Pos: use.Pos, Message: fmt.Sprintf("unknown %s %q", t.Title, use.text),
			Suggestion: fmt.Sprintf("did you mean {policy: %s}?", use.text)})
		return nil
	}
	if named == nil {
		r.unknownRef("LR203", use.Pos, t.Title, use.text, keys(table))
		return nil
	}
	if r.circular(id, use.Pos, t.Title) {
		return nil
	}
	r.following = append(r.following, id)
	expanded := r.expand(named)
	r.following = r.following[:len(r.following)-1]
	r.policies[id] = expanded
	return expanded
}

// circular reports a policy or template that uses itself.
func (r *resolver) circular(id string, pos Pos, what string) bool {
	at := slices.Index(r.following, id)
	if at < 0 {
		return false
	}
	var names []string
	for _, step := range append(slices.Clone(r.following[at:]), id) {
		names = append(names, strings.TrimPrefix(step, what+" "))
	}
	r.errorf("LR204", pos, "%s uses itself: %s", what, strings.Join(names, " -> "))
	return true
}

// checkDefinitions resolves every named policy and template once, so that a
// mistake in one that nobody uses is reported too.
func (r *resolver) checkDefinitions() {
	for _, kind := range r.root.Entry("policies").Entries() {
		for _, e := range kind.Value.Entries() {
			r.policy(kind.Value.Type.Elem, &Value{Type: nameType, text: e.Key, Pos: e.KeyPos})
		}
	}
	for _, e := range r.root.Entry("templates").Entries() {
		r.template(&Value{Type: nameType, text: e.Key, Pos: e.KeyPos})
	}
	r.used = map[string]bool{}
}

// template returns a template with those that it uses merged below it.
func (r *resolver) template(use *Value) *Value {
	r.used[use.text] = true
	if done, ok := r.templates[use.text]; ok {
		r.alsoUsed(done)
		return done
	}
	templates := r.root.Entry("templates")
	named := templates.Entry(use.text)
	if named == nil {
		r.unknownRef("LR203", use.Pos, "template", use.text, keys(templates))
		return nil
	}
	id := "template " + use.text
	if r.circular(id, use.Pos, "template") {
		return nil
	}
	r.following = append(r.following, id)
	merged := r.withTemplates(r.expand(named), nil)
	r.following = r.following[:len(r.following)-1]
	r.templates[use.text] = merged
	return merged
}

func (r *resolver) alsoUsed(template *Value) {
	for _, use := range template.Field("use").Items() {
		if !r.used[use.text] {
			r.template(use)
		}
	}
}

// withTemplates lays v over the templates it uses, and those over base.
func (r *resolver) withTemplates(v, base *Value) *Value {
	broken := false
	for _, use := range v.Field("use").Items() {
		template := r.template(use)
		broken = broken || template == nil
		base = Merge(base, template.as(v.Type))
	}
	merged := Merge(base, v)
	if broken && !merged.broken {
		out := *merged
		out.broken = true
		return &out
	}
	return merged
}

// as gives a mapping another type that has the same fields.
func (v *Value) as(t *Type) *Value {
	if v == nil || v.Type == t {
		return v
	}
	out := *v
	out.Type = t
	return &out
}

// tree resolves the supervision tree.
func (r *resolver) tree(root *Value) *Value {
	name := root.At("name").Text()
	return r.actor(root, r.expand(r.root.Entry("defaults")), name)
}

// actor resolves one actor and all below it; inherited are the defaults from
// above, outer to inner already merged.
func (r *resolver) actor(v, inherited *Value, path string) *Value {
	children := v.Field("children")
	own := v.mapEntries(func(e *Value) *Value {
		if e == children {
			return e
		}
		return r.expand(e)
	})
	merged := r.withTemplates(own, inherited.forSide(own))
	for _, c := range r.changes {
		if c.key == path || c.key == path[strings.LastIndexByte(path, '/')+1:] {
			c.matched = append(c.matched, path)
			merged = Merge(merged, r.expand(c.value).as(v.Type))
		}
	}
	children = merged.Field("children")
	if children == nil {
		return merged
	}
	inner := Merge(inherited, merged.Field("defaults"))
	resolved := children.mapItems(func(child *Value) *Value {
		return r.actor(child, inner, path+"/"+child.nameText())
	})
	r.replicaNames(children)
	if resolved == children {
		return merged
	}
	out := *merged
	out.entries = append([]Entry{}, merged.entries...)
	out.set("children", resolved)
	return &out
}

// forSide turns inherited defaults into a layer of an actor: only the fields
// that its kind takes.
func (v *Value) forSide(actor *Value) *Value {
	if v == nil {
		return nil
	}
	wrong := SupervisorSide
	if actor.Has("children") {
		wrong = WorkerSide
	}
	out := *v
	out.Type, out.entries = actor.Type, make([]Entry, 0, len(v.entries))
	for _, e := range v.entries {
		if actor.Type.Field(e.Key).Side != wrong {
			out.entries = append(out.entries, e)
		}
	}
	return &out
}

// replicaNames reports siblings called like another's replica.
func (r *resolver) replicaNames(children *Value) {
	for _, child := range children.items {
		replicas := child.Field("replicas").Int()
		if replicas == 0 {
			continue
		}
		for _, other := range children.items {
			suffix, found := strings.CutPrefix(other.nameText(), child.nameText()+"-")
			if !found || !onlyDigits(suffix) || len(suffix) > 1 && suffix[0] == '0' {
				continue
			}
			var n int64
			if _, err := fmt.Sscan(suffix, &n); err == nil && n < replicas {
				r.second(other.Entry("name").Pos, child.Entry("name").Pos, "actor", other.nameText())
			}
		}
	}
}

// unmatched reports changes of actors that do not exist or are ambiguous.
func (r *resolver) unmatched() {
	for _, c := range r.changes {
		switch {
		case len(c.matched) == 0:
			r.unknownRef("LR203", c.pos, "actor", c.key, actorNames(r.root.Entry("root")))
		case len(c.matched) > 1:
			r.errorf("LR206", c.pos, "%q is ambiguous; write one of %s", c.key, strings.Join(c.matched, ", "))
		}
	}
}

func actorNames(v *Value) []string {
	var names []string
	for _, child := range v.Entry("children").Items() {
		names = append(append(names, child.nameText()), actorNames(child)...)
	}
	return names
}

// unused warns about templates that no actor uses.
func (r *resolver) unused() {
	for _, e := range r.root.Entry("templates").Entries() {
		if !r.used[e.Key] {
			*r.diags = append(*r.diags, Diagnostic{Severity: Warning, Code: "LR205", Pos: e.KeyPos, Message: fmt.Sprintf("template %q is never used", e.Key)})
		}
	}
}

// complete reports what is missing once everything is merged. Definitions
// (policies, templates, defaults) may be partial.
func (r *resolver) complete(v *Value) {
	if v == nil || v.Type == r.lang.policies || v.Type == r.lang.defaults || v.Type == r.lang.override {
		return
	}
	if enabled := v.Entry("enabled"); enabled != nil && enabled.Type == boolType && !enabled.Bool() {
		return
	}
	if v.Type.Shape == Map {
		r.lacking(v)
	}
	for _, e := range v.entries {
		if v.Type == r.lang.topology && e.Key == "templates" {
			continue
		}
		r.complete(e.Value)
	}
	for _, item := range v.items {
		r.complete(item)
	}
}

func (r *resolver) lacking(v *Value) {
	if v.broken {
		return
	}
	name := v.Type.Title
	if given := v.Entry("name"); given != nil {
		name += fmt.Sprintf(" %q", given.Text())
	}
	pos := v.Pos
	if !v.KeyPos.IsZero() {
		pos = v.KeyPos
	}
	for _, f := range v.Type.Fields {
		if f.Needed && v.Entry(f.Name) == nil {
			r.errorf("LR107", pos, "%q is missing in %s", f.Name, name)
		}
	}
	if group := v.Type.AnyOf; len(group) > 0 && !slices.ContainsFunc(group, func(f string) bool { return v.Entry(f) != nil }) {
		if len(group) > 8 {
			group = append(slices.Clone(group[:7]), "…")
		}
		r.errorf("LR107", pos, "%s needs one of %s", name, strings.Join(group, ", "))
	}
}
