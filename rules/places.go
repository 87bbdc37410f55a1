package rules

import "sort"

// table is one name in scope and what can be read below it. A table without a name puts its fields in scope directly.
type table struct {
	name   string
	fields func() []field[Env]
	shape  *Shape // what is declared below a value that is open at compile time
	kind   Kind   // what is declared of that value itself

	opened []field[Env] // what fields gave, once asked
}

// list opens the table once.
func (t *table) list() []field[Env] {
	if t.opened == nil {
		t.opened = t.fields()
	}
	return t.opened
}

// open is a name whose value is only known at run time.
func open(name string, kind Kind, shape *Shape, read func(*Env) any) table {
	fields := func() []field[Env] { return []field[Env]{{name: name, any: read}} }
	return table{name: name, fields: fields, shape: shape, kind: kind}
}

// under is a name with a fixed set of fields, read from a part of the Env.
func under[T any](name string, get func(*Env) *T, fields func() []field[T]) table {
	return table{name: name, fields: func() []field[Env] { return nest(name, get, fields()) }, kind: ObjectKind}
}

func single(f field[Env]) table {
	return table{name: f.name, fields: func() []field[Env] { return []field[Env]{f} }}
}

func callTable() table { return under("call", func(e *Env) *Call { return e.Call }, callFields) }

func errorTable() table { return under("error", func(e *Env) *Error { return e.Error }, errorFields) }

func systemTable() table {
	return under("system", func(e *Env) *System { return e.System }, systemFields)
}

func eventTable() table { return under("event", func(e *Env) *Event { return e.Event }, eventFields) }

func supervisorTable() table {
	return under("supervisor", func(e *Env) *Supervisor { return e.Supervisor }, supervisorFields)
}

func nodeTable() table { return under("node", func(e *Env) *Node { return e.Node }, nodeFields) }

func requestTable() table {
	return under("request", func(e *Env) *Request { return e.Request }, requestFields)
}

func responseTable() table {
	return under("response", func(e *Env) *Response { return e.Response }, responseFields)
}

func (s *Scope) msgTable() table {
	kind := AnyKind
	if s.Msg != nil {
		kind = ObjectKind
	}
	return open("msg", kind, s.Msg, func(e *Env) any { return e.Msg })
}

func (s *Scope) replyTable() table {
	return open("reply", AnyKind, s.Reply, func(e *Env) any { return e.Reply })
}

func (s *Scope) stateTable() table {
	return open("state", ObjectKind, s.State, func(e *Env) any { return e.State })
}

func (s *Scope) valueTable() table {
	return open("value", AnyKind, s.Reply, func(e *Env) any { return e.Value })
}

// always is in scope everywhere.
func (s *Scope) always() []table {
	shape := &Shape{Fields: s.Params}
	return []table{
		open("params", ObjectKind, shape, func(e *Env) any { return e.Params }),
		single(field[Env]{name: "now", num: func(e *Env) float64 { return e.Now }}),
	}
}

// tables lists what is in scope at the place, besides functions.
func (s *Scope) tables() []table {
	switch s.Place {
	case AtTripWhen:
		return append(s.always(), windowTable())
	case AtOutcome, AtRetryWhen, AtFallback:
		return append(s.always(), s.answered()...)
	case AtKey, AtAdmit, AtOperation, AtWorldReply, AtPoison:
		return append(s.always(), callTable(), s.msgTable())
	case AtOperationReply:
		return append(s.always(), s.msgTable(), responseTable())
	case AtRoute:
		return append(s.always(), requestTable())
	case AtHandler:
		return append(s.always(), s.handling()...)
	case AtOnFailure:
		return append(s.always(), errorTable(), actorTable(), supervisorTable())
	case AtCompare:
		return append(s.always(), s.valueTable(), memberTable())
	case AtAbortIf:
		return append(s.always(), newTable(), oldTable())
	case AtLoad:
		return append(s.always(), loadOrdinals()...)
	case AtMetric:
		return append(s.always(), s.stateTable(), actorTable())
	case AtEval:
		return s.everything()
	default:
		return append(s.always(), s.steering()...)
	}
}

