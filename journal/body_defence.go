package journal

import (
	"encoding/json"
	"time"
)

// BreakerChanged tells that a breaker changed its state.
type BreakerChanged struct {
	Breaker    string `json:"breaker"`
	From       string `json:"from"`
	To         string `json:"to"`
	Generation uint64 `json:"generation"` // of the breaker's state, counted up at each change
	Reason     string `json:"reason"`
	Values     Values `json:"values,omitempty"`        // what the decision was made from
	Until      int64  `json:"until_unix_ns,omitempty"` // when an open breaker lets a probe through
}

// Quarantined tells that the actor was cut off from its callers.
type Quarantined struct {
	For    time.Duration `json:"for_ns,omitempty"` // 0: until released
	Share  Number        `json:"share"`            // of its group that is now quarantined, 0..1
	Reason string        `json:"reason"`
	Rule   string        `json:"rule,omitempty"`
}

// Released tells that the actor left quarantine.
type Released struct {
	Reason string `json:"reason"`
}

// HealthChanged tells that a health level changed.
type HealthChanged struct {
	Score Number `json:"score"` // 0..1
	From  string `json:"from"`
	To    string `json:"to"`
}

// EmergencyChanged tells that emergency mode was entered or left.
type EmergencyChanged struct {
	On  bool   `json:"on"`
	Why string `json:"why"`
}

// Probe is the result of a health check that differs from the one before.
type Probe struct {
	Healthy bool          `json:"healthy"`
	Why     string        `json:"why,omitempty"`
	Took    time.Duration `json:"took_ns,omitempty"`
}

// PatternFound tells that a pattern of trouble was seen. The event's actor is whom the pattern is about.
type PatternFound struct {
	Pattern    string   `json:"pattern"`
	Actors     []string `json:"actors,omitempty"` // paths of those that take part
	Root       string   `json:"root,omitempty"`   // path of the likely cause
	Confidence Number   `json:"confidence"`       // 0..1
	Count      int      `json:"count"`            // failures, changes or samples that it was seen from
	Why        string   `json:"why,omitempty"`
}

// PatternCleared tells that a pattern that was found is not seen any more.
type PatternCleared struct {
	Pattern string        `json:"pattern"`
	Root    string        `json:"root,omitempty"`
	Count   int           `json:"count"`     // while it lasted
	Lasted  time.Duration `json:"lasted_ns"` // from when it was first seen to when it was last seen
}

// Infected tells that failures of others have reached the actor, so many or over so many steps that it counts as part
// of the trouble.
type Infected struct {
	Score  Number   `json:"score"` // 0..1; it decays
	Reason string   `json:"reason"`
	Chain  []string `json:"chain,omitempty"` // paths, from where it began to the actor
}

// Call is one attempt of a guarded call, recorded when the topology asks for it: one that was made, or one that a guard
// refused; besides, one event tells that a fallback answered. The event's actor is the callee.
type Call struct {
	From     string        `json:"from,omitempty"`
	Message  string        `json:"message,omitempty"` // its type; the method of an HTTP exchange that is passed through
	Breaker  string        `json:"breaker,omitempty"` // the guard's name: the callee's own, or that of a caller's edge
	Outcome  string        `json:"outcome"`           // success, failure, ignored, rejected or fallback
	Class    string        `json:"class,omitempty"`   // of a failure, the error's; of a rejected call, the layer that refused
	Duration time.Duration `json:"duration_ns"`
	Attempt  int           `json:"attempt,omitempty"` // from 1; 0 of a fallback's answer
	Hedge    int           `json:"hedge,omitempty"`   // which of several at once, from 1
	Replica  string        `json:"replica,omitempty"` // name, where one of a group was called
	Status   int           `json:"status,omitempty"`  // of an HTTP answer

	// Payload is what it carried, when it came from outside and journal.record has payloads; of a call, at its first attempt.
	// Oversize is how many bytes that would have been, when they were too many.
	Payload  json.RawMessage `json:"payload,omitempty"`
	Oversize int             `json:"oversize,omitempty"`
}

// RuleFired tells that a steering rule's condition held long enough.
type RuleFired struct {
	Rule    string   `json:"rule"`
	Subject string   `json:"subject,omitempty"`
	Values  Values   `json:"values,omitempty"` // what the condition read
	Actions []string `json:"actions,omitempty"`
}

// RuleCleared tells that a rule that had fired no longer holds.
type RuleCleared struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject,omitempty"`
	Values  Values `json:"values,omitempty"`
}

// RuleFailed tells that a rule could not be evaluated.
type RuleFailed struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject,omitempty"`
	Error   string `json:"error"`
}

// ActionDone tells what became of a steering action.
type ActionDone struct {
	Verb   string `json:"verb"`
	Target string `json:"target"`
	By     string `json:"by,omitempty"` // a rule or an operator
	Reason string `json:"reason,omitempty"`
	Result string `json:"result"` // done, or why not
}

// Commanded tells what an operator asked for.
type Commanded struct {
	Verb   string `json:"verb"`
	Target string `json:"target"`
	Who    string `json:"who,omitempty"`
	Why    string `json:"why,omitempty"`
	Args   Values `json:"args,omitempty"`
}

// Sample is one observation of the actor or, without an actor, the system.
type Sample struct {
	Values map[string]Number `json:"values"`
}

// Dissent tells that a consensus was reached although not all members agreed.
type Dissent struct {
	Agreed     []string `json:"agreed"`               // paths of those whose answer was taken
	Dissenters []string `json:"dissenters,omitempty"` // paths of those who answered otherwise
	Silent     []string `json:"silent,omitempty"`     // paths of those who gave no answer
}

// Type returns TypeDissent.
func (Dissent) Type() Type { return TypeDissent }

// Type returns TypeBreakerChanged.
func (BreakerChanged) Type() Type { return TypeBreakerChanged }

// Type returns TypeQuarantined.
func (Quarantined) Type() Type { return TypeQuarantined }

// Type returns TypeReleased.
func (Released) Type() Type { return TypeReleased }

// Type returns TypeHealthChanged.
func (HealthChanged) Type() Type { return TypeHealthChanged }

// Type returns TypeEmergencyChanged.
func (EmergencyChanged) Type() Type { return TypeEmergencyChanged }

// Type returns TypeProbe.
func (Probe) Type() Type { return TypeProbe }

// Type returns TypePatternFound.
func (PatternFound) Type() Type { return TypePatternFound }

// Type returns TypePatternCleared.
func (PatternCleared) Type() Type { return TypePatternCleared }

// Type returns TypeInfected.
func (Infected) Type() Type { return TypeInfected }

// Type returns TypeCall.
func (Call) Type() Type { return TypeCall }

// Type returns TypeRuleFired.
func (RuleFired) Type() Type { return TypeRuleFired }

// Type returns TypeRuleCleared.
func (RuleCleared) Type() Type { return TypeRuleCleared }

// Type returns TypeRuleFailed.
func (RuleFailed) Type() Type { return TypeRuleFailed }

// Type returns TypeActionDone.
func (ActionDone) Type() Type { return TypeActionDone }

// Type returns TypeCommanded.
func (Commanded) Type() Type { return TypeCommanded }

// Type returns TypeSample.
func (Sample) Type() Type { return TypeSample }
