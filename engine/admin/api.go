// Package admin is how a running engine is looked at and steered from outside: an HTTP API on a unix socket in the data
// directory, and its Go client. Who may open the socket, mode 0600, may steer.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/observe"
)

// Engine is what the API needs of the engine. Implementations are safe for concurrent use.
type Engine interface {
	Status() Status
	Actor(ctx context.Context, r ActorRequest) (ActorDetail, error)
	Steer(ctx context.Context, s engine.Steer, by string) error
	Ask(ctx context.Context, r AskRequest) (any, error)
	Tell(ctx context.Context, r AskRequest) error
	Reload(ctx context.Context, r ReloadRequest) (ReloadResult, error)
	Plan(ctx context.Context, r PlanRequest) (PlanResult, error)
	Events() *observe.Stream
}

// Status is what the engine looks like now.
type Status struct {
	Name       string  `json:"name"`
	Generation uint64  `json:"generation"`
	Digest     string  `json:"digest"` // of the running plan, hexadecimal
	PID        int     `json:"pid"`
	Uptime     float64 `json:"uptime"` // seconds
	Health     string  `json:"health"` // starting, healthy, degraded, critical, unknown or stopping
	Score      float64 `json:"score"`  // 0..1
	Emergency  bool    `json:"emergency"`
	// DeadLetters is how many messages were not handled since the engine started.
	DeadLetters uint64          `json:"dead_letters"`
	Drift       string          `json:"drift,omitempty"`     // why the file on disk is not what runs
	Reload      ReloadStatus    `json:"reload,omitzero"`     // how the last reload ended; zero before the first
	Overrides   []Override      `json:"overrides,omitempty"` // what actions have changed of what the files say
	Actors      []ActorStatus   `json:"actors"`              // in plan order
	Breakers    []BreakerStatus `json:"breakers"`            // by name
	Patterns    []Pattern       `json:"patterns,omitempty"`  // of trouble, seen now, oldest first
	Listeners   []Listener      `json:"listeners"`
}

// ReloadStatus is how the last reload ended: verifying, active, rolled_back or rejected, with the code of why not.
type ReloadStatus struct {
	Status string `json:"status"`
	Code   string `json:"code,omitempty"`
}

// Override is something that an action has changed, and that lasts: of what the files say, or of an actor, a breaker or the system.
type Override struct {
	What   string  `json:"what"`             // replicas of root/workers/resize, params.slow, root/api, breaker upstream, the engine
	Value  string  `json:"value"`            // in force: 5, paused, forced_open
	Before string  `json:"before,omitempty"` // what the files say, where they say something
	By     string  `json:"by"`               // an operator or a rule
	Reason string  `json:"reason,omitempty"`
	Since  float64 `json:"since"`          // seconds since it was set
	Left   float64 `json:"left,omitempty"` // seconds until it ends; 0: no time has been set
	// Until is when it ends: time, emergency (when that is left) or undone (when somebody takes it back, or the files change it).
	Until string `json:"until"`
}

// Pattern is a shape of trouble that the engine sees.
type Pattern struct {
	Name       string   `json:"name"`
	Actors     []string `json:"actors,omitempty"` // paths
	Root       string   `json:"root,omitempty"`   // path of the likely cause
	Confidence float64  `json:"confidence"`       // 0..1
	Since      float64  `json:"since"`            // seconds since it was found
	Why        string   `json:"why,omitempty"`
}

// ActorStatus is one actor. Rates cover observe.window.
type ActorStatus struct {
	Path        string  `json:"path"`
	Kind        string  `json:"kind"`
	State       string  `json:"state"`
	Ready       bool    `json:"ready"`
	Paused      bool    `json:"paused,omitempty"`
	Quarantined bool    `json:"quarantined,omitempty"`
	Unhealthy   bool    `json:"unhealthy,omitempty"` // its health check fails
	Restarts    uint64  `json:"restarts"`
	Incarnation uint32  `json:"incarnation"`
	Since       float64 `json:"since"`   // seconds in this state
	Mailbox     int     `json:"mailbox"` // messages waiting
	Capacity    int     `json:"capacity"`
	Blocked     int     `json:"blocked,omitempty"` // messages whose senders wait for room in the mailbox
	InFlight    int     `json:"in_flight"`
	Calls       uint64  `json:"calls"`
	Failures    uint64  `json:"failures"`
	DeadLetters uint64  `json:"dead_letters,omitempty"` // since the engine started
	ErrorRate   float64 `json:"error_rate"`             // 0..1
	P99         float64 `json:"p99"`                    // seconds
	PID         int     `json:"pid,omitempty"`
	Memory      int64   `json:"memory,omitempty"` // bytes
}

