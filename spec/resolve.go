package spec

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lukhasai/lukhas-run/internal/suggest"
)

// Resolve merges a set into one topology: Policy documents and the override go
// over named policies, params, rules and actors; `defaults` are inherited from
// outer to inner supervisors; templates and named policies are put in place of
// `use` (which stays, as the name); ${params.x} are filled in. The precedence
// is: built-in < defaults < supervisors', outer to inner < templates < the
// actor < Policy documents < override. Replicas are not expanded. The override
// is a Value of an Override field, or from ParseOverride, or nil.
//
// Breakers, guards, retries and restarts in the result are complete mappings;
// their field `use`, when present, tells the name of the policy they came from.
// Actors whose `enabled` is false are still there. The Topology is nil when the
// set has none.
func Resolve(set *Set, override *Value) (*Topology, Diagnostics) {
	var diags Diagnostics
	if set.Topology == nil {
		diags = append(diags, Diagnostic{Code: "LR124", Message: "no topology among the files; add a document with kind: Topology"})
		return nil, diags
	}
	r := &resolver{lang: table(), diags: &diags, expanded: map[*Value]*Value{}, filled: map[*Value]*Value{},
		policies: map[string]*Value{}, templates: map[string]*Value{}, used: map[string]bool{}}
	root := r.topology(set, override)
	d := set.Topology
	return &Topology{Name: d.Name, File: d.File, Labels: d.Labels, Root: root, resolver: r}, diags.Sorted()
}

// Complete fills the topology's params and named policies into a scenario and
// reports what it lacks.
func (t *Topology) Complete(scenario *Document) (*Value, Diagnostics) {
	r := *t.resolver
	var diags Diagnostics
	r.diags = &diags
	v := r.fillParams(r.expand(scenario.Root))
	r.complete(v)
	return v, diags.Sorted()
}

// resolver holds the parts of one Resolve.
type resolver struct {
	lang  *language
	diags *Diagnostics
	root  *Value // the merged topology whose definitions are looked up

	params    *Value
	expanded  map[*Value]*Value // memo of expand
	filled    map[*Value]*Value // memo of fillParams
	policies  map[string]*Value // memo of named policies: kind/name
	templates map[string]*Value // memo of templates
	used      map[string]bool   // templates that some actor uses
	following []string          // policies and templates being resolved
	changes   []*change         // to actors
}

// change is a Policy's or override's change of one actor.
type change struct {
	key     string
	pos     Pos
	value   *Value
	matched []string // paths
}

func (r *resolver) errorf(code string, pos Pos, format string, args ...any) {
	*r.diags = append(*r.diags, Diagnostic{Code: code, Message: fmt.Sprintf(format, args...), Pos: pos})
}

func (r *resolver) topology(set *Set, override *Value) *Value {
	base := set.Topology.Root
	for _, d := range set.Included {
		base = r.include(base, d)
	}
	policy := r.policyDocuments(set)
	for _, layer := range []*Value{policy, override} {
		for _, e := range layer.Entry("actors").Entries() {
			r.changes = append(r.changes, &change{key: e.Key, pos: e.KeyPos, value: e.Value})
		}
	}
	root := *base
	root.entries = nil
	for _, f := range base.Type.Fields {
		merged := Merge(Merge(base.Entry(f.Name), policy.definition(f.Name)), override.definition(f.Name))
		if merged != nil {
			root.entries = append(root.entries, Entry{Key: f.Name, KeyPos: merged.KeyPos, Value: merged})
		}
	}
	r.root, r.params = &root, root.Entry("params")
	r.checkDefinitions()
	for i := range root.entries {
		e := &root.entries[i]
		switch e.Key {
		case "root":
			e.Value = r.tree(e.Value)
		case "defaults", "templates", "metadata", "include":
		default:
			e.Value = r.expand(e.Value)
		}
	}
	r.unmatched()
	r.unused()
	done := r.fillParams(&root)
	r.complete(done)
	return done
}

// definition returns a field that may stand in policies and overrides; their
// own header does not count.
func (v *Value) definition(name string) *Value {
	if contains([]string{"apiVersion", "kind", "metadata", "include", "root"}, name) {
		return nil
	}
	return v.Entry(name)
}

// include lays base over an included fragment. A name defined twice is an error.
func (r *resolver) include(base *Value, d *Document) *Value {
	out := *base
	out.entries = append([]Entry{}, base.entries...)
	for _, e := range d.Root.entries {
		switch e.Key {
		case "apiVersion", "kind", "metadata", "include", "root":
			continue
		case "params", "messages", "policies", "templates", "rules", "patterns":
		default:
			r.errorf("LR220", e.KeyPos, "an included file brings policies, params, templates, messages, rules and patterns, no %q", e.Key)
			continue
		}
		have := base.Entry(e.Key)
		r.twice(have, e.Value, e.Key)
		out.set(e.Key, Merge(e.Value, have))
	}
	return &out
}

func (v *Value) set(key string, value *Value) {
	for i := range v.entries {
		if v.entries[i].Key == key {
			v.entries[i].Value = value
			return
		}
	}
	v.entries = append(v.entries, Entry{Key: key, KeyPos: value.KeyPos, Value: value})
}

// twice reports names that both values define.
func (r *resolver) twice(a, b *Value, what string) {
	if a == nil || b == nil {
		return
	}
	switch b.Type.Shape {
	case Map:
		for _, e := range b.entries {
			r.twice(a.Entry(e.Key), e.Value, e.Key)
		}
	case Table:
		for _, e := range b.entries {
			if first := a.Entry(e.Key); first != nil {
				r.second(e.KeyPos, first.KeyPos, strings.TrimSuffix(what, "s"), e.Key)
			}
		}
	case NamedList:
		for _, item := range b.items {
			if first := a.named(item.nameText()); first != nil {
				r.second(item.Entry("name").Pos, first.Entry("name").Pos, b.Type.Elem.Title, item.nameText())
			}
		}
	}
}

