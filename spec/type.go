package spec

// Shape is what a node of the language looks like in YAML.
type Shape uint8

// The shapes. Union stands only in the table: a Value of a union carries the
// alternative that the author chose.
const (
	Map        Shape = iota // a mapping with known fields
	Table                   // a mapping from the author's own keys to Elem
	List                    // a sequence of Elem, replaced as a whole when merged
	NamedList               // a sequence of mappings with distinct names, merged by name
	Text                    // any text
	Name                    // [a-z][a-z0-9-]*: actors, policies, rules
	Ident                   // [a-z][a-z0-9_]*: messages, params, fields
	Target                  // a name, a path or a glob over paths
	Int                     // a whole number
	Number                  // a finite number
	Ratio                   // 0..1, or 0%..100%
	Duration                // Go's grammar plus d and w; the unit is required
	Size                    // bytes with a unit: 64KiB, 10MB
	Rate                    // a number per time unit: 200/s
	Bool                    // true or false
	Enum                    // one of Type.Values
	Expression              // expression text, never interpolated
	Built                   // an expression, or a mapping or list of built values
	Time                    // RFC 3339, or a date
	Hold                    // "5s", or "3s of 5s"
	Moment                  // a moment of a scenario: 3m, ID.end + 5s
	Any                     // plain data: text, numbers, true/false, lists, mappings
	Literal                 // a scalar typed by how it is written (params)
	Null                    // an empty value inside Any
	Union                   // any of Type.Alternatives
	Override                // a mapping of dotted paths to new values
)

// Reload is what a change of a field costs a running engine, cheapest first.
type Reload string

// The reload classes. A field without one has its parent's.
const (
	Hot           Reload = "hot"            // taken over by what runs, state kept
	RestartActor  Reload = "restart_actor"  // the actor is restarted
	Recreate      Reload = "recreate"       // the actor is stopped and another started
	RestartEngine Reload = "restart_engine" // only a new engine takes it over
)

// Type describes one node of the language. Types are built once by fields.go
// and are immutable and shared afterwards; they may refer to each other in
// circles.
type Type struct {
	Shape   Shape
	Title   string     // names the type in messages, explain and the schema: "breaker"
	Doc     string     // one or two sentences
	Fields  []*Field   // of a Map, in the order of the documentation
	Elem    *Type      // of Table, List, NamedList
	Key     Shape      // of a Table's keys: Name, Ident, Target or Text
	Values  []string   // of Enum
	Min     float64    // least value allowed of Int, Number, Duration (ns), Size (bytes), Rate; 0 unless said
	Max     float64    // greatest value allowed, 0: no bound
	Short   string     // a scalar or list here is short for {Short: it}
	Policy  string     // its values may be named under policies.<Policy> and reached by `use`
	OneOf   [][]string // groups of fields that exclude each other
	AnyOf   []string   // of these a complete mapping needs at least one
	Single  bool       // of List: one element may stand without the list
	AtLeast int        // elements a List needs

	Alternatives []*Type // of Union, tried in order; of Any and Built: their mapping and their list

	holdsPolicy bool // it or something below it is a policy that may be named
}

// Field is one key of a Map.
type Field struct {
	Name     string
	Type     *Type
	Doc      string
	Default  string // as the author would write it; empty: none
	Example  string
	Reload   Reload
	Required bool   // must stand wherever its mapping stands
	Needed   bool   // must stand once everything is merged
	Layer    string // what its values are called in an Origin
	Side     Side   // of an actor's fields: which actors inherit it from `defaults`
	Idle     bool   // checked, and nothing heeds it yet: giving it is a warning

	fallback *Value // Default, parsed once when the table is built
}

// Side says which kind of actor takes a field from `defaults`.
type Side uint8

// The sides.
const (
	BothSides      Side = iota
	SupervisorSide      // only actors with children
	WorkerSide          // only actors without children
)

// Field returns the field called name, or nil.
func (t *Type) Field(name string) *Field {
	for _, f := range t.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}
