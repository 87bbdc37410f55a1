package plan

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Change is one difference between two plans. Secrets are shown as Hidden, so Old and New may look equal.
type Change struct {
	Path  string // of the leaf; of the whole element when Class is Start or Stop, or when it was added or removed
	Actor string // path of the actor or group it belongs to, "" for the rest of the plan
	Old   string // text before, "" when it was absent
	New   string // text after, "" when it is absent
	Class Class
}

// Changes are the differences between two plans: the rest of the plan first, then groups and actors in the order of the
// new plan, then those that are gone.
type Changes []Change

// ActorChanges are the changes of one actor or group.
type ActorChanges struct {
	Path    string
	Class   Class // the worst
	Changes Changes
}

// Diff compares two sealed plans. Its cost grows with what they hold, not with the product.
func Diff(old, new *Plan) Changes {
	d := differ{
		before: view{plan: old, hide: old.hider()},
		after:  view{plan: new, hide: new.hider()},
	}
	d.rest()
	d.groups()
	d.actors()
	return d.out
}

type differ struct {
	before, after view
	out           Changes
	last          [2]*Definition // that were compared
	lastSame      bool
}

// view is one side of a comparison.
type view struct {
	plan *Plan
	hide func(string) string
	memo record // of the element at hand; one piece of memory for all of them
}

// topLists are the fields of Plan that are compared element by element.
var topLists = [...]string{"actors", "groups", "gateway", "rules", "patterns", "messages"}

func (d *differ) rest() {
	n := root()
	old, new := reflect.ValueOf(d.before.plan).Elem(), reflect.ValueOf(d.after.plan).Elem()
	for i := range n.fields {
		f := &n.fields[i]
		switch {
		case f.name == "actors" || f.name == "groups":
		case slices.Contains(topLists[:], f.name):
			d.named(f, old.Field(f.index), new.Field(f.index))
		default:
			d.before.record(f, old.Field(f.index))
			d.after.record(f, new.Field(f.index))
			d.compare("")
		}
	}
}

// record walks the value of a top-level field.
func (v *view) record(f *field, value reflect.Value) {
	v.memo.reset()
	f.walk(value, f.name, v.memo.add)
}

// element walks one element of a keyed list.
func (v *view) element(f *field, value reflect.Value) {
	v.memo.reset()
	w := walk{path: []byte(f.name), emit: v.memo.add}
	w.pushKey(value.Field(f.node.elem.key).String())
	w.fields(f.node.elem, value, f.class, f.node.elem.key)
}

// walk visits the value of a top-level field; prefix is the path it begins with.
func (f *field) walk(v reflect.Value, prefix string, emit func(seen)) {
	w := walk{path: []byte(prefix), emit: emit}
	if f.node.list {
		w.list(f.node, v, f.class, f.order)
	} else {
		w.value(f.node, v, f.class)
	}
}

// pathOf is the path of an element of a keyed list.
func (f *field) pathOf(element reflect.Value) string {
	w := walk{path: []byte(f.name)}
	w.pushKey(element.Field(f.node.elem.key).String())
	return string(w.path)
}

// named compares a list whose elements appear and disappear as a whole.
func (d *differ) named(f *field, old, new reflect.Value) {
	key := f.node.elem.key
	at := make(map[string]int, old.Len())
	for i := range old.Len() {
		at[old.Index(i).Field(key).String()] = i
	}
	kept := make([]bool, old.Len())
	for i := range new.Len() {
		was, ok := at[new.Index(i).Field(key).String()]
		if !ok {
			d.add(Change{Path: f.pathOf(new.Index(i)), New: "added", Class: appears(f)})
			continue
		}
		kept[was] = true
		d.pair(f, "", old.Index(was), new.Index(i))
	}
	for i, keep := range kept {
		if !keep {
			d.add(Change{Path: f.pathOf(old.Index(i)), Old: "removed", Class: disappears(f)})
		}
	}
	d.order(f, old, new, key, at)
}

// order reports a list whose kept elements have changed places.
func (d *differ) order(f *field, old, new reflect.Value, key int, at map[string]int) {
	if f.order != ordered {
		return
	}
	was := -1
	for i := range new.Len() {
		index, ok := at[new.Index(i).Field(key).String()]
		if ok && index < was {
			d.add(Change{Path: f.name + ".order", Old: orderText(old, key), New: orderText(new, key), Class: f.class})
			return
		}
		if ok {
			was = index
		}
	}
}

func orderText(v reflect.Value, key int) string {
	names := make([]string, v.Len())
	for i := range names {
		names[i] = v.Index(i).Field(key).String()
	}
	return strings.Join(names, ", ")
}

// A listener or group that appears is started and one that goes is stopped; other elements have their list's class.
func appears(f *field) Class {
	if f.name == "gateway" || f.name == "groups" {
		return Start
	}
	return f.class
}

func disappears(f *field) Class {
	if f.name == "gateway" || f.name == "groups" {
		return Stop
	}
	return f.class
}

func (d *differ) groups() {
	f := root().field("groups")
	for i := range d.after.plan.Groups {
		g := &d.after.plan.Groups[i]
		was := d.before.plan.Group(g.Path)
		if was == nil {
			d.add(Change{Path: f.pathOf(reflect.ValueOf(g).Elem()), Actor: g.Path, New: "added", Class: Start})
			continue
		}
		d.pair(f, g.Path, reflect.ValueOf(was).Elem(), reflect.ValueOf(g).Elem())
	}
	for i := range d.before.plan.Groups {
		g := &d.before.plan.Groups[i]
		if d.after.plan.Group(g.Path) == nil {
			d.add(Change{Path: f.pathOf(reflect.ValueOf(g).Elem()), Actor: g.Path, Old: "removed", Class: Stop})
		}
	}
}

