package spec

func (l *language) buildActors() {
	common := l.commonFields()
	kinds := l.kindFields()
	fields := append([]*Field{
		field("name", nameType, "Its name among its siblings.", required, reload(Recreate), example("database")),
		field("use", oneOrMore(nameType), "Templates it starts from, later ones over earlier ones.", example("worker")),
	}, kinds...)
	*l.actor = *object("actor", "One actor: a supervisor when it has children.", append(fields, common...)...).
		oneOf("children", "process", "upstream", "script", "go", "consensus").
		needsOne("children", "process", "upstream", "script", "go", "consensus")
	*l.defaults = *object("defaults", "Fields inherited by the actors below.", inheritable(common)...)
	*l.actorChange = *object("change of an actor", "The hot fields of an actor.", hot(common)...)
}

func (l *language) templateType() *Type {
	t := *l.actor
	t.Title, t.AnyOf, t.Fields = "template", nil, l.actor.without("name", "children")
	return &t
}

func (l *language) overlayType() *Type {
	t := *l.actor
	t.Title, t.AnyOf, t.Fields = "change of an actor", nil, l.actor.without("name", "children")
	return &t
}

func (t *Type) without(names ...string) []*Field {
	var out []*Field
	for _, f := range t.Fields {
		if !contains(names, f.Name) {
			out = append(out, f)
		}
	}
	return out
}

// inheritable leaves out what belongs to one actor alone.
func inheritable(fields []*Field) []*Field {
	var out []*Field
	for _, f := range fields {
		if !contains([]string{"enabled", "replicas", "significant", "adopt", "defaults", "route", "auto_shutdown"}, f.Name) {
			out = append(out, f)
		}
	}
	return out
}

func hot(fields []*Field) []*Field {
	var out []*Field
	for _, f := range fields {
		if f.Reload == Hot && f.Name != "defaults" {
			out = append(out, f)
		}
	}
	return out
}

func (l *language) commonFields() []*Field {
	return []*Field{
		field("enabled", boolType, "Off without removing it.", standard("true")),
		field("labels", tableOf(Text, textType), "Free labels.", reload(Hot), example("{tier: workers}")),
		field("replicas", countType, "So many of it, called NAME-0, NAME-1…; NAME is the group.", standard("1"), side(WorkerSide)),
		field("concurrency", countType, "Messages handled at once; for stateless actors. Upstreams, processes and consensus actors have no limit but a bulkhead's.",
			reload(RestartActor), side(WorkerSide)),
		field("route", object("route", "How a message to the group finds a replica.",
			field("pick", enum("least_loaded", "round_robin", "random", "hash", "all"), "How.", standard("least_loaded")),
			field("key", exprType, "What hash picks by.", example("msg.id")),
		).short("pick"), "How a message to the group finds a replica.", reload(Hot), side(WorkerSide)),
		field("restart", l.restart, "When and how fast it is restarted.", reload(Hot)),
		field("mailbox", mailboxType(), "Where its messages wait.", reload(Hot), side(WorkerSide)),
		field("ready", readyType(), "When it counts as started; the next sibling waits for it.", reload(Hot), side(WorkerSide)),
		field("health", healthProbeType(), "Checks it while it runs.", reload(Hot), side(WorkerSide)),
		field("guard", l.guard, "Protects it from its callers, and them from it.", reload(Hot), side(WorkerSide)),
		field("persist", object("persistence", "How its state outlives a restart.",
			field("mode", enum("none", "events", "state"), "events: each change of its state is kept in the journal before its answer leaves, and a start rebuilds the state; state: it begins as it was last saved. Both outlive the engine.", standard("none")),
			field("snapshot", object("state snapshots", "When its state is saved.",
				field("every", countType, "Changes of its state between two that are saved; messages, of a Go actor whose changes the engine does not see.", standard("1000"))), "When its state is saved."),
			field("on_loss", enum("fail", "continue"), "What a start does when part of its state is missing or cannot be read: it fails, or goes on with what is left and says so.", standard("fail")),
		).short("mode"), "How its state outlives a restart.", reload(RestartActor), side(WorkerSide)),
		field("metrics", tableOf(Ident, exprType), "Metrics of its own, from its state.", reload(Hot), side(WorkerSide), example("{backlog: len(state.jobs)}"), idle),
		field("shutdown", object("shutdown", "How it stops.",
			field("drain", durationType, "To finish the current message.", standard("5s")),
			field("kill", durationType, "To give up blocked calls after that.", standard("5s")),
		), "How it stops.", reload(Hot)),
		field("significant", boolType, "Its end counts for auto_shutdown.", standard("false"), reload(Hot)),
		field("observe", l.observe, "What is measured of it.", reload(Hot), idle),
		field("adopt", boolType, "May be moved under another supervisor while running.", standard("false"), reload(Hot)),
		field("strategy", enum("one_for_one", "all_for_one", "rest_for_one"), "Which children restart when one fails.",
			standard("one_for_one"), reload(Hot), side(SupervisorSide)),
		field("intensity", object("restart intensity", "How many restarts a supervisor bears.",
			field("max", intType, "Restarts allowed; one more and it gives up.", standard("3")),
			field("within", spanType, "The span they are counted in.", standard("60s")),
		), "How many restarts it bears before it gives up.", reload(Hot), side(SupervisorSide)),
		field("on_failure", exprType, `"resume", "restart", "stop" or "escalate", chosen by the error.`, reload(Hot), side(SupervisorSide),
			example(`'error.kind == "invalid" ? "resume" : "restart"'`)),
		field("defaults", l.defaults, "Fields that its children inherit.", layer("defaults"), side(SupervisorSide)),
		field("auto_shutdown", enum("never", "any", "all"), "Stops when any or all of its significant children have ended.",
			standard("never"), reload(Hot), side(SupervisorSide)),
		field("restart_breaker", l.breaker, "Children's failures feed it; while open, restarts wait.", reload(Hot), side(SupervisorSide)),
	}
}

