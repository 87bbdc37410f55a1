package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// show prints problems the way a reader meets them: code, the text they point at, the message.
func show(text string, problems []Problem) string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.Code+" ["+text[p.Offset:p.Offset+p.Len]+"] "+p.Message)
	}
	return strings.Join(lines, "\n")
}

// mistake is an expression and what a reader is shown of its problems.
type mistake struct {
	text  string
	want  Want
	scope Scope
	shown string
}

// Words that never come are told wherever they are compared; "" is what an absent one reads as.
func TestProblemsWithWords(t *testing.T) {
	_, rule, _ := mistaken()
	expect := Scope{Place: AtExpect}
	const levels = `not one of healthy, degraded, critical, unknown`
	for _, m := range []mistake{
		{`system.level == "helthy"`, Condition, rule, `LR320 ["helthy"] "helthy" is ` + levels + `; did you mean "healthy"?`},
		{`"bad" != system.level`, Condition, rule, `LR320 ["bad"] "bad" is ` + levels},
		{`system.level in ["critical", "bad"]`, Condition, rule, `LR320 ["bad"] "bad" is ` + levels},
		{`breaker("db").state == "opn"`, Condition, rule,
			`LR320 ["opn"] "opn" is not one of closed, open, half_open, recovering, forced_open, forced_closed, disabled, shadow; did you mean "open"?`},
		{`breaker(actor.name).state == "half-open"`, Condition, rule,
			`LR320 ["half-open"] "half-open" is not one of closed, open, half_open, recovering, forced_open, forced_closed, disabled, shadow; did you mean "half_open"?`},
		{`actor("a").state == "runing"`, Condition, expect,
			`LR320 ["runing"] "runing" is not one of starting, running, paused, quarantined, failed, restarting, stopping, stopped, new, removed, absent; did you mean "running"?`},
		{`system.reload.status == "rolledback"`, Condition, expect,
			`LR320 ["rolledback"] "rolledback" is not one of verifying, active, rolled_back, rejected; did you mean "rolled_back"?`},
		{`event.type == "actor_stopped"`, Condition, expect, `LR320 ["actor_stopped"] "actor_stopped" is not one of started, stopped, failed, gave_up, breaker, ` +
			`quarantined, released, rule, checkpoint, reload, dead_letter, dissent, emergency`},
		{`system.level == "" || system.level in ["healthy", "unknown"] || actor.name == "helthy"`, Condition, rule, ``},
	} {
		m.check(t)
	}
}

// mistaken gives the scopes in which the mistakes are made.
func mistaken() (handler, rule, failure Scope) {
	msg := &Shape{Fields: []Field{
		{Name: "size", Kind: NumberKind}, {Name: "latency", Kind: NumberKind}, {Name: "total", Kind: NumberKind}, {Name: "count", Kind: NumberKind},
		{Name: "name", Kind: TextKind}, {Name: "ok", Kind: BoolKind},
		{Name: "tags", Kind: ObjectKind, Shape: &Shape{Fields: []Field{{Name: "region", Kind: TextKind}}}},
		{Name: "items", Kind: ListKind},
	}}
	handler = Scope{Place: AtHandler, Msg: msg, Params: []Field{{Name: "slow", Kind: NumberKind}}}
	rule = Scope{Place: AtRule, Params: handler.Params}
	failure = Scope{Place: AtOnFailure, OneOf: []string{"resume", "restart", "stop", "escalate"}}
	return handler, rule, failure
}

