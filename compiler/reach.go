package compiler

import (
	"strconv"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

// scalable notes how many replicas each group may ever have in the scenario, by an action of the topology or of a step, or by a
// reload: steps and expectations may name them, whether they exist at that moment or not.
func (c *scripted) scalable() {
	c.passing = true
	c.scalings(c.root)
	c.scalings(c.value.Entry("timeline"))
	for _, item := range c.value.Entry("timeline").Items() {
		if item.Entry("reload").Entry("file") != nil || mentions(item.Entry("reload").Entry("set"), "replicas") {
			for _, u := range c.units {
				u.most = plan.MaxReplicas
			}
		}
	}
}

// scalings follows all scale actions in a value.
func (c *scripted) scalings(v *spec.Value) {
	for _, e := range v.Entries() {
		if e.Key == "scale" {
			c.scaling(e.Value)
		}
		c.scalings(e.Value)
	}
	for _, item := range v.Items() {
		c.scalings(item)
	}
}

func (c *scripted) scaling(v *spec.Value) {
	most := int(v.Entry("replicas").Int())
	if by := v.Entry("by"); by != nil && by.Int() > 0 {
		if most = plan.MaxReplicas; v.Entry("max") != nil {
			most = int(v.Entry("max").Int())
		}
	}
	target := v.Entry("target").Text()
	for _, u := range c.units {
		if u.group && c.means(target, u) {
			u.most = max(u.most, most)
		}
	}
}

// means tells whether a target may reach a group; an empty one may be any.
func (c *scripted) means(target string, u *unit) bool {
	if target == "" || plan.IsGlob(target) {
		return true
	}
	for _, t := range c.find(target) {
		if t.unit == u {
			return true
		}
	}
	return false
}

// mentions tells whether a field of that name is anywhere in a value, in a dotted key too.
func mentions(v *spec.Value, name string) bool {
	for _, e := range v.Entries() {
		if e.Key == name || strings.HasSuffix(e.Key, "."+name) || mentions(e.Value, name) {
			return true
		}
	}
	return false
}

// later finds a replica that the topology does not have and that scaling may bring.
func (c *compiler) later(path string) (target, bool) {
	u, n := c.member(path)
	if u == nil || n >= u.most {
		return target{}, false
	}
	return target{u, n}, true
}

// member is the group that a replica of that path belongs to, or would; nil when there is none.
func (c *compiler) member(path string) (group *unit, replica int) {
	at := strings.LastIndexByte(path, '-')
	if at < 0 {
		return nil, 0
	}
	u := c.byPath[path[:at]]
	n, err := strconv.Atoi(path[at+1:])
	if err != nil || n < 0 || u == nil || !u.group || strconv.Itoa(n) != path[at+1:] {
		return nil, 0
	}
	return u, n
}

// siblingsOf is the one group whose replica a name would mean; nil when there is none.
func (c *compiler) siblingsOf(name string) *unit {
	at := strings.LastIndexByte(name, '-')
	if at < 0 || len(c.byName[name[:at]]) != 1 {
		return nil
	}
	u, _ := c.member(c.byName[name[:at]][0].path + name[at:])
	return u
}