func mailboxType() *Type {
	return object("mailbox", "Where messages wait.",
		field("capacity", countType, "Messages at most.", standard("1024")),
		field("overflow", enum("reject", "block", "drop_oldest", "drop_newest"), "What happens when it is full.", standard("reject")),
		field("on_restart", enum("keep", "drop"), "What a restart does to it.", standard("keep")),
		field("attempts", countType, "Tries of a message that crashes its actor, before it is dead-lettered.", standard("1")),
	)
}

func probeFields(doc string) []*Field {
	return []*Field{
		field("line", textType, "A line of its output that starts with this.", example("READY")),
		field("http", textType, "A path of the upstream, or a URL, that answers 2xx.", example("/healthz")),
		field("tcp", textType, "An address that accepts a connection.", example("127.0.0.1:9001")),
		field("exec", oneOrMore(textType), "A command that exits with 0.", example("[./check.sh]")),
		field("message", identType, "A message that it answers without error.", example("ping")),
	}
}

func readyType() *Type {
	return object("readiness probe", "When an actor counts as started.", append(probeFields("ready"),
		field("exit", boolType, "It has exited normally: a task that runs once.", example("true")),
		field("within", spanType, "At the latest; then the start has failed.", standard("30s")),
		field("interval", spanType, "Time between tries.", standard("200ms")),
		field("timeout", spanType, "For one try.", standard("1s")),
	)...).oneOf("line", "http", "tcp", "exec", "message", "exit").needsOne("line", "http", "tcp", "exec", "message", "exit")
}

func healthProbeType() *Type {
	return object("health probe", "Checks a running actor.", append(probeFields("health"),
		enabled(),
		field("exit", boolType, "Unhealthy once it has exited.", example("true")),
		field("within", spanType, "With `line`: unhealthy without such a line for this long."),
		field("interval", spanType, "Time between checks.", standard("5s")),
		field("timeout", spanType, "For one check.", standard("1s")),
		field("fail", countType, "Failed checks in a row that make it unhealthy.", standard("3")),
		field("pass", countType, "Passed checks in a row that make it healthy.", standard("2")),
		field("then", enum("report", "open", "restart"), "What unhealthy does: open also forces its breaker open.", standard("report")),
	)...).oneOf("line", "http", "tcp", "exec", "message", "exit").needsOne("line", "http", "tcp", "exec", "message", "exit")
}

