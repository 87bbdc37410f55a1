package spec

func (l *language) buildSteering() {
	l.rule = object("rule", "A condition that acts on the running system; without `when` it acts only by hand.",
		field("name", nameType, "Its name.", required, example("quarantine-bad-worker")),
		enabled(),
		field("for_each", enum("actor", "breaker", "supervisor", "node", "system"), "What it is about: the subject.", standard("system")),
		field("where", exprType, "Which subjects.", example(`actor.path startsWith "root/workers/"`)),
		field("when", exprType, "When it acts.", example("actor.error_rate > 0.5 && actor.calls >= 20")),
		field("hold", holdType, "`when` must be true this long without a break, or `3s of 5s`.", example("5s")),
		field("clear", exprType, "Armed again once this held; default: `when` is false.", example("actor.error_rate < 0.1")),
		field("then", l.actions, "What it does.", needed, example("[{quarantine: {for: 30s}}]")),
		field("cooldown", spanType, "Rest between two times for one subject.", example("1m")),
		field("limit", object("limit", "How often it may act in all.",
			field("max", countType, "Times at most.", needed, example("5")),
			field("within", spanType, "The span they are counted in.", standard("1h")),
		), "How often it may act in all."),
		field("on_error", enum("ignore", "fire", "escalate"), "What an error in the condition does.", standard("ignore")),
	)
	l.rules = namedList(l.rule)
	l.patterns = l.patternsType()
	l.health = object("health", "The health of the whole system, 0 to 1.",
		field("score", exprType, "The score.",
			standard(`mean([1 - share("open"), 1 - share("quarantined")])`), example(`1 - share("open")`)),
		field("degraded", ratioType, "Below this it is degraded.", standard("0.7")),
		field("critical", ratioType, "Below this it is critical.", standard("0.3")),
		field("recover_for", spanType, "A better level counts once it lasted this long.", standard("10s")),
	)
	l.emergency = object("emergency", "A mode for when the system as a whole is failing.",
		enabled(),
		field("enter", exprType, "When it begins.", needed, example("system.health < 0.3")),
		field("leave", exprType, "When it ends; default: `enter` is false.", example("system.health > 0.6")),
		field("hold", holdType, "How long either must be true.", standard("10s")),
		field("admit", exprType, "Which calls are let in meanwhile; default: all.", example("call.priority >= 5")),
		field("then", l.actions, "What is done on entering, and undone on leaving."),
	)
}

func (l *language) pattern(title, doc string, fields ...*Field) *Type {
	fields = append([]*Field{enabled()}, fields...)
	return object(title, doc, append(fields, field("then", l.actions, "What it does."))...)
}

func (l *language) patternsType() *Type {
	within := func(d string) *Field { return field("within", spanType, "The span looked at.", standard(d)) }
	return object("patterns", "What is looked for in the stream of events.",
		field("hotspot", l.pattern("hotspot", "An actor far busier or worse than its peers.",
			field("sigma", numberType, "Standard deviations above the mean of its peers.", standard("2"))), "Far above its peers."),
		field("cascade", l.pattern("cascade", "Failures that follow calls.",
			field("failures", countType, "Failures along call edges.", standard("3")),
			within("5s"),
			field("max_depth", countType, "Longer chains of causes mark their actors infected.", standard("8"))), "Failures that follow calls."),
		field("retry_storm", l.pattern("retry storm", "Retries that make up much of the traffic.",
			field("share", ratioType, "Share of attempts that are retries.", standard("30%")), within("10s")), "Retries make up much of the traffic."),
		field("flapping", l.pattern("flapping", "A breaker or actor that keeps changing.",
			field("changes", countType, "Openings or restarts.", standard("5")), within("1m")), "Opens or restarts again and again."),
		field("ask_cycle", l.pattern("ask cycle", "Actors that wait for each other."), "Actors wait for each other."),
		field("mailbox_growth", l.pattern("mailbox growth", "A mailbox that will be full soon.",
			field("predict", spanType, "Full within this, as it grows now.", standard("1m"))), "A mailbox will be full soon."),
		field("slow_consumer", l.pattern("slow consumer", "An actor slower than its senders.",
			field("backlog", ratioType, "Share of the mailbox in use.", standard("50%")), within("10s")), "Slower than its senders."),
		field("gray_failure", l.pattern("gray failure", "The health check is fine and callers fail.",
			field("error_rate", ratioType, "What callers see.", standard("20%")), within("10s")), "Health check fine, callers fail."),
		field("custom", tableOf(Name, l.pattern("custom pattern", "A pattern of your own.",
			field("when", exprType, "The condition.", needed, example("system.dead_letters > 10")),
			field("hold", holdType, "How long it must be true."))), "Patterns of your own."),
	)
}

