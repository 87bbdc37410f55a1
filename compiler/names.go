package compiler

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

// Bounds of what one topology may hold.
const (
	maxReplicas = plan.MaxReplicas // of one actor
	maxActors   = 1_000_000        // in all
)

// unit is one actor as it was written: a single one, or a group of replicas.
type unit struct {
	value    *spec.Value
	name     string
	path     string
	parent   *unit
	children []*unit
	order    int
	kind     plan.Kind
	group    bool
	replicas int   // 1 unless it is a group
	most     int   // of a group in a scenario: replicas that there may come to be
	named    int   // replicas that there must be, because something names one by its number
	first    int   // index in the plan of its first actor
	at       []int // indexes in the plan
	calls    []waits
}

func (u *unit) pos() spec.Pos {
	if name := u.value.Entry("name"); name != nil {
		return name.Pos
	}
	return u.value.Pos
}

// kindPart names the field that makes an actor what it is.
func (u *unit) kindPart() string {
	switch u.kind {
	case plan.Supervisor:
		return "children"
	case plan.Process, plan.Upstream, plan.Script, plan.Go, plan.Consensus:
		return u.kind.String()
	}
	return ""
}

func (u *unit) part() *spec.Value { return u.value.Entry(u.kindPart()) }

// member is the name of replica n, or the only actor's.
func (u *unit) member(n int) string {
	if !u.group {
		return u.name
	}
	return u.name + "-" + strconv.Itoa(n)
}

func kindOf(v *spec.Value) plan.Kind {
	if v.Entry("children") != nil {
		return plan.Supervisor
	}
	for k := plan.Process; k <= plan.Consensus; k++ {
		if v.Entry(k.String()) != nil {
			return k
		}
	}
	return 0
}

// collect lists the units of the tree, each before those below it. It reports false when there is nothing to go on with.
func (c *compiler) collect() bool {
	root := c.root.Entry("root")
	if root == nil {
		c.errorf("LR107", c.root.Pos, "the topology has no root; add root: {children: […]}")
		return false
	}
	name := root.At("name").Text()
	if !on(root) {
		c.errorf("LR222", root.Entry("enabled").Pos, "the root cannot be off; switch its children off")
	}
	if kindOf(root) != plan.Supervisor {
		return false // reported by spec
	}
	total := 0
	c.walk(&unit{value: root, name: name, path: name, kind: plan.Supervisor, replicas: 1}, &total)
	slices.Sort(c.metrics)
	c.metrics = slices.Compact(c.metrics)
	return total <= maxActors
}

func (c *compiler) walk(u *unit, total *int) {
	c.units = append(c.units, u)
	c.byName[u.name] = append(c.byName[u.name], u)
	c.byPath[u.path] = u
	for _, e := range u.value.Entry("metrics").Entries() {
		c.metrics = append(c.metrics, e.Key)
	}
	if u.group {
		for n := range u.replicas {
			c.replicas[u.path+"-"+strconv.Itoa(n)] = u
		}
	}
	if *total += u.replicas; *total > maxActors {
		c.errorf("LR217", u.pos(), "more than %d actors", maxActors)
		return
	}
	for _, item := range u.value.Entry("children").Items() {
		child := c.child(u, item)
		if child == nil {
			continue
		}
		u.children = append(u.children, child)
		if c.walk(child, total); *total > maxActors {
			return
		}
	}
}

// child makes the unit of one child; nil when it is off or unusable.
func (c *compiler) child(u *unit, item *spec.Value) *unit {
	name := item.Entry("name").Text()
	if name == "" || !on(item) {
		return nil
	}
	child := &unit{value: item, name: name, path: u.path + "/" + name, parent: u, order: len(u.children), kind: kindOf(item), replicas: 1}
	if child.kind == 0 {
		return nil // reported by spec
	}
	c.checkSide(child)
	if replicas := item.Entry("replicas"); replicas != nil && child.kind != plan.Supervisor {
		child.group, child.replicas = true, int(replicas.Int())
		if child.replicas > maxReplicas {
			c.errorf("LR217", replicas.Pos, "at most %d replicas, got %d", maxReplicas, child.replicas)
			child.replicas = 1
		}
	}
	return child
}