func TestProblemsWithNamesAndKinds(t *testing.T) {
	handler, rule, _ := mistaken()
	for _, m := range []mistake{
		{`msg.sizee > 3`, Condition, handler, `LR303 [sizee] unknown field "sizee" of msg; did you mean "size"?`},
		{`msg.tags.regoin == "eu"`, Condition, handler, `LR303 [regoin] unknown field "regoin" of msg.tags; did you mean "region"?`},
		{`1m30s > 1 && msg.sizee > 5m`, Condition, handler, `LR303 [sizee] unknown field "sizee" of msg; did you mean "size"?`},
		{`msg.size.x`, Any, handler, `LR303 [x] msg.size is a number and has no fields`},
		{`actor.erorr_rate > 0.5`, Condition, rule, `LR303 [erorr_rate] unknown field "erorr_rate" of actor; did you mean "error_rate"?`},
		{`actor.latency.p98 > 1`, Condition, rule, `LR303 [p98] unknown field "p98" of actor.latency; did you mean "p90"?`},
		{`breaker("db").stat == "open"`, Condition, rule, `LR303 [stat] unknown field "stat" of breaker("db"); did you mean "state"?`},
		{`params.slo > 1`, Condition, rule, `LR303 [slo] unknown field "slo" of params; did you mean "slow"?`},
		{`actr.calls > 1`, Condition, rule, `LR303 [actr] unknown name "actr"; did you mean "actor"?`},
		{`msg.size > 1`, Condition, rule, `LR303 [msg] msg is not in scope here; a rule sees actor, breaker, now, over, params, predict, share, system`},
		{`class("x") > 1`, Condition, rule, `LR303 [class("x")] class() is not in scope here; a rule sees actor, breaker, now, over, params, predict, share, system`},
		{`roud(1.5) > 1`, Condition, rule, `LR303 [roud(1.5)] unknown function "roud"; did you mean "round"?`},
		{`msg.name.upper() == "X"`, Condition, handler, `LR303 [msg.name.upper] values have no methods; only the listed functions can be called`},
		{`msg.size`, Condition, handler, `LR304 [msg.size] condition must be true/false, this is a number`},
		{`msg.name && msg.ok`, Condition, handler, `LR304 [msg.name] condition must be true/false, this is a text`},
		{`actor.calls`, Condition, rule, `LR304 [actor.calls] condition must be true/false, this is a number`},
		{`"x"`, Number, handler, `LR304 ["x"] number expected, this is a text`},
	} {
		m.check(t)
	}
}

func TestProblemsOfFormAndCost(t *testing.T) {
	handler, rule, failure := mistaken()
	for _, m := range []mistake{
		{`msg.size = 3`, Condition, handler, `LR305 [=] use == to compare`},
		{`msg.ok &&`, Condition, handler, `LR306 [] expression ends too early`},
		{`(msg.ok`, Condition, handler, `LR306 [] expression ends too early`},
		{``, Condition, handler, `LR306 [] expression is empty`},
		{`now() > 3`, Condition, handler, `LR307 [now()] now() is not deterministic; use the variable "now"`},
		{`rand() > 3`, Condition, handler, `LR307 [rand()] rand() is not deterministic; use the variable "now" or hash(x)`},
		{`msg.latency > "1x"`, Condition, handler, `LR308 ["1x"] "1x" is not a duration`},
		{`actor.latency.p99 > "1m"`, Condition, rule, `LR308 ["1m"] "1m" is text; write the duration without quotes`},
		{`msg.latency > 1x`, Condition, handler, `LR308 [1x] "1x" is not a duration`},
		{`duration("1dd") > 3`, Condition, handler, `LR308 ["1dd"] "1dd" is not a duration`},
		{`all(msg.items, all(#, true))`, Condition, handler, `LR309 [all(#, true)] costs too much: nested loops`},
		{`any(msg.items, # in msg.items)`, Condition, handler, `LR309 [# in msg.items] costs too much: nested loops`},
		{`any(msg.items, sum(msg.items) > 1)`, Condition, handler, `LR309 [sum(msg.items)] costs too much: nested loops`},
		{`10 % 0 > 1`, Condition, handler, `LR310 [10 % 0] "%" by 0 has no result`},
		{`msg.total / msg.count > 1`, Condition, handler, `LR311 [msg.total / msg.count] may divide by zero`},
		{`msg.count > 0 && msg.total / msg.count > 1`, Condition, handler, ``},
		{`msg.count != 0 ? msg.total % msg.count : 0`, Number, handler, ``},
		{`hash(msg.name) % 10 + msg.total / 2 > 1`, Condition, handler, ``},
		{`msg.name matches "(a"`, Condition, handler, `LR312 ["(a"] missing closing )`},
		{`ok`, Any, handler, `LR315 [ok] "ok" is a name here; literal text is '"ok"'`},
		{`restart`, Text, failure, `LR315 [restart] "restart" is a name here; literal text is '"restart"'`},
		{`msg.size > msg.name`, Condition, handler, `LR316 [msg.size > msg.name] cannot compare a number with a text`},
		{`msg.size + msg.name`, Any, handler, `LR316 [msg.size + msg.name] cannot calculate a number with a text`},
		{`"a" in msg.name`, Condition, handler, `LR316 [msg.name] "in" looks into a list or an object, this is a text`},
		{`upper(msg.size)`, Text, handler, `LR316 [msg.size] text expected, this is a number`},
		{`let x = 1; x`, Any, handler, `LR317 [x] let is not available in expressions`},
		{`1..3`, Any, handler, `LR317 [1..3] operator ".." is not available in expressions`},
		{`msg.name matches msg.name`, Condition, handler, `LR317 [msg.name] the pattern of matches must be a literal text`},
		{`round(1, 2)`, Any, handler, `LR318 [round(1, 2)] round takes 1 argument, got 2`},
		{`msg.size msg.name`, Any, handler, `LR319 [msg] unexpected "msg"`},
		{`error.kind == "x" ? "resum" : "stop"`, Text, failure, `LR320 ["resum"] "resum" is not one of resume, restart, stop, escalate; did you mean "resume"?`},
		{`"äö" == msg.nam`, Condition, handler, `LR303 [nam] unknown field "nam" of msg; did you mean "name"?`},
		{`msg.sizee > 1 && msg.nam == ""`, Condition, handler,
			"LR303 [sizee] unknown field \"sizee\" of msg; did you mean \"size\"?\nLR303 [nam] unknown field \"nam\" of msg; did you mean \"name\"?"},
	} {
		m.check(t)
	}
}

