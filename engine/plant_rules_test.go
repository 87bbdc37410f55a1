package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// policy is what a story's `policy` block says, for the trees that follow it.
type policy struct {
	rules     []plan.Rule
	health    *plan.Health
	emergency *plan.Emergency
	patterns  []plan.Pattern
	params    []plan.Param
	reload    plan.Reload
}

// growPolicy reads lines such as
//
//	rule NAME for_each=actor hold=5s cooldown=1m limit=5/1h
//	  where: EXPR
//	  when: EXPR
//	  then: quarantine for=30s max_share=0.5
//	health degraded=0.7 critical=0.3 recover=10s
//	  score: EXPR
//	param NAME NUMBER
//	emergency hold=10s
//	  enter: EXPR
//	  then: pause target=root/a
//	reload verify_for=5s
//	  abort_if: EXPR
func growPolicy(lines []string) (policy, error) {
	var p policy
	kind := ""
	for _, line := range lines {
		if !strings.HasPrefix(line, " ") {
			fields := strings.Fields(line)
			kind = fields[0]
			if err := p.open(kind, fields[1:]); err != nil {
				return p, err
			}
			continue
		}
		key, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if err := p.part(kind, key, text); err != nil {
			return p, fmt.Errorf("%q: %w", line, err)
		}
	}
	return p, nil
}

func (p *policy) open(kind string, words []string) error {
	switch kind {
	case "rule":
		p.rules = append(p.rules, plan.Rule{Name: words[0], Enabled: true, OnError: "ignore", Subject: rules.ActorSubject})
		words = words[1:]
	case "param":
		value, err := strconv.ParseFloat(words[1], 64)
		p.params = append(p.params, plan.Param{Name: words[0], Value: value})
		return err
	case "pattern":
		p.patterns = append(p.patterns, plan.Pattern{Name: words[0], Sigma: 2})
		words = words[1:]
	case "health":
		p.health = &plan.Health{}
	case "emergency":
		p.emergency = &plan.Emergency{}
	case "reload":
		p.reload = plan.Reload{}
	default:
		return fmt.Errorf("unknown %q", kind)
	}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		if err := p.knob(kind, key, value); err != nil {
			return fmt.Errorf("%q: %w", w, err)
		}
	}
	return nil
}

func (p *policy) knob(kind, key, value string) error {
	number, _ := strconv.ParseFloat(value, 64)
	span, _ := time.ParseDuration(value)
	switch kind + "." + key {
	case "rule.for_each":
		p.last().Subject = map[string]rules.Subject{"actor": rules.ActorSubject, "breaker": rules.BreakerSubject,
			"supervisor": rules.SupervisorSubject, "node": rules.NodeSubject, "system": rules.SystemSubject}[value]
	case "rule.hold":
		least, of, _ := strings.Cut(value, "/")
		p.last().Hold.For, _ = time.ParseDuration(least)
		p.last().Hold.Of, _ = time.ParseDuration(of)
	case "rule.cooldown":
		p.last().Cooldown = span
	case "rule.limit":
		most, within, _ := strings.Cut(value, "/")
		p.last().Limit.Max, _ = strconv.Atoi(most)
		p.last().Limit.Within, _ = time.ParseDuration(within)
	case "rule.on_error":
		p.last().OnError = value
	case "health.degraded":
		p.health.Degraded = number
	case "health.critical":
		p.health.Critical = number
	case "health.recover":
		p.health.RecoverFor = span
	case "pattern.failures":
		p.lastPattern().Failures = int(number)
	case "pattern.changes":
		p.lastPattern().Changes = int(number)
	case "pattern.max_depth":
		p.lastPattern().MaxDepth = int(number)
	case "pattern.share":
		p.lastPattern().Share = number
	case "pattern.within":
		p.lastPattern().Within = span
	case "pattern.hold":
		p.lastPattern().Hold.For = span
	case "emergency.hold":
		p.emergency.Hold.For = span
	case "reload.verify_for":
		p.reload.VerifyFor = span
	default:
		return fmt.Errorf("unknown knob")
	}
	return nil
}

func (p *policy) last() *plan.Rule { return &p.rules[len(p.rules)-1] }

func (p *policy) lastPattern() *plan.Pattern { return &p.patterns[len(p.patterns)-1] }

