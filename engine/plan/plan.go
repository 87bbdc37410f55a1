// Package plan is the compiled form of a topology: complete, defaulted, sorted, hashed and immutable.
//
// A Plan is what the engine runs. The compiler builds one from YAML; an embedder may build one in Go and call Seal.
// After Seal nothing in it changes, so every goroutine may read it. A reload builds a whole new Plan aside and swaps one pointer.
//
// Struct tags give each field its place in the digest and its reload class: `plan:"name,class"`. A field without a class
// has that of the field it stands in. A field tagged "-" is neither hashed nor compared, one with an empty name adds no
// segment to the path of its leaves. A third part `key` marks the field that names an element of a list: the list is sorted
// by it, unless the list's own third part says `ordered` (the order matters) or `tree` (it follows from the elements). In a
// keyed element the field called value takes the element's path.
package plan

import (
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/rules"
)

// Plan is one configuration of the engine. Slices are sorted as their comment says; indexes point into them.
type Plan struct {
	Name   string  `plan:"name,hot"`
	Labels []Label `plan:"labels,hot"` // by key
	Dir    string  `plan:"-"`          // where relative commands start: the spec's directory

	Params   []Param    `plan:"params,hot"`        // by name
	Messages []Message  `plan:"messages,hot"`      // by name
	Actors   []Actor    `plan:"actors,,tree"`      // parents before children, siblings in start order; Actors[0] is the root supervisor
	Groups   []Group    `plan:"groups"`            // by path
	Gateway  []Listener `plan:"gateway"`           // by name
	Rules    []Rule     `plan:"rules,hot,ordered"` // in the author's order
	Patterns []Pattern  `plan:"patterns,hot"`      // by name

	Health    *Health    `plan:"health,hot"`
	Emergency *Emergency `plan:"emergency,hot"`
	Journal   Journal    `plan:"journal"`
	Observe   Observe    `plan:"observe,hot"`
	Reload    Reload     `plan:"reload,hot"`

	Secrets []string `plan:"-"` // texts that are never shown; a change of one is a change all the same

	base      *Plan          // that it is a variant of; nil when it is none
	variation Variation      // from base
	formerly  map[string]int // path in the base of an adopted actor -> index in Actors

	digest  Digest         // of all tagged leaves, set by Seal
	params  map[string]any // values of Params by name, set by Seal
	paths   index          // of Actors, set by Seal
	names   index          // of Actors, set by Seal
	groupAt map[string]int // group path -> index in Groups, set by Seal
}

// Label is one key and its text.
type Label struct {
	Key   string `plan:"key,,key"`
	Value string `plan:"value"`
}

// Param is one named constant that expressions read as params.NAME. Value is a float64 (numbers, ratios, durations in
// seconds, sizes in bytes), a string or a bool.
type Param struct {
	Name  string `plan:"name,,key"`
	Value any    `plan:"value,hot"`
}

// Message declares a message type: its fields are type-checked by the compiler.
type Message struct {
	Name       string         `plan:"name,,key"`
	Fields     []MessageField `plan:"fields,hot"` // by name
	Reply      []MessageField `plan:"reply,hot"`  // by name
	Idempotent bool           `plan:"idempotent,hot"`
}

// MessageField is one declared field; Kind is text, number, bool, list, map or any.
type MessageField struct {
	Name string `plan:"name,,key"`
	Kind string `plan:"value"`
}

// Kind is what an actor is.
type Kind uint8

// The kinds of actors a topology can name.
const (
	Supervisor Kind = iota + 1
	Process
	Upstream
	Script
	Go
	Consensus
)

// Actor is one actor, replicas expanded: who it is, and the definition that it may share with the other replicas of its
// group. The fields of the definition read as the actor's own.
type Actor struct {
	Name        string `plan:"name"`
	Path        string `plan:"path,,key"`        // root/workers/resize-1; unique
	Parent      int    `plan:"-"`                // index in Plan.Actors; -1 for the root
	Group       string `plan:"group,recreate"`   // path of the replica group; "" when the actor is not a replica
	Replica     int    `plan:"replica,recreate"` // from 0 within the group
	*Definition `plan:""`
}