func (d *differ) actors() {
	f := root().field("actors")
	from, gone := map[string]string{}, map[string]bool{}
	for _, m := range Moves(d.before.plan, d.after.plan) {
		from[m.To], gone[m.From] = m.From, true
	}
	for i := range d.after.plan.Actors {
		a := &d.after.plan.Actors[i]
		was := d.before.plan.at(a.Path)
		if path, moved := from[a.Path]; moved {
			own := *d.before.plan.at(path)
			own.Path = a.Path // what else differs
			was = &own
			d.add(Change{Path: f.pathOf(reflect.ValueOf(a).Elem()) + ".path", Actor: a.Path, Old: path, New: a.Path, Class: Hot})
		}
		if was == nil {
			d.add(Change{Path: f.pathOf(reflect.ValueOf(a).Elem()), Actor: a.Path, New: a.Kind.String(), Class: Start})
			continue
		}
		if was.Name == a.Name && was.Group == a.Group && was.Replica == a.Replica && d.same(was.Definition, a.Definition) {
			continue
		}
		d.pair(f, a.Path, reflect.ValueOf(was).Elem(), reflect.ValueOf(a).Elem())
	}
	for i := range d.before.plan.Actors {
		a := &d.before.plan.Actors[i]
		if d.after.plan.at(a.Path) == nil && !gone[a.Path] {
			d.add(Change{Path: f.pathOf(reflect.ValueOf(a).Elem()), Actor: a.Path, Old: a.Kind.String(), Class: Stop})
		}
	}
}

// same tells whether two definitions say the same. Replicas share theirs, so of a group the first pair is walked.
func (d *differ) same(old, new *Definition) bool {
	if old == new { // a variant's own
		return true
	}
	if d.last == [2]*Definition{old, new} {
		return d.lastSame
	}
	n := root().field("actors").node.elem.field("").node
	for _, side := range [...]struct {
		view *view
		def  *Definition
	}{{&d.before, old}, {&d.after, new}} {
		side.view.memo.reset()
		w := walk{emit: side.view.memo.add}
		w.value(n.elem, reflect.ValueOf(side.def).Elem(), Hot)
	}
	d.last, d.lastSame = [2]*Definition{old, new}, d.before.memo.equal(&d.after.memo)
	return d.lastSame
}

func (n *node) field(name string) *field {
	for i := range n.fields {
		if n.fields[i].name == name {
			return &n.fields[i]
		}
	}
	return nil
}

func (d *differ) add(c Change) { d.out = append(d.out, c) }

// pair compares two elements of the same name.
func (d *differ) pair(f *field, actor string, old, new reflect.Value) {
	d.before.element(f, old)
	d.after.element(f, new)
	d.compare(actor)
}

// compare reports the leaves that differ between the two records at hand.
func (d *differ) compare(actor string) {
	old, new := &d.before.memo, &d.after.memo
	if old.equal(new) {
		return
	}
	before := old.byPath()
	for i, m := range new.marks {
		path, text := new.at(i)
		c := Change{Path: path, Actor: actor, New: d.after.show(text, m), Class: m.class}
		if was, ok := before[path]; ok {
			delete(before, path)
			_, oldText := old.at(was)
			if oldText == text && old.marks[was].secret == m.secret {
				continue
			}
			c.Old = d.before.show(oldText, old.marks[was])
		}
		d.add(c)
	}
	for i, m := range old.marks {
		if path, text := old.at(i); hasKey(before, path) {
			d.add(Change{Path: path, Actor: actor, Old: d.before.show(text, m), Class: m.class})
		}
	}
}

func hasKey(m map[string]int, key string) bool {
	_, ok := m[key]
	return ok
}

func (v *view) show(text string, m mark) string {
	if m.secret {
		return Hidden
	}
	return v.hide(text)
}

func (r *record) equal(other *record) bool {
	return bytes.Equal(r.bytes, other.bytes) && slices.Equal(r.marks, other.marks)
}

func (r *record) at(i int) (path, text string) {
	begin := 0
	if i > 0 {
		begin = r.marks[i-1].text
	}
	m := r.marks[i]
	return string(r.bytes[begin:m.path]), string(r.bytes[m.path:m.text])
}

func (r *record) byPath() map[string]int {
	out := make(map[string]int, len(r.marks))
	for i := range r.marks {
		path, _ := r.at(i)
		out[path] = i
	}
	return out
}

// Worst returns the greatest class, Hot when there are no changes.
func (c Changes) Worst() Class {
	worst := Hot
	for _, change := range c {
		worst = max(worst, change.Class)
	}
	return worst
}

// Actors groups the changes that belong to actors and groups, in the order they stand.
func (c Changes) Actors() []ActorChanges {
	var out []ActorChanges
	for _, change := range c {
		if change.Actor == "" {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Path != change.Actor {
			out = append(out, ActorChanges{Path: change.Actor})
		}
		last := &out[len(out)-1]
		last.Changes = append(last.Changes, change)
		last.Class = max(last.Class, change.Class)
	}
	return out
}

// Summary counts the changes by class: "3 changes: 2 hot, 1 start", or "no changes".
func (c Changes) Summary() string {
	if len(c) == 0 {
		return "no changes"
	}
	var counts [len(classNames)]int
	for _, change := range c {
		counts[change.Class]++
	}
	var parts []string
	for class, n := range counts {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %v", n, Class(class)))
		}
	}
	noun := "changes"
	if len(c) == 1 {
		noun = "change"
	}
	return fmt.Sprintf("%d %s: %s", len(c), noun, strings.Join(parts, ", "))
}
