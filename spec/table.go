package spec

import (
	"math"
	"strconv"
	"sync"
	"time"
)

// language is the whole table: one Type for each root and each shape that
// occurs in several places.
type language struct {
	topology, policy, scenario *Type
	override                   *Type // the tree that dotted paths of an override lead through

	header                               []*Field
	breaker, restart, retry, guard       *Type
	actor, actorChange, defaults         *Type
	call, action, actions, handler       *Type
	message, messageField                *Type
	policies, params, rules, rule        *Type
	patterns, health, emergency, observe *Type
	built, any, literal                  *Type
}

// table returns the language. It is built on first use and never changed.
var table = sync.OnceValue(buildLanguage)

// Types that many fields share.
var (
	textType     = &Type{Shape: Text, Title: "text"}
	nameType     = &Type{Shape: Name, Title: "name"}
	identType    = &Type{Shape: Ident, Title: "identifier"}
	targetType   = &Type{Shape: Target, Title: "target"}
	boolType     = &Type{Shape: Bool, Title: "true or false"}
	intType      = &Type{Shape: Int, Title: "whole number"}
	countType    = &Type{Shape: Int, Title: "whole number", Min: 1}
	numberType   = &Type{Shape: Number, Title: "number"}
	factorType   = &Type{Shape: Number, Title: "number", Min: 1}
	ratioType    = &Type{Shape: Ratio, Title: "ratio", Max: 1}
	durationType = &Type{Shape: Duration, Title: "duration"}
	spanType     = &Type{Shape: Duration, Title: "duration", Min: 1}
	signedType   = &Type{Shape: Duration, Title: "duration", Min: math.Inf(-1)}
	sizeType     = &Type{Shape: Size, Title: "size", Min: 1}
	rateType     = &Type{Shape: Rate, Title: "rate"}
	playedType   = &Type{Shape: Duration, Title: "duration", Min: 1, Max: float64(31 * 24 * time.Hour)} // every second of it is sampled
	loadRateType = &Type{Shape: Rate, Title: "rate", Max: 1_000_000}                                    // every call of it is played
	exprType     = &Type{Shape: Expression, Title: "expression"}
	timeType     = &Type{Shape: Time, Title: "time"}
	holdType     = &Type{Shape: Hold, Title: "duration, or how much of a duration"}
	momentType   = &Type{Shape: Moment, Title: "moment"}
	nullType     = &Type{Shape: Null, Title: "nothing"}
	signedInt    = &Type{Shape: Int, Title: "whole number", Min: math.Inf(-1)}
	signedNumber = &Type{Shape: Number, Title: "number", Min: math.Inf(-1)}
)

type fieldOption func(*Field)

func field(name string, t *Type, doc string, options ...fieldOption) *Field {
	f := &Field{Name: name, Type: t, Doc: doc}
	for _, option := range options {
		option(f)
	}
	return f
}

func standard(text string) fieldOption { return func(f *Field) { f.Default = text } }
func example(text string) fieldOption  { return func(f *Field) { f.Example = text } }
func reload(r Reload) fieldOption      { return func(f *Field) { f.Reload = r } }
func layer(name string) fieldOption    { return func(f *Field) { f.Layer = name } }
func side(s Side) fieldOption          { return func(f *Field) { f.Side = s } }

// idle marks a field that nothing heeds yet; its description says so wherever it is shown.
func idle(f *Field) {
	f.Idle = true
	f.Doc += " It is checked and has no effect yet."
}

func required(f *Field) { f.Required = true }
func needed(f *Field)   { f.Needed = true }

func object(title, doc string, fields ...*Field) *Type {
	return &Type{Shape: Map, Title: title, Doc: doc, Fields: fields}
}

func (t *Type) short(name string) *Type        { t.Short = name; return t }
func (t *Type) named(policies string) *Type    { t.Policy = policies; return t }
func (t *Type) oneOf(names ...string) *Type    { t.OneOf = append(t.OneOf, names); return t }
func (t *Type) needsOne(names ...string) *Type { t.AnyOf = names; return t }

