package journal

import "fmt"

// Type numbers a kind of event. Numbers are part of the disk format: they are
// given by hand, never reused and never renumbered.
type Type uint16

// The event types, in groups of ten or twenty with room to grow.
const (
	TypeEngineStarted    Type = 1
	TypeEngineStopped    Type = 2
	TypeGap              Type = 3
	TypeJournalRecovered Type = 4
	TypeCheckpoint       Type = 5
	TypeLogged           Type = 6
	TypeInput            Type = 7

	TypeActorStarting    Type = 10
	TypeActorStarted     Type = 11
	TypeActorReady       Type = 12
	TypeActorStopping    Type = 13
	TypeActorStopped     Type = 14
	TypeActorFailed      Type = 15
	TypeActorRestarting  Type = 16
	TypeSupervisorGaveUp Type = 17
	TypeActorLeaked      Type = 18

	TypeBreakerChanged   Type = 30
	TypeQuarantined      Type = 31
	TypeReleased         Type = 32
	TypePaused           Type = 33
	TypeResumed          Type = 34
	TypeHealthChanged    Type = 35
	TypeEmergencyChanged Type = 36
	TypeProbe            Type = 37
	TypePatternFound     Type = 38
	TypePatternCleared   Type = 39
	TypeInfected         Type = 40

	TypeRuleFired   Type = 50
	TypeRuleCleared Type = 51
	TypeRuleFailed  Type = 52
	TypeActionDone  Type = 53
	TypeCommanded   Type = 54

	TypeReloadCommitted  Type = 60
	TypeReloadRejected   Type = 61
	TypeReloadVerified   Type = 62
	TypeReloadRolledBack Type = 63
	TypePlanVaried       Type = 64

	TypeMessage      Type = 70
	TypeCall         Type = 71
	TypeDeadLetter   Type = 72
	TypeInjected     Type = 73
	TypeStateSet     Type = 74
	TypeSample       Type = 75
	TypeDissent      Type = 76
	TypeStateChanged Type = 77
)

// kind is what is known about a type.
type kind struct {
	name   string
	decode func([]byte) (Body, error)
}

// kindOf is the one table of types; the zero kind means unknown.
func kindOf(t Type) kind {
	kinds := [...]kind{
		TypeEngineStarted:    {"engine_started", decodeJSON[EngineStarted]},
		TypeEngineStopped:    {"engine_stopped", decodeJSON[EngineStopped]},
		TypeGap:              {"gap", decodeJSON[Gap]},
		TypeJournalRecovered: {"journal_recovered", decodeJSON[JournalRecovered]},
		TypeCheckpoint:       {"checkpoint", decodeJSON[Checkpoint]},
		TypeLogged:           {"logged", decodeJSON[Logged]},
		TypeInput:            {"input", nil},
		TypeActorStarting:    {"actor_starting", decodeJSON[ActorStarting]},
		TypeActorStarted:     {"actor_started", decodeJSON[ActorStarted]},
		TypeActorReady:       {"actor_ready", decodeJSON[ActorReady]},
		TypeActorStopping:    {"actor_stopping", decodeJSON[ActorStopping]},
		TypeActorStopped:     {"actor_stopped", decodeJSON[ActorStopped]},
		TypeActorFailed:      {"actor_failed", decodeJSON[ActorFailed]},
		TypeActorRestarting:  {"actor_restarting", decodeJSON[ActorRestarting]},
		TypeSupervisorGaveUp: {"supervisor_gave_up", decodeJSON[SupervisorGaveUp]},
		TypeActorLeaked:      {"actor_leaked", decodeJSON[ActorLeaked]},
		TypeBreakerChanged:   {"breaker_changed", decodeJSON[BreakerChanged]},
		TypeQuarantined:      {"quarantined", decodeJSON[Quarantined]},
		TypeReleased:         {"released", decodeJSON[Released]},
		TypePaused:           {"paused", decodeJSON[Paused]},
		TypeResumed:          {"resumed", decodeJSON[Resumed]},
		TypeHealthChanged:    {"health_changed", decodeJSON[HealthChanged]},
		TypeEmergencyChanged: {"emergency_changed", decodeJSON[EmergencyChanged]},
		TypeProbe:            {"probe", decodeJSON[Probe]},
		TypePatternFound:     {"pattern_found", decodeJSON[PatternFound]},
		TypePatternCleared:   {"pattern_cleared", decodeJSON[PatternCleared]},
		TypeInfected:         {"infected", decodeJSON[Infected]},
		TypeRuleFired:        {"rule_fired", decodeJSON[RuleFired]},
		TypeRuleCleared:      {"rule_cleared", decodeJSON[RuleCleared]},
		TypeRuleFailed:       {"rule_failed", decodeJSON[RuleFailed]},
		TypeActionDone:       {"action_done", decodeJSON[ActionDone]},
		TypeCommanded:        {"commanded", decodeJSON[Commanded]},
		TypeReloadCommitted:  {"reload_committed", decodeJSON[ReloadCommitted]},
		TypeReloadRejected:   {"reload_rejected", decodeJSON[ReloadRejected]},
		TypeReloadVerified:   {"reload_verified", decodeJSON[ReloadVerified]},
		TypeReloadRolledBack: {"reload_rolled_back", decodeJSON[ReloadRolledBack]},
		TypePlanVaried:       {"plan_varied", decodeJSON[PlanVaried]},
		TypeMessage:          {"message", decodeJSON[Message]},
		TypeCall:             {"call", decodeJSON[Call]},
		TypeDeadLetter:       {"dead_letter", decodeJSON[DeadLetter]},
		TypeInjected:         {"injected", decodeJSON[Injected]},
		TypeStateSet:         {"state_set", decodeJSON[StateSet]},
		TypeSample:           {"sample", decodeJSON[Sample]},
		TypeDissent:          {"dissent", decodeJSON[Dissent]},
		TypeStateChanged:     {"state_changed", decodeJSON[StateChanged]},
	}
	if int(t) >= len(kinds) {
		return kind{}
	}
	return kinds[t]
}

// String returns the type's snake_case name, or "type(N)" when it is unknown.
func (t Type) String() string {
	if name := kindOf(t).name; name != "" {
		return name
	}
	return fmt.Sprintf("type(%d)", uint16(t))
}

// Types returns all known types in ascending order.
func Types() []Type {
	var known []Type
	for t := range TypeStateChanged + 1 {
		if kindOf(t).name != "" {
			known = append(known, t)
		}
	}
	return known
}

// ParseType returns the type with the given name as String writes it, or an
// error that wraps ErrUnknownType.
func ParseType(name string) (Type, error) {
	var number uint16
	if _, err := fmt.Sscanf(name, "type(%d)", &number); err == nil && Type(number).String() == name {
		return Type(number), nil
	}
	for _, t := range Types() {
		if t.String() == name {
			return t, nil
		}
	}
	return 0, fmt.Errorf("%w %q", ErrUnknownType, name)
}
