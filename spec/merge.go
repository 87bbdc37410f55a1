package spec

// Merge lays over on top of base and returns the result; neither is changed.
// Maps and tables merge deeply, named lists by name (base's order, new ones
// after), everything else is replaced. A value that names a policy (`use`)
// replaces a policy below it whole, and of fields that exclude each other the
// upper one wins. Leaves are shared, so they keep their positions and Origin.
func Merge(base, over *Value) *Value {
	switch {
	case base == nil:
		return over
	case over == nil:
		return base
	case base.Type != over.Type:
		return over
	case over.Type.Policy != "" && over.Has("use"):
		return over
	}
	switch over.Type.Shape {
	case Map, Table:
		return mergeEntries(base, over)
	case NamedList:
		return mergeNamed(base, over)
	}
	return over
}

func mergeEntries(base, over *Value) *Value {
	out := *over
	out.broken = base.broken || over.broken
	out.entries = make([]Entry, 0, len(base.entries)+len(over.entries))
	for _, e := range base.entries {
		if upper := over.Entry(e.Key); upper != nil {
			e.Value = Merge(e.Value, upper)
		} else if over.Type.excluded(e.Key, over) {
			continue
		}
		out.entries = append(out.entries, e)
	}
	for _, e := range over.entries {
		if base.Entry(e.Key) == nil {
			out.entries = append(out.entries, e)
		}
	}
	return &out
}

// excluded reports whether v sets another field of key's exclusive group.
func (t *Type) excluded(key string, v *Value) bool {
	for _, group := range t.OneOf {
		if !contains(group, key) {
			continue
		}
		for _, other := range group {
			if other != key && v.Entry(other) != nil {
				return true
			}
		}
	}
	return false
}

func mergeNamed(base, over *Value) *Value {
	out := *over
	out.items = make([]*Value, 0, len(base.items)+len(over.items))
	for _, item := range base.items {
		out.items = append(out.items, Merge(item, over.named(item.nameText())))
	}
	for _, item := range over.items {
		if base.named(item.nameText()) == nil {
			out.items = append(out.items, item)
		}
	}
	return &out
}

// named returns the item of a named list with that name, or nil.
func (v *Value) named(name string) *Value {
	for _, item := range v.Items() {
		if item.nameText() == name {
			return item
		}
	}
	return nil
}

func (v *Value) nameText() string { return v.Entry("name").Text() }
