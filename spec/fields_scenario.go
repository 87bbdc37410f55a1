package spec

func (l *language) buildScenario() {
	overrides := &Type{Shape: Override, Title: "mapping of dotted paths"}
	l.scenario = object("scenario", "A scripted test in virtual time.", append(append([]*Field{}, l.header...),
		field("topology", textType, "The topology, relative to this file; left out: the one in this file.", example("../checkout.yaml")),
		field("override", overrides, "New values by path, for this test.", example("{policies.breakers.upstream.open.for: 2s}")),
		field("seed", intType, "Of all randomness.", standard("1")),
		field("duration", playedType, "Virtual time until the end, at most 31d.", required, example("5m")),
		field("clock", timeType, "The date at the start.", standard("2020-01-01")),
		field("load", namedList(l.loadType()), "Who calls."),
		field("world", tableOf(Target, l.worldType()), "What stands in for processes, upstreams and absent go actors."),
		field("timeline", listOf(l.stepType(overrides)), "What happens when."),
		field("expect", namedList(expectationType()), "What must hold."),
		field("explore", exploreType(), "Random fault schedules."),
	)...)
}

func (l *language) loadType() *Type {
	ramp := object("ramp", "A rate that changes evenly.",
		field("from", loadRateType, "At the start.", required),
		field("to", loadRateType, "At the end.", required),
		field("over", spanType, "In this time.", required),
	)
	step := object("step of a rate", "A rate from a moment on.",
		field("at", durationType, "From when on.", required),
		field("rate", loadRateType, "The rate.", required),
	)
	request := object("request", "An HTTP request.",
		field("method", enum("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), "The method.", standard("GET")),
		field("path", exprType, "The path; default: the route's.", example(`'"/orders/" + string(n)'`)),
		field("headers", tableOf(Text, exprType), "Headers."),
		field("body", l.built, "The JSON body."),
	)
	recording := object("recording", "Calls that once came.",
		field("file", textType, "JSON Lines or a journal's directory, in the scenario's directory or below.", required, example("monday.jsonl")),
		field("caller", textType, "Only the calls of this one.", example("public/orders")),
		field("skip", durationType, "Leaves so much of the beginning out.", standard("0s"), example("10m")),
		field("speed", &Type{Shape: Number, Title: "number", Min: 0.001}, "So many times as fast.", standard("1"), example("10")),
	).short("file")
	return object("load", "A stream of calls.",
		field("name", nameType, "Its name: load(\"NAME\").", required, example("shoppers")),
		field("to", targetType, "Whom it calls.", example("api")),
		field("message", identType, "The message.", example("checkout")),
		field("via", textType, "A route instead: LISTENER/ROUTE.", example("public/orders")),
		field("request", request, "The request to the route."),
		field("recorded", recording, "Calls as they once came, instead of a rate; without to or via each goes to whom it went then.", example("monday.jsonl")),
		field("rate", union("rate, ramp or list of steps", loadRateType, ramp, listOf(step)), "How many calls, at most 1000000/s.", example("200/s")),
		field("arrival", enum("constant", "poisson", "burst"), "How they are spread.", standard("constant")),
		field("payload", l.built, "The message's fields; n counts from 0.", example("{id: n}")),
		field("priority", intRange(0, 9), "In an emergency the higher is let in.", standard("5")),
		field("key", exprType, "The idempotency key.", example("n")),
		field("from", momentType, "When it begins.", standard("start")),
		field("for", spanType, "How long it lasts; default: to the end."),
		field("timeout", spanType, "How patient a caller is.", example("2s")),
		field("retry", l.retry, "How a caller retries."),
	).oneOf("to", "via").needsOne("to", "via", "recorded").oneOf("rate", "recorded").oneOf("arrival", "recorded")
}

func (l *language) worldType() *Type {
	latency := object("latency model", "How long a call takes.",
		field("p50", durationType, "Half take no longer.", standard("1ms")),
		field("p90", durationType, "90% take no longer."),
		field("p95", durationType, "95% take no longer."),
		field("p99", durationType, "99% take no longer.", example("40ms")),
		field("p999", durationType, "99.9% take no longer."),
	).short("p50")
	return object("world model", "What stands in for something outside.",
		field("latency", latency, "How long a call takes.", standard("1ms"), example("{p50: 5ms, p99: 40ms}")),
		field("concurrency", countType, "Calls at once; beyond it they queue.", example("32")),
		field("abandoned", enum("cancelled", "served"), "Whether work that timed out still costs.", standard("cancelled")),
		field("error_rate", ratioType, "Share of calls that fail.", standard("0")),
		field("kind", identType, "The kind of those errors.", standard("failed")),
		field("status", intRange(100, 599), "The HTTP status of those errors.", standard("500")),
		field("startup", durationType, "Time to start.", standard("0s")),
		field("memory", object("memory model", "What it uses.",
			field("start", sizeType, "After the start.", example("64MiB")),
			field("per_call", sizeType, "Kept by each call.", example("10KiB")),
			field("limit", sizeType, "Beyond it it crashes.", example("512MiB")),
		), "What it uses."),
		field("reply", tableOf(Ident, l.built), "The answer to each message; default: {}.", example("{query: {total: 10}}")),
	)
}

func (l *language) stepType(overrides *Type) *Type {
	world := tableOf(Target, l.worldType())
	verbs := append(faultFields(l), field("world", world, "Changes the world."),
		field("reload", object("reload", "Reloads the topology.",
			field("set", overrides, "New values by path.", example("{policies.breakers.upstream.trip.error_rate: 20%}")),
			field("file", textType, "Another file, relative to this one."),
		).oneOf("set", "file").needsOne("set", "file"), "Reloads the topology."))
	verbs = append(verbs, l.actionFields()...)
	return object("step", "What happens at a moment; without a verb it marks the moment.", append([]*Field{
		field("id", identType, "Names the moment: ID, ID.start, ID.end.", example("outage")),
		field("at", momentType, "When.", example("1m")),
		field("when", exprType, "When this first is true.", example(`breaker("database").state == "open"`)),
		field("every", spanType, "Again and again."),
		field("for", spanType, "How long it lasts.", example("30s")),
	}, verbs...)...).oneOf("at", "when", "every").needsOne("at", "when", "every").oneOf(fieldNames(verbs)...)
}

func faultFields(l *language) []*Field {
	fault := func(t *Type) *Field { return field(t.Title, t, t.Doc) }
	whom := field("target", targetType, "Name, path or glob.", required, example("database"))
	rate := field("rate", ratioType, "Share of calls or messages.", standard("100%"))
	from := field("from", targetType, "Of messages from.")
	to := field("to", targetType, "Of messages to.")
	between := &Type{Shape: List, Title: "list", Elem: oneOrMore(targetType), AtLeast: 2}
	return []*Field{
		fault(object("crash", "Crashes it.", whom, field("kind", identType,
			"The kind of the error that it fails with, for its supervisor to decide about; default: it is gone.", example("impossible"))).short("target")),
		fault(object("hang", "Stops answering.", whom).short("target")),
		fault(object("slow", "Makes it slower.", whom, field("by", spanType, "Added to each call.", example("200ms")),
			field("factor", factorType, "So many times slower.", example("10")), rate).oneOf("by", "factor").needsOne("by", "factor")),
		fault(object("fail", "Makes its calls fail.", whom, rate, field("kind", identType, "The kind of the error.", example("unreachable")),
			field("status", intRange(100, 599), "The HTTP status.", example("503"))).short("target")),
		fault(object("drop", "Loses messages.", from, to, rate).needsOne("from", "to")),
		fault(object("delay", "Delays messages.", from, to, rate, field("by", spanType, "So long.", required)).needsOne("from", "to")),
		fault(object("duplicate", "Delivers messages twice.", from, to, rate).needsOne("from", "to")),
		fault(object("reorder", "Delivers messages out of order.", from, to, rate,
			field("by", spanType, "Within this time.", standard("100ms"))).needsOne("from", "to")),
		fault(object("partition", "Cuts the connection.",
			field("between", between, "The sides: names, or lists of names.", required, example("[api, database]"))).short("between")),
		fault(object("clock_skew", "Puts a clock wrong.", field("node", textType, "Which node; default: this one."),
			field("by", signedType, "So much; negative: back.", required, example("-5s")))),
		fault(object("fill_mailbox", "Fills a mailbox.", field("to", targetType, "Whose.", required)).short("to")),
		fault(object("corrupt", "Damages data.", whom,
			field("what", enum("reply", "state", "snapshot"), "Which.", required), rate,
			field("value", l.built, "What it becomes."))),
		fault(object("exhaust", "Uses up a resource.", field("resource", enum("memory", "disk", "cpu", "descriptors"), "Which.", required),
			field("to", ratioType, "How much of it.", standard("100%")))),
		fault(object("poison", "Makes matching messages crash whoever handles them.",
			field("target", targetType, "Whose; default: everybody's."),
			field("where", exprType, "Which messages.", required, example("msg.id == 13"))).short("where")),
	}
}

func expectationType() *Type {
	judged := []string{"always", "never", "sometimes", "eventually", "holds", "finally"}
	return object("expectation", "What must hold.",
		field("name", textType, "Free text.", required, example("opens fast")),
		field("after", momentType, "Judged from then on.", example("outage.start")),
		field("until", momentType, "Judged until then.", example("outage.end")),
		field("always", exprType, "True at every moment."),
		field("never", exprType, "True at no moment."),
		field("sometimes", exprType, "True at least once."),
		field("eventually", exprType, "True at some moment `within` the time given."),
		field("within", spanType, "At the latest.", example("2s")),
		field("holds", exprType, "True `at` a moment."),
		field("at", momentType, "The moment.", example("4m")),
		field("finally", exprType, "True at the end."),
	).oneOf(judged...).needsOne(judged...)
}

func exploreType() *Type {
	return object("exploration", "Random fault schedules.",
		field("runs", countType, "So many.", standard("1000")),
		field("faults", object("faults", "What may happen.",
			field("max", countType, "Faults in one run.", standard("5")),
			field("verbs", listOf(enum("crash", "hang", "slow", "fail", "drop", "delay", "duplicate", "reorder", "partition",
				"clock_skew", "fill_mailbox", "corrupt", "exhaust", "poison", "pause", "restart", "reload")), "Which; default: all but corrupt.", example("[crash, fail]")),
			field("targets", listOf(targetType), "To whom; default: everybody.", example(`["**"]`)),
		), "What may happen."),
		field("shrink", boolType, "Looks for the smallest schedule that fails.", standard("true")),
	)
}