// checkSide reports fields that mean nothing for the kind of actor they stand on.
func (c *compiler) checkSide(u *unit) {
	wrong, hint := spec.SupervisorSide, "a supervisor, and this one has no children"
	if u.kind == plan.Supervisor {
		wrong, hint = spec.WorkerSide, "an actor without children, and this one is a supervisor"
	}
	for _, e := range u.value.Entries() {
		if f := u.value.Type.Field(e.Key); f != nil && f.Side == wrong {
			c.errorf("LR221", e.KeyPos, "%q belongs to %s", e.Key, hint)
		}
	}
}

// called is what callers name the unit: its bare name where it is unique, else its path below the root.
func (c *compiler) called(u *unit) string { return c.unique(u, u.name) }

func (c *compiler) unique(u *unit, name string) string {
	if len(c.byName[u.name]) == 1 || u.parent == nil {
		return name
	}
	_, below, _ := strings.Cut(u.path, "/")
	return strings.TrimSuffix(below, u.name) + name
}

// target is what a name means: a unit, and one replica of it or all (-1).
type target struct {
	unit    *unit
	replica int
}

// path is where the target is in the plan.
func (t target) path() string {
	if t.replica >= 0 && t.unit.group {
		return t.unit.path + "-" + strconv.Itoa(t.replica)
	}
	return t.unit.path
}

// find looks a name up without reporting. More than one target means that the name is ambiguous.
func (c *compiler) find(name string) []target {
	root := c.units[0]
	if name == root.name {
		return []target{{root, -1}}
	}
	if strings.Contains(name, "/") {
		for _, path := range []string{name, root.path + "/" + name} {
			if t, ok := c.findPath(path); ok {
				return []target{t}
			}
		}
		return nil
	}
	var found []target
	for _, u := range c.byName[name] {
		found = append(found, target{u, -1})
	}
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		for _, u := range c.byName[name[:i]] {
			if t, ok := c.findPath(u.path + name[i:]); ok && t.unit == u {
				found = append(found, t)
			}
		}
	}
	return found
}

func (c *compiler) findPath(path string) (target, bool) {
	if u, ok := c.byPath[path]; ok {
		return target{u, -1}, true
	}
	if u, ok := c.replicas[path]; ok {
		n, _ := strconv.Atoi(path[len(u.path)+1:])
		return target{u, n}, true
	}
	return c.later(path)
}

// resolve looks a written name up and reports a name that is unknown or ambiguous.
func (c *compiler) resolve(v *spec.Value) (target, bool) {
	return c.lookup(v.Text(), v.Pos, "actor")
}

func (c *compiler) lookup(name string, pos spec.Pos, what string) (target, bool) {
	found := c.find(name)
	switch len(found) {
	case 1:
		c.count(found[0])
		return found[0], true
	case 0:
		if u := c.siblingsOf(name); c.passing && u != nil {
			c.errorf("LR203", pos, "%q never exists: %q never has more than %d replicas here", name, u.name, max(u.most, u.replicas))
			return target{}, false
		}
		c.unknown("LR203", pos, what, name, c.names(strings.Contains(name, "/")))
		return target{}, false
	}
	var paths []string
	for _, t := range found {
		paths = append(paths, t.path())
	}
	c.errorf("LR206", pos, "%q is ambiguous; write one of %s", name, strings.Join(paths, ", "))
	return target{}, false
}

// count notes that something names this replica, if it is one.
func (c *compiler) count(t target) {
	if !c.passing {
		t.unit.named = max(t.unit.named, t.replica+1)
	}
}

// keepNamed tells the plan's groups how many replicas the topology counts on: scaling may not take them away.
func (c *compiler) keepNamed() {
	for i := range c.plan.Groups {
		c.plan.Groups[i].Named = c.byPath[c.plan.Groups[i].Path].named
	}
}

// names lists what an author may call the actors, for suggestions.
func (c *compiler) names(paths bool) []string {
	var out []string
	for _, u := range c.units {
		if paths {
			out = append(out, u.path)
		} else {
			out = append(out, u.name)
		}
	}
	return out
}