func (l *language) kindFields() []*Field {
	process := object("process", "An operating-system process.",
		field("command", &Type{Shape: List, Title: "list", Elem: textType, AtLeast: 1},
			"Program and arguments; a relative program starts at the file's directory, `${exe}` is this binary.", needed, example("[python3, worker.py]")),
		field("cwd", textType, "Its working directory; default: the file's."),
		field("env", tableOf(Text, textType), "Variables added to its environment.", example(`{INDEX: "${replica}"}`)),
		field("protocol", enum("none", "jsonl"), "jsonl: messages as JSON lines over stdin and stdout.", standard("none")),
		field("in_flight", countType, "Messages sent and not yet answered, at most."),
		field("normal_exit", listOf(intRange(0, 255)), "Exit codes that are no failure; default: [0].", example("[0, 3]")),
		field("stop", object("stop", "How it is asked to stop.",
			field("signal", enum("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL"), "The signal.", standard("TERM")),
			field("grace", durationType, "Then it is killed.", standard("5s")),
		), "How it is asked to stop."),
	)
	operation := object("operation", "How a message becomes a request.",
		field("method", enum("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), "The method.", standard("POST")),
		field("path", exprType, "The path and query; default: /MESSAGE.", example(`'"/orders/" + msg.id'`)),
		field("headers", tableOf(Text, exprType), "Headers added."),
		field("body", l.built, "The JSON body; default: the message."),
		field("reply", l.built, "The answer; default: the JSON of the response."),
	)
	consensus := object("consensus", "Asks several actors and answers what they agree on.",
		field("members", oneOrMore(targetType), "Actors; a group stands for each of its replicas.", needed, example("[resize]")),
		field("quorum", countType, "Answers needed; default: a majority."),
		field("agreement", ratioType, "Share of the answers' weight in the largest equal group.", standard("60%")),
		field("compare", exprType, "What of an answer is compared.", example("round(value.total)")),
		field("weights", tableOf(Target, numberType), "Weights of members; default 1."),
		field("liars", intType, "Members that may lie without changing the answer."),
		field("on_dissent", l.actions, "What is done to members that disagree.", example("[{quarantine: {for: 30s}}]")),
	)
	return []*Field{
		field("children", namedList(l.actor), "Its children: this makes it a supervisor."),
		field("process", process, "An operating-system process.", reload(RestartActor)),
		field("upstream", object("upstream", "An HTTP service.",
			field("url", textType, "Where it is.", needed, example("http://127.0.0.1:9001")),
			field("operations", tableOf(Ident, operation), "How messages become requests."),
		).short("url"), "An HTTP service.", reload(RestartActor)),
		field("script", object("script", "A behaviour in YAML.",
			field("state", tableOf(Ident, l.any), "The state it starts with.", example("{hits: 0}")),
			field("handlers", tableOf(Ident, l.handler), "What it does with each message."),
			field("timers", tableOf(Ident, spanType), "Messages that it sends itself, again and again.", example("{tick: 10s}")),
		), "A behaviour in YAML.", reload(RestartActor)),
		field("go", object("go actor", "A behaviour registered by the embedding program.",
			field("behaviour", nameType, "Its registered name.", needed, example("ledger")),
			field("config", l.any, "Handed to it as it is.", example("{currency: EUR}")),
		).short("behaviour"), "A behaviour registered by the embedding program.", reload(RestartActor)),
		field("consensus", consensus, "Asks several actors and answers what they agree on.", reload(Hot)),
	}
}

func (l *language) buildBehaviours() {
	l.call = object("call", "Asks another actor.",
		field("to", targetType, "Whom.", required, example("database")),
		field("message", identType, "The message.", required, example("query")),
		field("with", l.built, "Its fields.", example("{id: msg.id}")),
		field("as", identType, "The name of the answer.", example("row")),
		field("when", exprType, "Only when this is true."),
		field("optional", boolType, "A failure is nil instead of failing the handler.", standard("false")),
		field("guard", l.guard, "Around this call, outside the callee's own guard.", reload(Hot)),
	)
	tell := object("tell", "Sends a message without waiting.",
		field("to", targetType, "Whom.", required, example("audit")),
		field("message", identType, "The message.", required, example("seen")),
		field("with", l.built, "Its fields."),
		field("when", exprType, "Only when this is true."),
	)
	fail := object("failure", "Fails the handler.",
		field("when", exprType, "Only when this is true.", example("msg.size > 1000")),
		field("kind", identType, "The kind of the error.", standard("failed")),
		field("message", exprType, "The text of the error.", example(`'"too large"'`)),
	)
	l.handler = object("handler", "What a script does with a message, in this order.",
		field("calls", listOf(l.call), "Whom it asks first, from top to bottom."),
		field("parallel", boolType, "Asks all at once.", standard("false")),
		field("fail", fail, "Fails as soon as all it reads is known."),
		field("set", tableOf(Ident, l.built), "New state; the right sides see the old one.", example("{hits: state.hits + 1}")),
		field("tell", oneOrMore(tell), "Messages sent without waiting."),
		field("reply", l.built, "The answer.", example("{row: row}")),
		field("stop", exprType, "Stops the actor normally when true.", example("state.hits > 10")),
	)
	l.observe = observeType()
}

func (l *language) gatewayType() *Type {
	method := enum("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
	route := object("route", "Leads requests to an actor.",
		field("name", nameType, "Its name on the listener.", required, example("orders")),
		field("enabled", boolType, "Off without removing it.", standard("true")),
		field("path", textType, "The path; ending in `/` it is a prefix, and the longest wins.", needed, example("/orders/")),
		field("methods", oneOrMore(method), "Methods allowed; default: all.", example("[GET]")),
		field("headers", tableOf(Text, textType), "Headers that a request must have."),
		field("to", targetType, "The actor.", needed, example("database")),
		field("message", identType, "The message it becomes; left out: proxied as it is.", example("checkout")),
		field("with", l.built, "The message's fields; default: the JSON body.", example("request.json")),
		field("key", exprType, "What a group's hash picks by.", example("request.headers.tenant")),
		field("priority", intRange(0, 9), "In an emergency the higher is let in.", standard("5")),
		field("idempotent", boolType, "May be sent twice, whatever the method says."),
		field("strip_prefix", textType, "Taken off the path before it is proxied.", example("/orders")),
		field("guard", l.guard, "Around this route, outside the actor's own guard."),
	)
	listener := object("listener", "An address that serves HTTP.",
		field("name", nameType, "Its name.", required, example("public")),
		field("enabled", boolType, "Off without removing it.", standard("true")),
		field("listen", textType, "The address.", needed, reload(Recreate), example("127.0.0.1:8080")),
		field("routes", namedList(route), "Where requests go."),
		field("tls", object("TLS", "Serves HTTPS.",
			field("cert", textType, "File with the certificate chain.", needed),
			field("key", textType, "File with the key.", needed),
		), "Serves HTTPS.", reload(Recreate)),
		field("h2c", boolType, "HTTP/2 without TLS.", standard("false"), reload(Recreate)),
		field("max_header", sizeType, "Larger headers are refused.", standard("64KiB"), reload(Recreate)),
		field("max_body", sizeType, "Larger bodies are refused.", standard("10MiB")),
		field("read_header", spanType, "Time to send the headers.", standard("5s"), reload(Recreate)),
		field("read_body", spanType, "Time to send the body.", standard("30s")),
		field("idle", spanType, "Idle connections are closed after this.", standard("60s"), reload(Recreate)),
	)
	t := namedList(listener)
	for _, f := range append(listener.Fields, route.Fields...) {
		if f.Reload == "" {
			f.Reload = Hot
		}
	}
	return t
}