func tableOf(key Shape, elem *Type) *Type {
	return &Type{Shape: Table, Title: "mapping", Key: key, Elem: elem}
}

func listOf(elem *Type) *Type { return &Type{Shape: List, Title: "list", Elem: elem} }

func oneOrMore(elem *Type) *Type {
	return &Type{Shape: List, Title: "list", Elem: elem, Single: true, AtLeast: 1}
}

func namedList(elem *Type) *Type { return &Type{Shape: NamedList, Title: "list", Elem: elem} }

func enum(values ...string) *Type { return &Type{Shape: Enum, Title: "word", Values: values} }

func intRange(low, high float64) *Type {
	return &Type{Shape: Int, Title: "whole number", Min: low, Max: high}
}

func union(title string, alternatives ...*Type) *Type {
	return &Type{Shape: Union, Title: title, Alternatives: alternatives}
}

func buildLanguage() *language {
	l := &language{
		actor: &Type{}, actorChange: &Type{}, defaults: &Type{}, action: &Type{},
		built: &Type{Shape: Built, Title: "expression or mapping of expressions"},
		any:   &Type{Shape: Any, Title: "data"},
	}
	for _, t := range []*Type{l.built, l.any} {
		t.Alternatives = []*Type{tableOf(Text, t), listOf(t)}
	}
	l.literal = &Type{Shape: Literal, Title: "value"}
	l.actions = oneOrMore(l.action)
	l.actions.AtLeast = 0
	l.buildHeader()
	l.buildPolicies()
	l.buildBehaviours()
	l.buildActors()
	l.buildSteering()
	l.buildActions()
	l.buildTopology()
	l.buildScenario()
	for _, t := range []*Type{l.topology, l.policy, l.scenario, l.override} {
		l.fill(t, map[*Type]bool{})
	}
	for l.spread(l.topology, map[*Type]bool{}) || l.spread(l.scenario, map[*Type]bool{}) {
	}
	return l
}

// spread marks types that hold policies; it reports whether it marked any, and
// is repeated until it does not.
func (l *language) spread(t *Type, done map[*Type]bool) (changed bool) {
	if t == nil || done[t] {
		return false
	}
	done[t] = true
	below := append([]*Type{t.Elem}, t.Alternatives...)
	for _, f := range t.Fields {
		below = append(below, f.Type)
	}
	holds := t.Policy != ""
	for _, b := range below {
		changed = l.spread(b, done) || changed
		holds = holds || b != nil && b.holdsPolicy
	}
	changed = changed || holds != t.holdsPolicy
	t.holdsPolicy = holds
	return changed
}

// fill parses the defaults of t and of all below, once for each type.
func (l *language) fill(t *Type, done map[*Type]bool) {
	if t == nil || done[t] {
		return
	}
	done[t] = true
	l.fill(t.Elem, done)
	for _, alternative := range t.Alternatives {
		l.fill(alternative, done)
	}
	for _, f := range t.Fields {
		l.fill(f.Type, done)
		f.fallback = fallbackOf(f)
	}
}

// fallbackOf builds the value that a missing field stands for.
func fallbackOf(f *Field) *Value {
	origin := &Origin{Layer: "built-in"}
	switch {
	case f.Default == "" && f.Type.Shape == Map:
		return &Value{Type: f.Type, Origin: origin}
	case f.Default == "":
		return nil
	case f.Type.Shape == Map && f.Type.Short != "":
		inner := *f.Type.Field(f.Type.Short)
		inner.Default = f.Default
		return &Value{Type: f.Type, Origin: origin, entries: []Entry{{Key: inner.Name, Value: fallbackOf(&inner)}}}
	}
	v, problem := parseScalar(f.Type, scalar{text: f.Default})
	if problem != nil {
		panic("spec: default of " + f.Name + " is " + strconv.Quote(f.Default) + ": " + problem.message)
	}
	v.Origin = origin
	return v
}