// steering is what rules, and all places that see the whole system, may read.
func (s *Scope) steering() []table {
	switch s.Place {
	case AtActionWhere:
		return []table{actorTable(), systemTable()}
	case AtRule, AtRuleAction:
		return append(s.subject(), systemTable())
	case AtExpect:
		return []table{systemTable(), callTable(), eventTable()}
	default:
		return []table{systemTable()}
	}
}

func (s *Scope) subject() []table {
	switch s.Subject {
	case ActorSubject:
		return []table{actorTable()}
	case BreakerSubject:
		return []table{breakerTable()}
	case SupervisorSubject:
		return []table{supervisorTable()}
	case NodeSubject:
		return []table{nodeTable()}
	default:
		return nil
	}
}

func (s *Scope) answered() []table {
	return []table{
		callTable(), s.msgTable(), errorTable(), s.replyTable(),
		single(field[Env]{name: "status", num: func(e *Env) float64 { return float64(e.Status) }}),
		single(field[Env]{name: "took", num: func(e *Env) float64 { return e.Took }}),
	}
}

func (s *Scope) handling() []table {
	tables := []table{
		s.msgTable(), s.stateTable(),
		single(field[Env]{name: "self", text: func(e *Env) string { return e.Self }}),
		single(field[Env]{name: "caller", text: func(e *Env) string { return e.Caller }}),
	}
	for _, b := range s.Binds {
		tables = append(tables, open(b.Name, b.Kind, b.Shape, func(e *Env) any { return e.Binds[b.Name] }))
	}
	return tables
}

func memberTable() table {
	return under("member", func(e *Env) *Actor { return e.Member }, actorFields)
}

func newTable() table { return under("new", func(e *Env) *Rates { return e.New }, ratesFields) }

func oldTable() table { return under("old", func(e *Env) *Rates { return e.Old }, ratesFields) }

func loadOrdinals() []table {
	return []table{
		single(field[Env]{name: "n", num: func(e *Env) float64 { return float64(e.N) }}),
		single(field[Env]{name: "t", num: func(e *Env) float64 { return e.T }}),
	}
}

// everything is for trying expressions by hand.
func (s *Scope) everything() []table {
	tables := append(s.always(), s.answered()...)
	tables = append(tables, s.handling()[1:]...)
	tables = append(tables, loadOrdinals()...)
	return append(tables, requestTable(), responseTable(), s.valueTable(), memberTable(), newTable(), oldTable(),
		actorTable(), supervisorTable(), breakerTable(), nodeTable(), systemTable(), eventTable(), windowTable())
}

// reaches tells whether a function that reads the world or the window is in scope at the place.
func (s *Scope) reaches(function string) bool {
	switch s.Place {
	case AtEval:
		return true
	case AtTripWhen:
		return function == "class" || function == "share"
	case AtExpect, AtTimeline:
		return function != "class"
	case AtRule, AtRuleAction, AtActionWhere, AtHealth, AtEmergency, AtPattern:
		return function != "class" && function != "load"
	default:
		return function == "share"
	}
}

// String names the place in a message: "a rule sees actor, system".
func (p Place) String() string {
	names := [...]string{
		AtTripWhen: "trip.when", AtOutcome: "outcome", AtRetryWhen: "retry.when", AtFallback: "a fallback", AtKey: "a key",
		AtAdmit: "admit", AtOperation: "an operation", AtOperationReply: "an operation's reply",
		AtWorldReply: "a world's reply", AtPoison: "poison", AtRoute: "a route", AtHandler: "a handler",
		AtOnFailure: "on_failure", AtCompare: "compare", AtAbortIf: "abort_if", AtRule: "a rule",
		AtRuleAction: "a rule's action", AtActionWhere: "an action's where", AtHealth: "health.score",
		AtEmergency: "emergency", AtPattern: "a pattern", AtLoad: "a load", AtExpect: "an expectation",
		AtTimeline: "a timeline step", AtMetric: "a metric", AtEval: "eval",
	}
	if int(p) < len(names) {
		return names[p]
	}
	return "this place"
}

// Visible lists the names in scope, without functions, sorted.
func (s Scope) Visible() []string {
	var names []string
	for _, t := range s.tables() {
		if t.name != "" {
			names = append(names, t.name)
			continue
		}
		for _, f := range t.fields() {
			names = append(names, f.name)
		}
	}
	sort.Strings(names)
	return names
}