// Definition is what an actor is and does. Exactly one of the kind's parts is set. Replicas share one where nothing in it
// depends on the replica: it is kept, checked and compared once.
type Definition struct {
	Kind  Kind   `plan:"kind,recreate"`
	Place string `plan:"-"`         // file:line:col where it is defined, for messages
	Order int    `plan:"order,hot"` // position among its siblings, from 0; replicas of one group share it

	Labels      []Label  `plan:"labels,hot"`
	Concurrency int      `plan:"concurrency,restart_actor"` // handlers at once; 0 is without bound (process, upstream)
	Restart     Restart  `plan:"restart,hot"`
	Mailbox     Mailbox  `plan:"mailbox,hot"`
	Shutdown    Shutdown `plan:"shutdown,hot"`
	Ready       *Probe   `plan:"ready,hot"` // counts from the next start
	Health      *Probe   `plan:"health,hot"`
	Guard       *Guard   `plan:"guard,hot"` // for all callers; nil for replicas, whose group has it
	Persist     Persist  `plan:"persist,restart_actor"`
	Metrics     []Metric `plan:"metrics,hot"` // by name
	Significant bool     `plan:"significant,hot"`
	Adopt       bool     `plan:"adopt,hot"`
	Observe     *Observe `plan:"observe,hot"` // its own; nil is the topology's

	Supervisor *SupervisorSpec `plan:"supervisor"`
	Process    *ProcessSpec    `plan:"process,restart_actor"`
	Upstream   *UpstreamSpec   `plan:"upstream,restart_actor"`
	Script     *ScriptSpec     `plan:"script,restart_actor"`
	Go         *GoSpec         `plan:"go,restart_actor"`
	Consensus  *ConsensusSpec  `plan:"consensus,hot"`
}

// Group is a set of replicas that callers reach under one name.
type Group struct {
	Name    string   `plan:"name"`
	Path    string   `plan:"path,,key"`
	Members []string `plan:"members,start"` // paths, by replica number
	Route   Route    `plan:"route,hot"`
	Guard   *Guard   `plan:"guard,hot"`

	// Named is how many replicas there must be at least, because the topology names one of them by its number.
	Named int `plan:"-"`
	// Make defines another replica, with the texts in it that are secret. Nil: a new replica shares the first one's
	// definition. It must be safe for concurrent use.
	Make func(replica int) (def *Definition, secrets []string, err error) `plan:"-"`
}

// Route picks the replica that gets a message: least_loaded, round_robin, random, hash (by Key) or all.
type Route struct {
	Pick string         `plan:"pick,hot"`
	Key  *rules.Program `plan:"key,hot"`
}

// Strategy says which siblings are restarted with a failed child.
type Strategy uint8

// The three strategies of OTP.
const (
	OneForOne Strategy = iota + 1
	AllForOne
	RestForOne
)

// Intensity is how many restarts a supervisor allows within a span; one more and it gives up.
type Intensity struct {
	Max    int           `plan:"max,hot"`    // >= 0; 0 allows none
	Within time.Duration `plan:"within,hot"` // > 0
}

// SupervisorSpec is the supervising part of an actor with children.
type SupervisorSpec struct {
	Strategy       Strategy       `plan:"strategy,hot"`
	Intensity      Intensity      `plan:"intensity,hot"`
	OnFailure      *rules.Program `plan:"on_failure,hot"`    // text: resume, restart, stop or escalate; nil is restart
	AutoShutdown   string         `plan:"auto_shutdown,hot"` // never, any, all
	RestartBreaker *Breaker       `plan:"restart_breaker,hot"`
	Children       []int          `plan:"-"` // indexes in Plan.Actors in start order
}

// RestartPolicy says after which ends a child is started again. OTP's permanent, transient and temporary are
// Always, OnFailure and Never.
type RestartPolicy uint8

// The restart policies.
const (
	Always RestartPolicy = iota + 1
	OnFailure
	Never
)

// Restart is when and after how long a child is started again.
type Restart struct {
	Policy  RestartPolicy `plan:"policy,hot"`
	Backoff Backoff       `plan:"backoff,hot"`
}

// Backoff grows a wait from Initial by Factor up to Max, each spread by ±Jitter (0..1).
type Backoff struct {
	Initial    time.Duration `plan:"initial,hot"`
	Factor     float64       `plan:"factor,hot"` // >= 1
	Max        time.Duration `plan:"max,hot"`
	Jitter     float64       `plan:"jitter,hot"`
	ResetAfter time.Duration `plan:"reset_after,hot"` // healthy this long: back to Initial; 0 never
}