func (r *resolver) second(pos, first Pos, what, name string) {
	*r.diags = append(*r.diags, Diagnostic{Code: "LR202", Pos: pos, Message: fmt.Sprintf("%s %q already defined at %s", what, name, first),
		Related: []Related{{first, "the first one"}}})
}

// policyDocuments merges the Policy documents in force. Two that differ on a
// leaf are an error.
func (r *resolver) policyDocuments(set *Set) *Value {
	var merged *Value
	for _, d := range set.Policies {
		if d.Expired(set.opts.Now) {
			continue
		}
		r.conflict(merged, d.Root, nil)
		merged = Merge(merged, d.Root)
	}
	return merged
}

func (r *resolver) conflict(a, b *Value, path []string) {
	switch {
	case a == nil || b == nil || len(path) == 1 && contains([]string{"apiVersion", "kind", "metadata", "expires"}, path[0]):
	case a.Type != b.Type, b.isLeaf():
		if !same(a, b) {
			*r.diags = append(*r.diags, Diagnostic{Code: "LR207", Pos: b.Pos,
				Message: fmt.Sprintf("two policies set %s: %s here, %s at %s", strings.Join(path, "."), b.short(), a.short(), a.Pos),
				Related: []Related{{a.Pos, "the other one"}}})
		}
	case b.Type.Shape == NamedList:
		for _, item := range b.items {
			r.conflict(a.named(item.nameText()), item, append(path, item.nameText()))
		}
	default:
		for _, e := range b.entries {
			r.conflict(a.Entry(e.Key), e.Value, append(path, e.Key))
		}
	}
}

// isLeaf reports whether merging replaces v whole.
func (v *Value) isLeaf() bool {
	return v.Type.Shape != Map && v.Type.Shape != Table && v.Type.Shape != NamedList
}

// short prints a value for a message.
func (v *Value) short() string {
	if len(v.items) > 0 || len(v.entries) > 0 {
		return "another value"
	}
	return strconv.Quote(v.String())
}

// same reports whether two values say the same.
func same(a, b *Value) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Type.Shape != b.Type.Shape || a.text != b.text || len(a.entries) != len(b.entries) || len(a.items) != len(b.items) {
		return false
	}
	for i := range a.items {
		if !same(a.items[i], b.items[i]) {
			return false
		}
	}
	for _, e := range a.entries {
		if !same(e.Value, b.Entry(e.Key)) {
			return false
		}
	}
	return true
}

// fillParams replaces ${params.x} in v and below. Shared values stay shared.
func (r *resolver) fillParams(v *Value) *Value {
	if v == nil || v.Type == r.lang.params {
		return v
	}
	if done, ok := r.filled[v]; ok {
		return done
	}
	out := v
	switch {
	case waitsFor(v.parts, partParam):
		out = r.fillScalar(v)
	case len(v.entries) > 0:
		out = v.mapEntries(r.fillParams)
	case len(v.items) > 0:
		out = v.mapItems(r.fillParams)
	default:
		return v
	}
	r.filled[v] = out
	return out
}

// mapEntries applies f to each entry; v itself when nothing changes.
func (v *Value) mapEntries(f func(*Value) *Value) *Value {
	out := v
	for i, e := range v.entries {
		changed := f(e.Value)
		if changed == e.Value {
			continue
		}
		if out == v {
			copied := *v
			copied.entries = append([]Entry{}, v.entries...)
			out = &copied
		}
		out.entries[i].Value = changed
	}
	return out
}

// mapItems applies f to each item; v itself when nothing changes.
func (v *Value) mapItems(f func(*Value) *Value) *Value {
	out := v
	for i, item := range v.items {
		changed := f(item)
		if changed == item {
			continue
		}
		if out == v {
			copied := *v
			copied.items = append([]*Value{}, v.items...)
			out = &copied
		}
		out.items[i] = changed
	}
	return out
}

func (r *resolver) fillScalar(v *Value) *Value {
	out := *v
	in := interpolation{}
	for _, p := range v.parts {
		if p.kind != partParam {
			in.add(p.kind, p.text)
			continue
		}
		param := r.params.Entry(p.text)
		if param == nil {
			r.unknownRef("LR605", v.Pos, "param", p.text, keys(r.params))
			return v
		}
		if len(param.parts) > 0 {
			r.errorf("LR605", param.Pos, "param %q cannot be made of other params", p.text)
			return v
		}
		out.Secret = out.Secret || param.Secret
		in.add(partText, param.text)
	}
	out.parts, out.text = in.parts, joined(in.parts)
	if open(out.parts) {
		return &out
	}
	out.parts = nil
	if p := out.settle(); p != nil {
		*r.diags = append(*r.diags, Diagnostic{Code: p.code, Message: p.message, Suggestion: p.suggestion, Pos: out.Pos})
	}
	return &out
}

// unknownRef reports a name that does not exist, with the nearest that does.
func (r *resolver) unknownRef(code string, pos Pos, what, name string, have []string) {
	d := Diagnostic{Code: code, Pos: pos, Message: fmt.Sprintf("unknown %s %q", what, name)}
	if near := suggest.Nearest(name, have); near != "" {
		d.Suggestion = didYouMean(near)
	}
	*r.diags = append(*r.diags, d)
}

func keys(v *Value) []string {
	out := make([]string, 0, len(v.Entries()))
	for _, e := range v.Entries() {
		out = append(out, e.Key)
	}
	return out
}