func (p *policy) part(kind, key, text string) error {
	if key == "then" {
		action, err := growAction(strings.Fields(text))
		switch kind {
		case "rule":
			p.last().Then = append(p.last().Then, action)
		case "pattern":
			p.lastPattern().Then = append(p.lastPattern().Then, action)
		default:
			p.emergency.Then = append(p.emergency.Then, action)
		}
		return err
	}
	scope, want := rules.Scope{Place: rules.AtEmergency}, rules.Condition
	switch kind {
	case "rule":
		scope = rules.Scope{Place: rules.AtRule, Subject: p.last().Subject}
	case "pattern":
		scope = rules.Scope{Place: rules.AtPattern}
	case "health":
		scope, want = rules.Scope{Place: rules.AtHealth}, rules.Number
	case "reload":
		scope = rules.Scope{Place: rules.AtAbortIf}
	}
	program, err := compile(text, want, scope)
	if err != nil {
		return err
	}
	switch kind + "." + key {
	case "rule.where":
		p.last().Where = program
	case "rule.when":
		p.last().When = program
	case "rule.clear":
		p.last().Clear = program
	case "pattern.when":
		p.lastPattern().When, p.lastPattern().Custom = program, true
	case "health.score":
		p.health.Score = program
	case "emergency.enter":
		p.emergency.Enter = program
	case "emergency.leave":
		p.emergency.Leave = program
	case "reload.abort_if":
		p.reload.AbortIf = program
	default:
		return fmt.Errorf("unknown part %q", key)
	}
	return nil
}

func compile(text string, want rules.Want, scope rules.Scope) (*rules.Program, error) {
	program, problems := rules.Compile(text, want, scope)
	if program == nil {
		return nil, fmt.Errorf("%q: %v", text, problems)
	}
	return program, nil
}

// growAction reads `VERB key=value…`.
func growAction(words []string) (plan.Action, error) {
	a := plan.Action{Verb: words[0]}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		var err error
		switch key {
		case "target":
			a.Target = value
		case "where":
			a.Where, err = compile(value, rules.Condition, rules.Scope{Place: rules.AtActionWhere})
		case "for":
			a.For, err = time.ParseDuration(value)
		case "max_share":
			a.MaxShare, err = strconv.ParseFloat(value, 64)
		case "message":
			a.Message = value
		case "text":
			a.Text = value
		case "level":
			a.Level = value
		case "reason":
			a.Reason = value
		case "replicas":
			a.Count, err = strconv.Atoi(value)
		case "by":
			a.By, err = strconv.Atoi(value)
		case "min":
			a.Min, err = strconv.Atoi(value)
		case "max":
			a.Max, err = strconv.Atoi(value)
		case "payload":
			var program *rules.Program
			if program, err = compile(value, rules.Any, rules.Scope{Place: rules.AtRuleAction}); err == nil {
				a.Payload = rules.Expression(program)
			}
		default:
			err = fmt.Errorf("unknown %q", key)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// growSample reads `PATH field=value… ; …`: actors by path, breakers as breaker:NAME, the rest as system or node.
func growSample(words []string) (Sampled, error) {
	var in Sampled
	for group := range strings.SplitSeq(strings.Join(words, " "), ";") {
		fields := strings.Fields(group)
		values := map[string]float64{}
		text := ""
		for _, w := range fields[1:] {
			key, value, _ := strings.Cut(w, "=")
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				text = value
			}
			values[key] = number
		}
		switch name, breaker := strings.CutPrefix(fields[0], "breaker:"); {
		case breaker:
			in.Breakers = append(in.Breakers, rules.Breaker{Name: name, State: text, ErrorRate: values["error_rate"], Calls: values["calls"]})
		case name == "system":
			in.System = rules.System{Anomaly: values["anomaly"], DeadLetters: values["dead_letters"]}
		case name == "since": // the commit of a generation
			in.Since = growFigures(fields[1:])
		case name == "node":
			in.Node = rules.Node{CPU: values["cpu"]}
		default:
			in.Actors = append(in.Actors, rules.Actor{
				Path: name, ErrorRate: values["error_rate"], Calls: values["calls"], Anomaly: values["anomaly"], Mailbox: values["mailbox"],
				Capacity: values["capacity"], Retries: values["retries"],
			})
		}
	}
	return in, nil
}

// growFigures reads `generation=2 span=1s calls=30 error_rate=0.5`.
func growFigures(words []string) Figures {
	var f Figures
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		number, _ := strconv.ParseFloat(value, 64)
		switch key {
		case "generation":
			f.Generation = uint64(number)
		case "span":
			f.Span, _ = time.ParseDuration(value)
		case "calls":
			f.Rates.Calls = number
		case "error_rate":
			f.Rates.ErrorRate = number
		}
	}
	return f
}
