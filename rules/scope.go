package rules

// Place is a field of the language that holds an expression; it decides which names are in scope.
type Place uint8

// The places of the language.
const (
	AtTripWhen       Place = iota // breaker trip.when
	AtOutcome                     // breaker outcome
	AtRetryWhen                   // retry.when
	AtFallback                    // fallback: when, with, reply
	AtKey                         // key of a limiter, breaker, route or erase
	AtAdmit                       // emergency.admit
	AtOperation                   // an upstream operation's path, headers, body
	AtOperationReply              // an upstream operation's reply
	AtWorldReply                  // a world model's reply
	AtPoison                      // poison {where}
	AtRoute                       // a gateway route's with and key
	AtHandler                     // a script handler: when, with, set, reply, fail, tell
	AtOnFailure                   // a supervisor's on_failure
	AtCompare                     // consensus compare
	AtAbortIf                     // reload.abort_if
	AtRule                        // a rule's where, when, clear
	AtRuleAction                  // an expression inside a rule's action
	AtActionWhere                 // an action's where
	AtHealth                      // health.score
	AtEmergency                   // emergency enter, leave
	AtPattern                     // patterns
	AtLoad                        // a load's payload and rate
	AtExpect                      // an expectation
	AtTimeline                    // a timeline step's when
	AtMetric                      // an actor's metrics
	AtEval                        // the command line: every name
)

// Subject is what a rule is for.
type Subject uint8

// The subjects a rule may name in for_each.
const (
	ActorSubject Subject = iota
	BreakerSubject
	SupervisorSubject
	NodeSubject
	SystemSubject
)

// Want is what an expression must give.
type Want uint8

// What an expression may be asked for.
const (
	Any       Want = iota // any JSON-like value
	Condition             // true or false, nothing else stands in for them
	Number
	Text
)

// Kind is the type of a declared name.
type Kind uint8

// The kinds of values. AnyKind is checked at run time only.
const (
	AnyKind Kind = iota
	NumberKind
	TextKind
	BoolKind
	ListKind
	ObjectKind
	NilKind
)

// Field is a declared name.
type Field struct {
	Name  string
	Kind  Kind
	Shape *Shape // of an ObjectKind; nil: open
}

// Shape is the set of fields a value may have. A nil *Shape is open: any field may be read.
type Shape struct {
	Fields []Field
}

// Scope is where an expression stands and what was declared for it.
type Scope struct {
	Place   Place
	Subject Subject  // for AtRule and AtRuleAction
	Params  []Field  // all params of the topology
	Msg     *Shape   // fields of msg; nil: open
	Reply   *Shape   // fields of reply, or of value; nil: open
	State   *Shape   // fields of state; nil: open
	Binds   []Field  // results of earlier calls, by `as`
	Metrics []string // declared actor metrics; nil: open
	OneOf   []string // the only texts the expression may give; nil: any
}

// Problem is one thing wrong with an expression. Offset and Len are bytes of the text given to Compile; Len is at
// least 1 unless the problem stands at the end of the text.
type Problem struct {
	Code        string // LR303
	Offset, Len int
	Message     string // one line, lower case, with the value in it
	Suggestion  string // what to write instead of the span, "" when there is no single answer
	Help        string // the way out in a sentence, may be ""
	Warning     bool   // the program was compiled all the same
}
