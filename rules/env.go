package rules

// Env is what one evaluation may read. The caller fills only what its place has (see Place); everything left out
// reads as zero: a nil Actor has no calls, a nil Error has the kind "". An Env may be reused between evaluations,
// not during one, and is never written to by this package.
type Env struct {
	Params map[string]any // the values of params, by name
	Now    float64        // seconds since the engine started
	World  World          // answers actor(), breaker(), share(), over(), predict() and load()

	Call   *Call          // the call being guarded
	Msg    any            // the message's payload, JSON-like
	State  any            // the script actor's state
	Self   string         // the handling actor's path
	Caller string         // the sender's path
	Binds  map[string]any // results of calls, by `as`
	Error  *Error         // the failure; nil reads as kind ""
	Status int            // HTTP status, 0 without HTTP
	Reply  any            // the answer, JSON-like
	Took   float64        // seconds this call took

	Request  *Request  // gateway routes
	Response *Response // an upstream operation's answer

	Actor      *Actor
	Supervisor *Supervisor
	Breaker    *Breaker
	Node       *Node
	System     *System

	Window *Window // a breaker's own window, for trip.when
	Value  any     // a consensus member's answer
	Member *Actor  // the consensus member that gave it
	New    *Rates  // after the reload
	Old    *Rates  // before the reload
	N      int64   // ordinal of a load's request, from 0
	T      float64 // seconds since the load began
	Event  *Event
}

// World answers the functions that reach beyond the subject. Its methods are called on the goroutine that
// evaluates, must not block and must give the same answer for the same state of the world.
type World interface {
	// Actor is the actor, group or supervisor with this name or path, nil when there is none.
	Actor(name string) *Actor
	// Breaker is the breaker with this name, or with this key of a keyed one ("" when none is named), nil when
	// there is none.
	Breaker(name, key string) *Breaker
	// Load is the load with this name, nil outside a scenario or when there is none.
	Load(name string) *Load
	// Share is the part, 0 to 1, of the actors or breakers that are in state. Breaker states count breakers, all
	// others actors. An empty target means everywhere.
	Share(state, target string) float64
	// Over gives the rates of a subject over the last seconds instead of observe.window, nil when it is unknown.
	Over(subject Reference, seconds float64) *Rates
	// Predict extrapolates a number field ("mailbox", "latency.p99") of a subject by seconds. It is false when
	// too little is known.
	Predict(subject Reference, field string, seconds float64) (float64, bool)
}

// Reference names a subject for World: which kind, and which one.
type Reference struct {
	Subject Subject
	Name    string // name or path; empty for SystemSubject
	Key     string // of a keyed breaker
}

// Latency is a distribution of durations, in seconds.
type Latency struct {
	Mean, P50, P90, P95, P99, P999 float64
}

// Call is one guarded call.
type Call struct {
	From, To, Replica string
	Message           string
	Key               string
	Attempt           int // from 1
	Probe             bool
	Idempotent        bool
	Priority          int // 0 to 9
	Error             *Error
	Status            int
	Took              float64 // seconds
	Degraded          bool
}

// Error is a failure as expressions see it.
type Error struct {
	Kind    string // "", timeout, crash, refused, unreachable, status, no_consensus, canceled or the callee's own
	Message string
	By      string // path of who failed
}

// Breaker is a breaker as expressions see it. Rates cover its own window.
type Breaker struct {
	Name, Key       string
	State           string
	Since           float64 // seconds in this state
	Calls           float64
	ErrorRate       float64 // 0 to 1
	SlowRate        float64 // 0 to 1
	Consecutive     float64
	Latency         Latency
	Rejected, Opens float64
}

// Window is what a breaker's own trigger sees.
type Window struct {
	Calls, Failures, Slow, Ignored float64
	ErrorRate, SlowRate            float64 // 0 to 1
	Consecutive                    float64
	Latency                        Latency
	InFlight, Rejected             float64
	SinceClose                     float64                   // seconds since it last closed
	Class                          func(name string) float64 // calls of an outcome class; nil reads as 0
}

// Actor is an actor, a group of replicas or a supervisor with all below it. Rates cover observe.window.
type Actor struct {
	Name, Path, Group string
	Replica           int
	Labels            map[string]string
	State             string
	Ready             bool
	Quarantined       bool
	Infected          float64 // 0 to 1, decays
	Anomaly           float64 // 0 to 1
	Mailbox, Capacity float64 // messages
	Calls             float64
	Retries           float64 // of those calls, which were not the first attempt; for patterns only
	ErrorRate         float64 // 0 to 1
	Latency           Latency
	InFlight          float64
	Restarts          float64
	Uptime            float64 // seconds
	Memory            float64 // bytes
	Metrics           map[string]float64
}

// Supervisor is a supervisor's own decisions.
type Supervisor struct {
	Name, Path string
	Restarts   float64
	GaveUp     float64 // how often its intensity was exceeded
}

// Node is a machine.
type Node struct {
	Name     string
	CPU      float64 // 0 to 1 of all cores
	Memory   float64 // bytes in use
	DiskFree float64 // bytes
}

// System is the whole engine.
type System struct {
	Health      float64 // 0 to 1
	Level       string  // healthy, degraded, critical or unknown
	Emergency   bool
	Anomaly     float64 // 0 to 1
	DeadLetters float64
	Generation  float64
	Reload      Reload
}

// Reload is how the last reload ended.
type Reload struct {
	Status string
	Code   string
}

// Load is a scenario's load so far.
type Load struct {
	Sent, OK, Failed, Retries float64
	SuccessRate, DegradedRate float64 // 0 to 1
	Latency                   Latency
}

// Rates are the figures of one generation or of one stretch of time.
type Rates struct {
	Calls      float64
	ErrorRate  float64 // 0 to 1
	Latency    Latency
	Restarts   float64
	RuleErrors float64
}

// Event is a journal event as expectations see it.
type Event struct {
	Seq   int64
	Actor string // path
	Kind  string
	Code  string
	Type  string // started, stopped, failed, gave_up, breaker, quarantined, released, rule, …
}

// Request is an HTTP request at the gateway.
type Request struct {
	Method, Path string
	Query        map[string]string
	Headers      map[string]string // names in lower case
	JSON         any               // the body decoded, nil when it is not JSON
	Text         string
}

// Response is an upstream's answer.
type Response struct {
	Status  int
	Headers map[string]string // names in lower case
	JSON    any
	Text    string
}
