package plan

import (
	"reflect"
	"testing"
)

// TestEachFieldHasAClass allows no field to be hot merely because nobody said anything.
func TestEachFieldHasAClass(t *testing.T) {
	exempt := map[string]bool{ // what names a thing; a thing with another name is another thing
		"actors.name": true, "groups.name": true,
	}
	var visit func(n *node, path string, stated bool)
	visit = func(n *node, path string, stated bool) {
		if n.elem != nil {
			visit(n.elem, path, stated)
		}
		if n.text != nil && !stated && !exempt[path] {
			t.Errorf("%s has no class", path)
		}
		for _, f := range n.fields {
			if f.index != n.key {
				visit(f.node, path+"."+f.name, stated || f.own)
			}
		}
	}
	for _, f := range root().fields {
		visit(f.node, f.name, f.own)
	}
}

func TestClassesHaveNames(t *testing.T) {
	for c := Hot; c <= RestartEngine; c++ {
		if got, ok := ParseClass(c.String()); !ok || got != c {
			t.Errorf("ParseClass(%q) is %v, %v", c, got, ok)
		}
	}
	if _, ok := ParseClass("cold"); ok {
		t.Error("an unknown class was read")
	}
	if got := reflect.ValueOf(Class(99)).Interface().(Class).String(); got != "class(99)" {
		t.Errorf("class 99 is %q", got)
	}
}
