package spec

// TypeOf returns the table's type of a kind of document, nil for an unknown
// kind. It is shared and must not be changed.
func TypeOf(kind Kind) *Type {
	switch kind {
	case KindTopology:
		return table().topology
	case KindPolicy:
		return table().policy
	case KindScenario:
		return table().scenario
	}
	return nil
}

// Fallback returns the value that a missing field stands for, nil when there is
// none.
func (f *Field) Fallback() *Value { return f.fallback }
