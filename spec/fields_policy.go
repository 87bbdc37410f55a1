package spec

// use is the field by which a policy names the policy it starts from.
func use(policies string) *Field {
	return field("use", nameType, "The name of a policy under policies."+policies+"; the fields beside it change it.")
}

func enabled() *Field {
	return field("enabled", boolType, "Off without removing it.", standard("true"))
}

func (l *language) buildPolicies() {
	l.breaker = breakerType()
	l.restart = object("restart policy", "When and how fast an actor is restarted.",
		use("restarts"),
		field("policy", enum("always", "on_failure", "on_stop", "never"),
			"always is OTP's permanent, on_failure transient, never temporary; on_stop means always.", standard("always")),
		field("backoff", object("restart backoff", "Waits between restarts.",
			append(backoffFields("100ms", "2", "30s", "10%"),
				field("reset_after", spanType, "Healthy for this long, the next wait is `initial` again.", standard("60s")))...),
			"Waits between restarts."),
	).short("use").named("restarts")
	l.retry = object("retry policy", "Repeats failed attempts of idempotent calls.",
		use("retries"),
		enabled(),
		field("attempts", countType, "Attempts in all, the first included.", standard("3")),
		field("backoff", object("retry backoff", "Waits between attempts.", backoffFields("20ms", "2", "200ms", "50%")...),
			"Waits between attempts."),
		field("budget", ratioType, "Retries as a share of calls at most.", standard("10%")),
		field("when", exprType, "Narrows what is retried.", example(`error.kind == "timeout"`)),
	).short("use").named("retries")
	l.buildGuard()
	l.policies = object("policies", "Named policies.",
		field("breakers", tableOf(Name, l.breaker), "Circuit breakers.", layer("policy breaker")),
		field("restarts", tableOf(Name, l.restart), "Restart policies.", layer("policy restart")),
		field("retries", tableOf(Name, l.retry), "Retry policies.", layer("policy retry")),
		field("guards", tableOf(Name, l.guard), "Whole guards.", layer("policy guard")),
	)
}

func backoffFields(initial, factor, longest, jitter string) []*Field {
	return []*Field{
		field("initial", durationType, "The first wait.", standard(initial)),
		field("factor", factorType, "Each wait is this many times the one before.", standard(factor)),
		field("max", spanType, "No wait is longer.", standard(longest)),
		field("jitter", ratioType, "Random share added or removed.", standard(jitter)),
	}
}

func breakerType() *Type {
	window := object("breaker window", "What the counts cover: a time or a number of calls.",
		field("time", spanType, "The last so long.", example("10s")),
		field("calls", countType, "The last so many calls.", example("100")),
	).short("time").oneOf("time", "calls")
	half := object("half-open", "How a breaker finds out whether the callee is back.",
		field("probes", countType, "Probes in flight at most.", standard("3")),
		field("successes", countType, "Successful probes that close it; at most `probes` unless given.", example("3")),
		field("lease", spanType, "A probe without outcome after this time counts as failed; default: open.for, at most 10s.", example("2s")),
		field("judge", enum("failure", "rates"),
			"failure: one failed probe reopens; rates: exactly `probes` outcomes are judged by the trip rates.", standard("failure")),
	)
	return object("breaker", "Stops calls to a callee that is failing.",
		use("breakers"),
		enabled(),
		field("mode", enum("normal", "shadow", "disabled", "forced_open", "forced_closed"),
			"shadow counts and tells but never rejects.", standard("normal")),
		field("window", window, "What the counts cover: a duration, or {calls: N}.", standard("10s")),
		field("min_calls", countType, "Finished calls before any rate is judged.", standard("10")),
		field("trip", tripType(), "What opens it: any of these."),
		field("open", object("open time", "How long it stays open.",
			field("for", spanType, "The first time.", standard("5s")),
			field("factor", factorType, "Each next time is so many times longer.", standard("2")),
			field("max", spanType, "Never longer; default: 1m, or `for` when that is longer.", example("1m")),
			field("jitter", ratioType, "Random share added or removed.", standard("10%")),
		), "How long it stays open."),
		field("half_open", half, "How it finds out whether the callee is back."),
		field("recover", object("recovery", "Lets traffic back in step by step.",
			enabled(),
			field("ramp", spanType, "Time from the first to all calls.", standard("10s")),
		), "Lets traffic back in step by step after closing; left out: at once."),
		field("outcome", exprType, `Says what a call was: "success", "failure", "ignored", or a class of failure.`,
			example(`'status >= 500 ? "failure" : "success"'`)),
		field("key", exprType, "One breaker for each value of this.", example("msg.tenant")),
		field("max_keys", countType, "Keys kept at most; the idlest goes first.", standard("10000")),
		field("per", enum("group", "replica"), "One for the whole group, or one for each replica.", standard("group")),
	).short("use").named("breakers")
}