// Mailbox bounds the messages waiting for an actor.
type Mailbox struct {
	Capacity  int    `plan:"capacity,hot"`   // >= 1
	Overflow  string `plan:"overflow,hot"`   // reject, block, drop_oldest, drop_newest
	OnRestart string `plan:"on_restart,hot"` // keep, drop
	Attempts  int    `plan:"attempts,hot"`   // deliveries of a message that kills its actor before it is dead-lettered; >= 1
}

// Shutdown bounds an actor's stop: Drain to finish the current message, then Kill to be gone.
type Shutdown struct {
	Drain time.Duration `plan:"drain,hot"`
	Kill  time.Duration `plan:"kill,hot"`
}

// Probe asks whether an actor is ready or healthy. Exactly one of Line, HTTP, TCP, Exec, Message or Exit is set.
type Probe struct {
	Line     string        `plan:"line"`    // ready: a line of its output contains this
	HTTP     string        `plan:"http"`    // a path or URL that answers 2xx
	TCP      string        `plan:"tcp"`     // an address that accepts
	Exec     []string      `plan:"exec"`    // a command that exits 0
	Message  string        `plan:"message"` // a message that is answered
	Exit     bool          `plan:"exit"`    // ready when the process has exited with a normal code
	Within   time.Duration `plan:"within"`
	Interval time.Duration `plan:"interval"`
	Timeout  time.Duration `plan:"timeout"`
	Fail     int           `plan:"fail"` // failures in a row until unhealthy
	Pass     int           `plan:"pass"` // passes in a row until healthy
	Then     string        `plan:"then"` // report, open, restart
}

// Persist says how an actor's state survives: none, events or state.
type Persist struct {
	Mode          string `plan:"mode"`
	SnapshotEvery int    `plan:"snapshot_every"` // changes of its state between two that are saved; >= 1
	OnLoss        string `plan:"on_loss"`        // fail, continue: what a start does when changes cannot be read
}

// Metric is a number an actor reports under a name.
type Metric struct {
	Name  string         `plan:"name,,key"`
	Value *rules.Program `plan:"value"`
}

// ProcessSpec is an OS process: its own process group, stopped by Signal, killed after Grace.
type ProcessSpec struct {
	Command    []string      `plan:"command"`
	Dir        string        `plan:"cwd"`
	Env        []EnvVar      `plan:"env"`         // by name
	Protocol   string        `plan:"protocol"`    // jsonl, none
	InFlight   int           `plan:"in_flight"`   // requests written and not answered; 0 is without bound
	NormalExit []int         `plan:"normal_exit"` // exit codes that are a normal stop
	Signal     string        `plan:"signal"`      // TERM, INT, HUP, QUIT, USR1, USR2, KILL
	Grace      time.Duration `plan:"grace"`
}

// EnvVar is one variable of a process's environment; a Secret one is never shown.
type EnvVar struct {
	Name   string `plan:"name,,key"`
	Value  string `plan:"value"`
	Secret bool   `plan:"secret"`
}

// UpstreamSpec is an HTTP service that actors call and the gateway proxies to.
type UpstreamSpec struct {
	URL        string      `plan:"url"`
	Operations []Operation `plan:"operations"` // by message
}

// Operation turns a message into a request and its response into a reply. Without one: POST /MESSAGE, JSON both ways.
type Operation struct {
	Message string          `plan:"message,,key"`
	Method  string          `plan:"method"`
	Path    *rules.Program  `plan:"path"`
	Headers []Built         `plan:"headers"` // by name
	Body    *rules.Template `plan:"body"`
	Reply   *rules.Template `plan:"reply"`
}

// Built is a named built value.
type Built struct {
	Name  string          `plan:"name,,key"`
	Value *rules.Template `plan:"value"`
}

// ScriptSpec is a behaviour written in YAML.
type ScriptSpec struct {
	State    any       `plan:"state"`    // initial, JSON-like
	Handlers []Handler `plan:"handlers"` // by message
	Timers   []Tick    `plan:"timers"`   // by message
}

// Tick sends the actor the named message every Every.
type Tick struct {
	Message string        `plan:"message,,key"`
	Every   time.Duration `plan:"every"`
}

