package journal

import (
	"fmt"
	"strings"
	"time"
)

func (b BreakerChanged) describe() string {
	until := ""
	if b.Until != 0 {
		until = time.Unix(0, b.Until).UTC().Format("15:04:05.000")
	}
	return fmt.Sprintf("breaker %s %s -> %s%s%s%s", b.Breaker, b.From, b.To, clause(": ", b.Reason, ""),
		clause(" (", readings(b.Values), ")"), clause(" until ", until, "Z"))
}

func (b Quarantined) describe() string {
	span := "until released"
	if b.For > 0 {
		span = "for " + brief(b.For)
	}
	return fmt.Sprintf("quarantined %s%s%s (%v%% of its group)", span, clause(" by rule ", b.Rule, ""), clause(": ", b.Reason, ""), b.Share*100)
}

func (b Released) describe() string { return "released" + clause(": ", b.Reason, "") }

func (b HealthChanged) describe() string {
	return fmt.Sprintf("health %s -> %s (score %v)", b.From, b.To, b.Score)
}

func (b EmergencyChanged) describe() string {
	verb := "left"
	if b.On {
		verb = "entered"
	}
	return "emergency mode " + verb + clause(": ", b.Why, "")
}

func (b Probe) describe() string {
	verdict := "unhealthy"
	if b.Healthy {
		verdict = "healthy"
	}
	return "probe " + verdict + clause(": ", b.Why, "")
}

func (b PatternFound) describe() string {
	return fmt.Sprintf("pattern %s found%s (confidence %v, seen %d times): %s%s", b.Pattern, clause(": ", b.Why, ""), b.Confidence, b.Count,
		strings.Join(b.Actors, ", "), clause("; likely root ", b.Root, ""))
}

func (b PatternCleared) describe() string {
	return fmt.Sprintf("pattern %s is over%s: it lasted %s, seen %d times", b.Pattern, clause(" at ", b.Root, ""), brief(b.Lasted), b.Count)
}

func (b Infected) describe() string {
	return fmt.Sprintf("infected (score %v): %s%s", b.Score, b.Reason, clause(" along ", strings.Join(b.Chain, " -> "), ""))
}

func (b Call) describe() string {
	return fmt.Sprintf("called%s%s: %s%s in %s", clause(" with ", b.Message, ""), clause(" by ", b.From, ""), b.Outcome, clause(" (", b.Class, ")"), brief(b.Duration))
}

func (b RuleFired) describe() string {
	return fmt.Sprintf("rule %s fired%s%s%s", b.Rule, clause(" for ", b.Subject, ""), clause(" (", readings(b.Values), ")"),
		clause(": ", strings.Join(b.Actions, ", "), ""))
}

func (b RuleCleared) describe() string {
	return fmt.Sprintf("rule %s cleared%s%s", b.Rule, clause(" for ", b.Subject, ""), clause(" (", readings(b.Values), ")"))
}

func (b RuleFailed) describe() string {
	return fmt.Sprintf("rule %s failed%s: %s", b.Rule, clause(" for ", b.Subject, ""), b.Error)
}

func (b ActionDone) describe() string {
	return fmt.Sprintf("%s %s%s%s: %s", b.Verb, b.Target, clause(" by ", b.By, ""), clause(" (", b.Reason, ")"), b.Result)
}

func (b Commanded) describe() string {
	return fmt.Sprintf("command %s %s%s%s%s", b.Verb, b.Target, clause(" (", readings(b.Args), ")"), clause(" by ", b.Who, ""), clause(": ", b.Why, ""))
}

func (b Sample) describe() string {
	values := make(Values, len(b.Values))
	for name, value := range b.Values {
		values[name] = value
	}
	return "sample" + clause(" (", readings(values), ")")
}

func (b Dissent) describe() string {
	return fmt.Sprintf("consensus of %d%s%s", len(b.Agreed), clause(" against ", strings.Join(b.Dissenters, ", "), ""),
		clause("; silent: ", strings.Join(b.Silent, ", "), ""))
}