func tripType() *Type {
	return object("trip conditions", "Any of these opens the breaker.",
		field("consecutive_failures", countType, "Failures in a row.", example("5")),
		field("failures", countType, "Failures within the window.", example("20")),
		field("error_rate", ratioType, "Share of calls in the window that failed, at or above.", example("50%")),
		field("slow_calls", object("slow calls", "Share of slow calls.",
			enabled(),
			field("over", spanType, "A call is slow when it took longer.", needed, example("1s")),
			field("rate", ratioType, "Share of slow calls, at or above.", standard("50%")),
		), "Share of slow calls."),
		field("anomaly", object("anomaly", "A detector that learns what is normal.",
			enabled(),
			field("detector", enum("zscore", "shift", "spike", "record", "novelty"), "Which detector; default: shift on latency, spike on rates."),
			field("of", enum("latency", "error_rate", "slow_rate", "calls", "in_flight"), "What it watches.", standard("latency")),
			field("threshold", numberType, "The detector's own threshold."),
			field("consecutive", countType, "Samples in a row beyond the threshold.", example("3")),
			field("params", tableOf(Ident, numberType), "The detector's other settings by name; docs/detection.md lists them.", example("{refractory: 10}")),
		), "A detector that learns what is normal."),
		field("when", exprType, "An expression over the window.", example("latency.p99 > params.slow && calls > 50")),
	)
}

func (l *language) buildGuard() {
	fallback := object("fallback", "An answer for what was refused or failed.",
		field("when", exprType, "Only when this is true.", example(`error.kind == "timeout"`)),
		field("to", targetType, "Another actor to ask.", example("cache")),
		field("message", identType, "The message to send it; default: the same."),
		field("with", l.built, "The message's fields; default: the same."),
		field("reply", l.built, "A fixed answer.", example("{degraded: true}")),
		field("status", intRange(100, 599), "The HTTP status of a fixed answer.", example("200")),
	).oneOf("to", "reply").needsOne("to", "reply", "status")
	l.guard = object("guard", "What stands between a caller and an actor.",
		use("guards"),
		field("rate_limit", object("rate limit", "A token bucket.",
			enabled(),
			field("rate", rateType, "Calls allowed on average.", needed, example("200/s")),
			field("burst", countType, "Calls allowed at once; default: one second's worth."),
			field("key", exprType, "One bucket for each value of this.", example("msg.tenant")),
			field("max_keys", countType, "Keys kept at most.", standard("10000")),
		).short("rate"), "Refuses calls above a rate."),
		field("bulkhead", object("bulkhead", "Bounds concurrent calls.",
			enabled(),
			field("concurrent", countType, "Calls at once.", needed, example("64")),
			field("queue", countType, "Calls that may wait; left out: none."),
			field("wait", spanType, "How long one may wait.", standard("100ms")),
		).short("concurrent"), "Bounds concurrent calls."),
		field("adaptive", object("adaptive limit", "Finds the limit of concurrent calls from latency.",
			enabled(),
			field("min", countType, "Never fewer.", standard("1")),
			field("max", countType, "Never more.", standard("1000")),
		), "Finds the limit of concurrent calls by itself."),
		field("breaker", l.breaker, "Stops calls while the callee is failing."),
		field("retry", l.retry, "Repeats failed attempts of idempotent calls."),
		field("hedge", object("hedge", "Asks a second time when the first is slow.",
			enabled(),
			field("after", spanType, "How long the first may take.", needed, example("50ms")),
			field("max", countType, "Extra attempts at most.", standard("1")),
			field("budget", ratioType, "Hedges as a share of calls at most.", standard("10%")),
		).short("after"), "Asks a second time when the first is slow."),
		field("timeout", spanType, "For one attempt.", example("500ms")),
		field("deadline", spanType, "For all attempts together.", example("2s")),
		field("fallback", oneOrMore(fallback), "Answers for what was refused or failed: the first that works."),
	).short("use").named("guards")
}