// Handler is what a script does with one message, in the order of the fields.
type Handler struct {
	Message  string          `plan:"message,,key"`
	Calls    []CallSpec      `plan:"calls"`
	Parallel bool            `plan:"parallel"`
	Fail     *FailSpec       `plan:"fail"`
	Set      []Built         `plan:"set"` // by name; right sides see the old state
	Tell     []TellSpec      `plan:"tell"`
	Reply    *rules.Template `plan:"reply"`
	Stop     *rules.Program  `plan:"stop"` // a normal stop when true, after the reply; nil: never
}

// CallSpec is one ask of a handler. Guard is the edge's own, outside the callee's.
type CallSpec struct {
	To       string          `plan:"to"` // path of an actor or group
	Message  string          `plan:"message"`
	With     *rules.Template `plan:"with"`
	As       string          `plan:"as"`
	When     *rules.Program  `plan:"when"`
	Optional bool            `plan:"optional"`
	Guard    *Guard          `plan:"guard,hot"`
}

// TellSpec is one message a handler sends without waiting.
type TellSpec struct {
	To      string          `plan:"to"`
	Message string          `plan:"message"`
	With    *rules.Template `plan:"with"`
	When    *rules.Program  `plan:"when"`
}

// FailSpec makes a handler fail.
type FailSpec struct {
	When    *rules.Program  `plan:"when"` // nil: always
	Kind    string          `plan:"kind"`
	Message *rules.Template `plan:"message"`
}

// GoSpec names a behaviour that the embedding program registered.
type GoSpec struct {
	Behaviour string `plan:"behaviour"`
	Config    any    `plan:"config"` // JSON-like
}

// ConsensusSpec asks members at once and answers with what enough of them agree on.
type ConsensusSpec struct {
	Members   []string       `plan:"members"` // paths
	Quorum    int            `plan:"quorum"`
	Agreement float64        `plan:"agreement"` // 0..1
	Compare   *rules.Program `plan:"compare"`
	Weights   []Weight       `plan:"weights"` // by member
	Liars     int            `plan:"liars"`
	OnDissent []Action       `plan:"on_dissent"`

	Groups   []string `plan:"-"` // paths of groups whose replicas are all members, however many there are
	Majority bool     `plan:"-"` // the quorum is that of most members, however many there are
}

// Weight is what a member's answer counts.
type Weight struct {
	Member string  `plan:"member,,key"`
	Value  float64 `plan:"value"`
}

// Guard is the layered defence of one callee or one edge. Layers that are nil or zero are absent.
type Guard struct {
	Name     string        `plan:"name"` // database, api->database, public/orders
	Rate     *RateLimit    `plan:"rate_limit,hot"`
	Bulkhead *Bulkhead     `plan:"bulkhead,hot"`
	Adaptive *Adaptive     `plan:"adaptive,hot"`
	Breaker  *Breaker      `plan:"breaker,hot"`
	Retry    *Retry        `plan:"retry,hot"`
	Hedge    *Hedge        `plan:"hedge,hot"`
	Timeout  time.Duration `plan:"timeout,hot"`  // of an attempt
	Deadline time.Duration `plan:"deadline,hot"` // of all attempts
	Fallback []Fallback    `plan:"fallback,hot"`
}

// RateLimit is a token bucket: PerSecond tokens, Burst at most, one bucket per key when Key is set.
type RateLimit struct {
	PerSecond float64        `plan:"rate,hot"`
	Burst     int            `plan:"burst,hot"`
	Key       *rules.Program `plan:"key,hot"`
	MaxKeys   int            `plan:"max_keys,hot"`
}

// Bulkhead admits Concurrent calls, lets Queue more wait at most Wait.
type Bulkhead struct {
	Concurrent int           `plan:"concurrent,hot"`
	Queue      int           `plan:"queue,hot"`
	Wait       time.Duration `plan:"wait,hot"`
}

// Adaptive bounds the limit that adaptive concurrency finds.
type Adaptive struct {
	Min int `plan:"min,hot"`
	Max int `plan:"max,hot"`
}

// Breaker is a breaker's policy, with the expressions that only the engine can evaluate.
type Breaker struct {
	Name       string         `plan:"name"`
	Policy     breaker.Policy `plan:",hot"`        // its triggers need a String method, so that a change of one is seen
	TripWhen   *rules.Program `plan:"-"`           // wired into Policy as a trigger
	Outcome    *rules.Program `plan:"outcome,hot"` // success, ignored, failure or a class
	Key        *rules.Program `plan:"key,hot"`
	MaxKeys    int            `plan:"max_keys,hot"`
	PerReplica bool           `plan:"per,hot"`
}