// ActorRequest asks about one actor.
type ActorRequest struct {
	Actor   string        // name or path
	Timeout time.Duration // how long a turn to read its state is waited for; 0: DefaultLook
}

// DefaultLook is how long a turn to read an actor's state is waited for where nobody says.
const DefaultLook = 2 * time.Second

// ActorDetail is one actor and what it holds.
type ActorDetail struct {
	Actor  ActorStatus       `json:"actor"`
	Group  string            `json:"group,omitempty"` // path of the replica group it belongs to
	Labels map[string]string `json:"labels,omitempty"`
	Guard  string            `json:"guard,omitempty"` // name of the one that callers pass, its own or its group's
	// Breakers are that guard's and those of the calls that the actor makes, by name.
	Breakers []BreakerStatus `json:"breakers,omitempty"`
	// State is what a script or Go actor holds, as it was in a turn of the actor's own; absent with an Unread.
	State  json.RawMessage `json:"state,omitempty"`
	Unread *Unread         `json:"unread,omitempty"`
}

// Unread is why an actor's state is not shown: stateless when it has none, unreachable when no incarnation is up, timeout when no handler
// has returned in time, refused when very many look, invalid when it is too large or no JSON.
type Unread struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// UnreadStateless is the kind of Unread of an actor that has no state.
const UnreadStateless = "stateless"

// Failed tells whether there is a state that could not be read.
func (u *Unread) Failed() bool {
	return u != nil && u.Kind != UnreadStateless && u.Kind != engine.KindUnreachable
}

// BreakerStatus is one breaker.
type BreakerStatus struct {
	Name        string  `json:"name"`
	State       string  `json:"state"`
	Since       float64 `json:"since"` // seconds in this state
	Calls       uint64  `json:"calls"`
	ErrorRate   float64 `json:"error_rate"`
	SlowRate    float64 `json:"slow_rate"`
	Consecutive uint64  `json:"consecutive"`
	Rejected    uint64  `json:"rejected"`
	Opens       uint64  `json:"opens"`
	Until       float64 `json:"until,omitempty"` // seconds until an open breaker lets a probe through
	// Thresholds shows the policy in force, so that a reload can be seen to have arrived.
	Thresholds map[string]string `json:"thresholds,omitempty"`
}

// Listener is one address the gateway listens on.
type Listener struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// AskRequest is one message to an actor.
type AskRequest struct {
	Actor       string        `json:"actor"` // name or path
	Message     string        `json:"message"`
	Payload     any           `json:"payload"`
	Timeout     time.Duration `json:"timeout_ns"` // 0: the actor's guard decides
	Correlation string        `json:"correlation,omitempty"`
	Idempotent  bool          `json:"idempotent,omitempty"`
}

// ReloadRequest asks for the files to be read again.
type ReloadRequest struct {
	By           string `json:"by"`
	AllowDestroy bool   `json:"allow_destroy,omitempty"` // also when it removes much or makes something anew
	Wait         bool   `json:"wait,omitempty"`          // until the generation is off probation
}

// ReloadResult is the verdict on a reload.
type ReloadResult struct {
	Generation uint64   `json:"generation"` // in force afterwards
	Changed    bool     `json:"changed"`    // false when the file is what runs already
	Changes    []string `json:"changes,omitempty"`
	Problems   []string `json:"problems,omitempty"` // why it was rejected
	Status     string   `json:"status,omitempty"`   // verifying, active, rolled_back or rejected; "" before the first reload
	Code       string   `json:"code,omitempty"`     // of why it was rejected or rolled back
	Reason     string   `json:"reason,omitempty"`   // of a rollback
	Replaced   bool     `json:"replaced,omitempty"` // another reload came before this one was off probation
}

// PlanRequest asks what the engine would change if it ran these files, read where the engine runs. Paths are absolute.
type PlanRequest struct {
	Paths []string `json:"paths"`
}

// PlanResult is the difference between the running plan and the one that was asked about.
type PlanResult struct {
	Name    string       `json:"name"`
	Old     string       `json:"old_digest"` // hexadecimal
	New     string       `json:"new_digest"`
	Changes []PlanChange `json:"changes"`
}

// PlanChange is one plan.Change.
type PlanChange struct {
	Path  string `json:"path"`
	Actor string `json:"actor,omitempty"`
	Class string `json:"class"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

// ErrUnreachable is returned by the client when no engine answers at the address.
var ErrUnreachable = errors.New("no engine answers")

// wireError is how an error crosses the socket.
type wireError struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	By      string `json:"by,omitempty"`
	Status  int    `json:"status,omitempty"`
}