// acting builds the type of one action: whom it reaches, its own fields, and
// what all have.
func acting(title, doc string, undone bool, own ...*Field) *Type {
	fields := append([]*Field{}, own...)
	if undone {
		fields = append(fields, field("for", spanType, "Undone after this time.", example("30s")))
	}
	fields = append(fields, field("reason", textType, "Written to the journal."))
	return object(title, doc, fields...)
}

func aimed(title, doc string, undone bool, own ...*Field) *Type {
	return pointed(title, doc, undone, own...).short("target")
}

// pointed is aimed for an action that says nothing by its target alone.
func pointed(title, doc string, undone bool, own ...*Field) *Type {
	fields := append([]*Field{
		field("target", targetType, "Name, path or glob; left out: the rule's subject.", example("root/workers/**")),
		field("where", exprType, "Narrows the target.", example("actor.anomaly > 0.8")),
	}, own...)
	return acting(title, doc, undone, fields...)
}

func (l *language) buildActions() {
	fields := l.actionFields()
	*l.action = *object("action", "Something done to the running system.", fields...).
		oneOf(fieldNames(fields)...).needsOne(fieldNames(fields)...)
}

func fieldNames(fields []*Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

func (l *language) actionFields() []*Field {
	verb := func(t *Type) *Field { return field(t.Title, t, t.Doc) }
	return []*Field{
		verb(aimed("pause", "Takes no more messages; they wait.", true)),
		verb(aimed("resume", "Ends a pause.", false)),
		verb(aimed("restart", "Restarts.", false)),
		verb(aimed("stop", "Stops.", false)),
		verb(aimed("inject", "Sends a message.", false,
			field("message", identType, "The message.", required, example("diagnose")),
			field("payload", l.built, "Its fields.", example("{deep: true}")))),
		verb(aimed("set_state", "Replaces the state between two messages, or before the next incarnation's first one.", false,
			field("set", tableOf(Ident, l.built), "The whole state.", required))),
		verb(aimed("quarantine", "Lets only probes through.", true,
			field("max_share", ratioType, "Never more than this share of a group.", standard("50%")))),
		verb(aimed("release", "Ends a quarantine.", false)),
		verb(aimed("force_open", "Forces breakers open.", true)),
		verb(aimed("force_close", "Forces breakers closed.", true)),
		verb(aimed("reset", "Clears counts and forced states of breakers.", false)),
		verb(aimed("scale", "Changes the number of replicas.", true,
			field("replicas", countType, "So many.", example("5")),
			field("by", signedInt, "So many more, or fewer.", example("-1")),
			field("min", countType, "With by: never fewer.", standard("1")),
			field("max", countType, "With by: never more; default: no bound of its own.", example("10"))).oneOf("replicas", "by").needsOne("replicas", "by")),
		verb(acting("set_param", "Changes a param.", true,
			field("name", identType, "Which.", required, example("slow")),
			field("value", l.built, "Its new value.", required, example("2s")))),
		verb(pointed("adopt", "Puts an actor under another supervisor.", true,
			field("under", targetType, "The supervisor.", required, example("root/spare")))),
		verb(acting("checkpoint", "Names this moment in the journal.", false,
			field("name", textType, "The name.", required, example("before deploy"))).short("name")),
		verb(acting("emergency", "Enters or leaves emergency mode.", true,
			field("mode", enum("enter", "leave"), "Which.", required)).short("mode")),
		verb(acting("webhook", "Sends an HTTP POST.", false,
			field("url", textType, "Where to; empty: nothing is sent.", required, example(`"${ALERT_URL:-}"`)),
			field("headers", tableOf(Text, textType), "Headers added."),
			field("body", l.built, "The JSON body; default: the event."),
			field("timeout", spanType, "Then it is given up.", standard("5s"))).short("url")),
		verb(acting("log", "Writes a line to the log.", false,
			field("message", l.built, "An expression.", required, example(`'"too many errors: " + actor.name'`)),
			field("level", enum("info", "warn", "error"), "How loud.", standard("info"))).short("message")),
		verb(acting("run", "Runs another rule's actions.", false,
			field("rule", nameType, "Which.", required, example("shed-load"))).short("rule")),
	}
}