// Retry repeats idempotent or undelivered calls.
type Retry struct {
	Attempts int            `plan:"attempts,hot"` // in all, >= 1
	Backoff  Backoff        `plan:"backoff,hot"`
	Budget   float64        `plan:"budget,hot"` // retries as a share of calls, 0..1
	When     *rules.Program `plan:"when,hot"`
}

// Hedge sends a second attempt when the first has not answered After.
type Hedge struct {
	After  time.Duration `plan:"after,hot"`
	Max    int           `plan:"max,hot"`
	Budget float64       `plan:"budget,hot"`
}

// Fallback answers for a call that was refused or failed: by another actor, or with a built reply.
type Fallback struct {
	When    *rules.Program  `plan:"when,hot"`
	To      string          `plan:"to,hot"`
	Message string          `plan:"message,hot"`
	With    *rules.Template `plan:"with,hot"`
	Reply   *rules.Template `plan:"reply,hot"`
	Status  int             `plan:"status,hot"`
}

// Listener is one HTTP ingress.
type Listener struct {
	Name       string        `plan:"name,,key"`
	Listen     string        `plan:"listen,recreate"`
	TLSCert    string        `plan:"tls_cert,recreate"`
	TLSKey     string        `plan:"tls_key,recreate"`
	H2C        bool          `plan:"h2c,recreate"`
	MaxHeader  int64         `plan:"max_header,recreate"`
	MaxBody    int64         `plan:"max_body,hot"`
	ReadHeader time.Duration `plan:"read_header,recreate"`
	ReadBody   time.Duration `plan:"read_body,hot"`
	Idle       time.Duration `plan:"idle,recreate"`
	Routes     []HTTPRoute   `plan:"routes,hot"` // by name
}

// HTTPRoute sends matching requests to an actor: proxied as they are when Message is empty.
type HTTPRoute struct {
	Name        string          `plan:"name,,key"`
	Path        string          `plan:"path,hot"` // ending in / is a prefix; the longest wins
	Methods     []string        `plan:"methods,hot"`
	Headers     []Label         `plan:"headers,hot"` // required header values
	To          string          `plan:"to,hot"`
	Message     string          `plan:"message,hot"`
	With        *rules.Template `plan:"with,hot"`
	Key         *rules.Program  `plan:"key,hot"`
	Priority    int             `plan:"priority,hot"`     // 0..9
	Idempotent  bool            `plan:"idempotent,hot"`   // whatever the method says
	StripPrefix string          `plan:"strip_prefix,hot"` // taken off the path before it is proxied
	Guard       *Guard          `plan:"guard,hot"`
}

// Rule steers the system: when its condition has held, its actions run.
type Rule struct {
	Name     string         `plan:"name,,key"`
	Enabled  bool           `plan:"enabled,hot"`
	Subject  rules.Subject  `plan:"for_each,hot"`
	Where    *rules.Program `plan:"where,hot"`
	When     *rules.Program `plan:"when,hot"` // nil: acts only by hand or from another rule
	Hold     Hold           `plan:"hold,hot"`
	Clear    *rules.Program `plan:"clear,hot"` // nil: when is false
	Then     []Action       `plan:"then,hot"`
	Cooldown time.Duration  `plan:"cooldown,hot"`
	Limit    Intensity      `plan:"limit,hot"`    // Max 0: no limit
	OnError  string         `plan:"on_error,hot"` // ignore, fire, escalate
}

// Hold is how long a condition must be true: For without a break, or For of every Of.
type Hold struct {
	For time.Duration `plan:"for,hot"`
	Of  time.Duration `plan:"of,hot"` // 0: without a break
}