func (m mistake) check(t *testing.T) {
	t.Helper()
	p, problems := Compile(m.text, m.want, m.scope)
	if diff := cmp.Diff(m.shown, show(m.text, problems)); diff != "" {
		t.Errorf("%s: %s", m.text, diff)
	}
	if (p == nil) != (len(problems) > 0 && !problems[0].Warning) {
		t.Errorf("%s: program %v with problems %v", m.text, p, problems)
	}
}

func TestWhatAPlaceDoesNotSee(t *testing.T) {
	for place, hidden := range map[Place]string{
		AtTripWhen: "msg", AtOutcome: "state", AtRetryWhen: "actor", AtFallback: "system", AtKey: "reply", AtAdmit: "error",
		AtOperation: "response", AtOperationReply: "call", AtWorldReply: "status", AtPoison: "took", AtRoute: "msg",
		AtHandler: "error", AtOnFailure: "system", AtCompare: "msg", AtAbortIf: "actor", AtRule: "breaker", AtRuleAction: "call",
		AtActionWhere: "node", AtHealth: "actor", AtEmergency: "call", AtPattern: "actor", AtLoad: "msg", AtExpect: "actor",
		AtTimeline: "event", AtMetric: "msg",
	} {
		_, problems := Compile(hidden+" == nil", Condition, Scope{Place: place})
		if got := show(hidden+" == nil", problems); !strings.Contains(got, "LR303 ["+hidden+"] "+hidden+" is not in scope here; "+place.String()+" sees ") {
			t.Errorf("%s: %s", place, got)
		}
	}
	for place, hidden := range map[Place]string{
		AtTripWhen: "actor", AtOutcome: "breaker", AtHandler: "over", AtRule: "load", AtHealth: "load", AtExpect: "class", AtKey: "predict",
	} {
		_, problems := Compile(hidden+`("x") == nil`, Condition, Scope{Place: place})
		if len(problems) == 0 || !strings.Contains(problems[0].Message, hidden+"() is not in scope here") {
			t.Errorf("%s: %v", place, problems)
		}
	}
}

func TestSubjectsAreSeenOnlyByTheirRules(t *testing.T) {
	names := map[Subject]string{ActorSubject: "actor", BreakerSubject: "breaker", SupervisorSubject: "supervisor", NodeSubject: "node"}
	for subject := range names {
		for other, name := range names {
			_, problems := Compile(name+`.name == "x"`, Condition, Scope{Place: AtRule, Subject: subject})
			if (len(problems) == 0) != (subject == other) {
				t.Errorf("%d sees %s: %v", subject, name, problems)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	for name, text := range map[string]string{
		"bytes":      `"` + strings.Repeat("x", 5<<10) + `" == ""`,
		"nodes":      strings.Repeat("1 + ", 600) + "1 > 0",
		"nodes deep": strings.Repeat("!", 2000) + "true",
		"unfolds":    strings.Repeat("(", 60) + "now > 1" + strings.Repeat(" ?: now > 2)", 60),
	} {
		_, problems := Compile(text, Condition, Scope{Place: AtEval})
		if len(problems) != 1 || problems[0].Code != "LR309" {
			t.Errorf("%s: %v", name, problems)
		}
	}
	long := make([]any, maxLoop+1)
	p, problems := Compile(`count(msg.items, # != 1) > 0`, Condition, Scope{Place: AtEval})
	if p == nil {
		t.Fatal(problems)
	}
	if _, err := p.Condition(&Env{Msg: map[string]any{"items": long}}); err == nil || !strings.Contains(err.Error(), "longer than 10000") {
		t.Error(err)
	}
	p, _ = Compile(`msg.name + msg.name`, Text, Scope{Place: AtEval})
	if _, err := p.Text(&Env{Msg: map[string]any{"name": strings.Repeat("x", maxText)}}); err == nil {
		t.Error("a long text was made")
	}
}