// Action is one thing a rule, pattern, emergency or operator does. Target is a name, path or glob; "" is the subject.
type Action struct {
	Verb     string          `plan:"verb,hot"` // pause resume restart stop inject set_state quarantine release force_open force_close reset scale set_param checkpoint emergency webhook log run
	Target   string          `plan:"target,hot"`
	Where    *rules.Program  `plan:"where,hot"`
	For      time.Duration   `plan:"for,hot"`       // undone after it; 0 never
	MaxShare float64         `plan:"max_share,hot"` // quarantine: of the target's group; 0..1
	Message  string          `plan:"message,hot"`
	Payload  *rules.Template `plan:"payload,hot"` // inject's payload, set_state's state, webhook's body, log's fields
	Text     string          `plan:"text,hot"`    // log's text, webhook's URL, run's rule, set_param's name, checkpoint's name, emergency's enter or leave
	Level    string          `plan:"level,hot"`   // of log
	Count    int             `plan:"count,hot"`   // of scale: so many replicas; 0: By says how many more
	By       int             `plan:"by,hot"`      // of scale: so many more, or fewer
	Min      int             `plan:"min,hot"`     // of scale by: never fewer; 0 is 1
	Max      int             `plan:"max,hot"`     // of scale by: never more; 0 is MaxReplicas
	Headers  []Label         `plan:"headers,hot"` // of webhook, by name
	Timeout  time.Duration   `plan:"timeout,hot"` // of webhook
	Reason   string          `plan:"reason,hot"`
}

// Pattern looks for a shape in the event stream: hotspot, cascade, retry_storm, flapping, ask_cycle, mailbox_growth,
// slow_consumer, gray_failure, or a custom expression.
type Pattern struct {
	Name     string         `plan:"name,,key"`
	Custom   bool           `plan:"custom,hot"`    // the author's own: When decides
	Sigma    float64        `plan:"sigma,hot"`     // hotspot
	Failures int            `plan:"failures,hot"`  // cascade
	Changes  int            `plan:"changes,hot"`   // flapping
	Share    float64        `plan:"share,hot"`     // retry_storm's share, slow_consumer's backlog, gray_failure's error rate; 0..1
	Within   time.Duration  `plan:"within,hot"`    // the span looked at; mailbox_growth: full within this
	MaxDepth int            `plan:"max_depth,hot"` // cascade: longer chains infect
	When     *rules.Program `plan:"when,hot"`
	Hold     Hold           `plan:"hold,hot"`
	Then     []Action       `plan:"then,hot"`
}

// Health scores the system 0..1 and names its levels.
type Health struct {
	Score      *rules.Program `plan:"score,hot"` // never nil
	Degraded   float64        `plan:"degraded,hot"`
	Critical   float64        `plan:"critical,hot"`
	RecoverFor time.Duration  `plan:"recover_for,hot"`
}

// Emergency is entered and left by conditions that hold; Admit says which calls pass meanwhile.
type Emergency struct {
	Enter *rules.Program `plan:"enter,hot"`
	Leave *rules.Program `plan:"leave,hot"`
	Hold  Hold           `plan:"hold,hot"`
	Admit *rules.Program `plan:"admit,hot"`
	Then  []Action       `plan:"then,hot"`
}

// Journal says what is recorded and how durably.
type Journal struct {
	Durability    string         `plan:"durability,restart_engine"` // memory, async, interval, group, each
	Record        []string       `plan:"record,hot"`
	RetentionAge  time.Duration  `plan:"retention_age,hot"`
	RetentionSize int64          `plan:"retention_size,hot"`
	SnapshotEvery int            `plan:"snapshot_every,hot"`
	Overflow      string         `plan:"overflow,restart_engine"`   // block, gap, halt
	OnFailure     string         `plan:"on_failure,restart_engine"` // halt, continue
	EraseSubject  *rules.Program `plan:"erase_subject,restart_engine"`
	EraseTypes    []string       `plan:"erase_types,restart_engine"`
}

// Records tells whether events of a kind are to be kept that are not kept unless they are wanted.
func (j *Journal) Records(kind string) bool {
	return slices.Contains(j.Record, kind) || slices.Contains(j.Record, "all")
}

// Observe says how much is watched and how often samples reach the rules.
type Observe struct {
	Level     string        `plan:"level,hot"` // basic, detailed, full, interactive
	Interval  time.Duration `plan:"interval,hot"`
	Window    time.Duration `plan:"window,hot"`
	Retention time.Duration `plan:"retention,hot"`
	Sample    float64       `plan:"sample,hot"` // 0..1
}

// Reload says how changes of the file are taken.
type Reload struct {
	Mode        string         `plan:"mode,hot"`        // auto, confirm, off
	MaxRemoved  float64        `plan:"max_removed,hot"` // 0..1
	VerifyFor   time.Duration  `plan:"verify_for,hot"`
	AbortIf     *rules.Program `plan:"abort_if,hot"`
	CanaryShare float64        `plan:"canary_share,hot"`
	CanaryFor   time.Duration  `plan:"canary_for,hot"`
}
