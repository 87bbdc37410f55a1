package spec

import "slices"

// Code explains one stable code of a Diagnostic.
type Code struct {
	Code  string
	Title string
	Text  string // why it is reported and what to do
	Wrong string // a short example, "" when YAML cannot show it
	Right string // the same, mended
}

// Explain returns what is to be said about a code such as "LR104".
func Explain(code string) (Code, bool) {
	for _, c := range Codes() {
		if c.Code == code {
			return c, true
		}
	}
	return Code{}, false
}

// Codes returns all codes in order. LR0xx is YAML, 1xx shape, 2xx names and
// meaning, 3xx expressions, 4xx reload and watching, 5xx scenarios, 6xx
// environment and secrets.
func Codes() []Code {
	return slices.Concat(yamlCodes(), shapeCodes(), nameCodes(), expressionCodes(), outsideCodes(), scenarioCodes())
}

func yamlCodes() []Code {
	return []Code{
		{"LR001", "empty file", "The file holds no document. Every document begins with apiVersion and kind.", "# nothing but a comment", "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: checkout}"},
		{"LR002", "no mapping at the top", "A document is a mapping of keys to values.", "- apiVersion: lukhas/v1", "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: checkout}"},
		{"LR003", "tab in the indentation", "YAML allows only spaces there.", "metadata:\n\tname: checkout", "metadata:\n  name: checkout"},
		{"LR004", "string never closed", "A quote is opened and not closed, or closed only by the quote of another value.", "name: \"checkout\nlabels: {}", "name: \"checkout\"\nlabels: {}"},
		{"LR005", "indentation drift", "Keys of one mapping begin in the same column.", "a:\n   x: 1\n  y: 2", "a:\n  x: 1\n  y: 2"},
		{"LR006", "missing space after a colon", "Without the space YAML reads key and value as one text.", "a:\n  failures:3\n  b: 2", "a:\n  failures: 3\n  b: 2"},
		{"LR007", "UTF-16", "Files are UTF-8. Editors call it \"save with encoding\".", "", ""},
		{"LR008", "invalid UTF-8", "A byte of the file is no UTF-8. Often the file is Latin-1.", "", ""},
		{"LR009", "control character", "Control characters other than tab and line breaks do not belong into YAML; in double quotes they can be written as escapes. Lines end with a newline, or carriage return and newline.", "", "name: \"bell \\a\""},
		{"LR010", "aliases expand too far", "Aliases (*name) may add 100000 nodes at most.", "", ""},
		{"LR011", "anchor contains itself", "An alias inside the value of its own anchor has no end.", "policies: &p {breakers: *p}", "policies: {breakers: {}}"},
		{"LR012", "unknown anchor", "*name refers to an anchor &name earlier in the file. An expression that begins with * needs quotes.", "x-a: *slow", "x-a: &slow 1s\nx-b: *slow"},
		{"LR013", "nested too deep", "Values nest 100 deep at most.", "", ""},
		{"LR014", "file too large", "A file has 8 MiB at most. Use replicas and templates instead of repeating actors.", "", ""},
		{"LR015", "unreadable file", "The path is missing, is no regular file, or may not be read.", "", ""},
		{"LR016", "YAML syntax", "The YAML library cannot read the file near this place. Look for an unclosed bracket or quote above it.", "a: [1, 2\nb: 3", "a: [1, 2]\nb: 3"},
		{"LR017", "layout left alone", "fmt found a layout that it cannot change without changing what the file says, such as complex keys. Write the file in the usual block style.", "", ""},
		{"LR018", "too many values", "A file holds about a million keys and values at most. Use replicas and templates instead of repeating actors.", "", ""},
	}
}

func shapeCodes() []Code {
	return []Code{
		{"LR101", "duplicate key", "A key stands once in a mapping; YAML would silently keep one of both.", "params: {slow: 1s, slow: 2s}", "params: {slow: 2s}"},
		{"LR102", "document without kind", "Each document says what it is: kind: Topology, Policy or Scenario.", "apiVersion: lukhas/v1\nmetadata: {name: checkout}", "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: checkout}"},
		{"LR103", "unknown apiVersion", "The file is written for another version of the language.", "apiVersion: lukhas/v2\nkind: Topology", "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: checkout}"},
		{"LR104", "unknown field", "The mapping has no such field. Fields for your own notes begin with x-.", "observe: {levle: full}", "observe: {level: full}"},
		{"LR105", "field at the wrong level", "The field exists, in another mapping near by.", "policies: {breakers: {pay: {failures: 3}}}", "policies: {breakers: {pay: {trip: {failures: 3}}}}"},
		{"LR106", "wrong shape", "A mapping, a list or a single value stands where another is expected.", "params: [slow]", "params: {slow: 1s}"},
		{"LR107", "missing field", "The mapping is of no use without this field.", "rules: [{when: system.health < 0.5, then: []}]", "rules: [{name: low-health, when: system.health < 0.5, then: []}]"},
		{"LR108", "fields that exclude each other", "Only one of these fields can be given.", "policies: {breakers: {pay: {window: {time: 10s, calls: 100}}}}", "policies: {breakers: {pay: {window: {calls: 100}}}}"},
		{"LR109", "unknown word", "The value is one of a fixed set of words.", "observe: {level: loud}", "observe: {level: full}"},
		{"LR110", "no whole number, or out of range", "Whole numbers are written in decimal, without quotes, fraction or underscores.", "policies: {breakers: {pay: {min_calls: 5.7}}}", "policies: {breakers: {pay: {min_calls: 5}}}"},
		{"LR111", "no number, or out of range", "Numbers are finite and written without quotes.", "patterns: {hotspot: {sigma: .inf}}", "patterns: {hotspot: {sigma: 2}}"},
		{"LR112", "not true or false", "on, off, yes and no are text in YAML 1.2.", "journal: {enabled: on}", "journal: {enabled: true}"},
		{"LR113", "not a duration", "Durations are numbers with units: 300ms, 1m30s, 7d. A bare number does not say of what.", "observe: {interval: 30}", "observe: {interval: 30s}"},
		{"LR114", "not a ratio", "Ratios lie between 0 and 1, or are written with %.", "reload: {max_removed: 50}", "reload: {max_removed: 50%}"},
		{"LR115", "empty value", "A key without value means nothing here. Remove the line to use the default.", "observe:", "observe: {}"},
		{"LR116", "text that YAML reads as something else", "YAML reads 1.10 as 1.1, 010 as a number and dates as dates. Quotes keep the text.", "metadata: {name: 1.10}", "metadata: {name: \"1.10\"}"},
		{"LR117", "not a size", "Sizes are numbers with units: 64KiB, 10MB, 2GiB.", "journal: {retention: {size: 100}}", "journal: {retention: {size: 100MiB}}"},
		{"LR118", "not a rate", "Rates are numbers per unit of time: 200/s, 5/m.", "policies: {guards: {g: {rate_limit: {rate: 200}}}}", "policies: {guards: {g: {rate_limit: {rate: 200/s}}}}"},
		{"LR119", "not a time", "Times are written as RFC 3339, or as a date.", "expires: tomorrow", "expires: 2026-12-01T06:00:00Z"},
		{"LR120", "not a moment", "A moment of a scenario is a duration from the start, start, end, ID, ID.start or ID.end, with + and a duration after it.", "timeline: [{at: 3 minutes, crash: api}]", "timeline: [{at: outage.end + 5s, crash: api}]"},
		{"LR121", "key that is no text", "Keys are text.", "params: {[1]: 2}", "params: {one: 2}"},
		{"LR122", "path that leads nowhere", "A dotted path leads through mappings and named lists; other lists are replaced whole.", "override: {journal.record.first: calls}", "override: {journal.record: [calls]}"},
		{"LR123", "second topology", "One load has one topology. Others are included, or loaded by scenarios.", "", ""},
		{"LR124", "no topology", "None of the files has a document of kind Topology.", "", ""},
	}
}

func nameCodes() []Code {
	return []Code{
		{"LR201", "not a name", "Names of actors, policies and rules are lower case: a letter, then letters, digits and -. Messages, params and fields have _ instead of -.", "policies: {breakers: {Pay: {}}}", "policies: {breakers: {pay: {}}}"},
		{"LR202", "name defined twice", "Names are distinct among siblings; NAME-0 and so on are the names of replicas.", "rules: [{name: a, then: []}, {name: a, then: []}]", "rules: [{name: a, then: []}, {name: b, then: []}]"},
		{"LR203", "unknown name", "Nothing of that kind has this name.", "policies: {retries: {a: {use: b}}}", "policies: {retries: {a: {use: b}, b: {}}}"},
		{"LR204", "circle", "Policies, templates, or asks between actors lead back to where they began; an ask that waits for itself never ends.", "policies: {retries: {a: {use: b}, b: {use: a}}}", "policies: {retries: {a: {use: b}, b: {}}}"},
		{"LR205", "unused template", "No actor uses it. A misspelt `use` would be reported elsewhere, so this one can go.", "templates: {worker: {labels: {a: b}}}", ""},
		{"LR206", "ambiguous name", "Several actors have this name; write the path.", "", ""},
		{"LR207", "policies that disagree", "Two Policy documents set the same field to different values, and neither comes first.", "", ""},
		{"LR208", "breaker that cannot be built", "The values are allowed one by one, but not together.", "", ""},
		{"LR210", "bounds the wrong way round", "The least is larger than the largest.", "policies: {retries: {r: {backoff: {initial: 10s, max: 5s}}}}", "policies: {retries: {r: {backoff: {initial: 1s, max: 5s}}}}"},
		{"LR211", "trigger that can never fire", "The breaker waits for more calls than its window holds.", "policies: {breakers: {b: {window: {calls: 10}, min_calls: 20, trip: {error_rate: 50%}}}}", "policies: {breakers: {b: {window: {calls: 100}, min_calls: 20, trip: {error_rate: 50%}}}}"},
		{"LR212", "half-open can never succeed", "More successes are asked for than probes can bring.", "policies: {breakers: {b: {half_open: {probes: 1, successes: 3, judge: rates}}}}", "policies: {breakers: {b: {half_open: {probes: 3, successes: 3}}}}"},
		{"LR213", "lease longer than the open time", "A lost probe would hold the breaker longer than opening it again.", "policies: {breakers: {b: {open: {for: 1s}, half_open: {lease: 1m}}}}", "policies: {breakers: {b: {open: {for: 1s}, half_open: {lease: 500ms}}}}"},
		{"LR214", "consensus that cannot be reached", "More answers are needed than there are members, or an agreement that no group of them can have.", "", ""},
		{"LR215", "quorum below the majority", "Two halves could then agree on different answers.", "", ""},
		{"LR217", "too many actors", "The number of actors is bounded.", "", ""},
		{"LR218", "address taken", "Two listeners cannot listen on one address.", "", ""},
		{"LR219", "routes that overlap", "Two routes of one listener take the same requests.", "", ""},
		{"LR220", "include", "Included files stand beside the including file or below, do not include each other in a circle, and bring no actors.", "include: [../shared.yaml]", ""},
		{"LR221", "field for another kind of actor", "Supervisors and other actors have different fields.", "", ""},
		{"LR222", "cannot work like this", "The parts fit one by one, but not together; the message names the part to change.", "", ""},
		{"LR223", "malformed address", "An address, URL or path that nothing can be reached by.", "", ""},
		{"LR224", "message nobody handles", "The receiver has no handler for the message, or takes no messages.", "", ""},
		{"LR225", "fallback calls what failed", "A fallback answers for a callee that has just failed, so it must ask another one.", "", ""},
		{"LR226", "no effect", "The value is read and changes nothing: another one decides first, or nothing heeds it yet.", "", ""},
		{"LR227", "edge guarded twice", "All calls from one actor to another pass the same guard, so they must agree on it.", "", ""},
		{"LR228", "action without target", "Only rules about actors have a subject to act on; others name a target.", "", ""},
		{"LR229", "pattern that matches nobody", "No actor has a path of this form.", "", ""},
		{"LR230", "breaker that can never open", "No condition of the breaker can come true.", "", ""},
		{"LR231", "never reached", "What stands here can never have its turn, or always has it.", "", ""},
		{"LR234", "significant child that cannot end", "A significant child ends its supervisor when it ends, so it must not always restart, and auto_shutdown must be any or all.", "", ""},
		{"LR235", "restarts without a wait", "Restarting at once, again and again, keeps a processor busy and helps nobody.", "", ""},
		{"LR237", "grace cut short", "An actor is gone when shutdown.kill is over, whatever its process was promised: what is left of stop.grace then is lost.", "", ""},
		{"LR299", "inconsistent plan", "The compiler made a plan that contradicts itself: a mistake in the program. Please report it with the file.", "", ""},
	}
}

func expressionCodes() []Code {
	rule := func(when string) string { return "rules: [{name: r, when: " + when + ", then: []}]" }
	return []Code{
		{"LR301", "expression read as a tag", "A value that begins with ! is a tag in YAML. Quote the expression.", rule("!ready"), rule("'!ready'")},
		{"LR302", "expression cut by a comment", "YAML drops everything after space and #. Quote the expression, or move the comment.", "rules:\n  - name: r\n    when: a > 3 # && b\n    then: []", "rules:\n  - name: r\n    when: 'a > 3 && b'\n    then: []"},
		{"LR303", "unknown name in an expression", "The place where the expression stands decides what it sees.", rule("system.helth < 0.5"), rule("system.health < 0.5")},
		{"LR304", "wrong type of expression", "Conditions are true or false; other places want a number or text.", rule("system.health"), rule("system.health < 0.5")},
		{"LR305", "= instead of ==", "Expressions compare with ==.", rule("system.level = \"critical\""), rule("'system.level == \"critical\"'")},
		{"LR306", "expression ends too early", "Something is missing at the end.", rule("system.health < 0.5 &&"), rule("system.health < 0.5")},
		{"LR307", "not deterministic", "Replays must decide as the engine did. Use the variable now, or hash(x).", rule("'now() > 5'"), rule("now > 5")},
		{"LR308", "not a duration in an expression", "Durations stand without quotes: 1m30s.", rule("'breaker.latency.p99 > \"1x\"'"), rule("breaker.latency.p99 > 1s")},
		{"LR309", "expression costs too much", "Expressions have 4 KiB and 500 parts at most, and predicates do not nest.", "", ""},
		{"LR310", "division by zero", "The right side is always 0.", rule("10 % 0 == 1"), rule("10 % 3 == 1")},
		{"LR311", "may divide by zero", "When the right side is 0 the expression fails at run time.", "", ""},
		{"LR312", "pattern that does not parse", "The right side of matches is a regular expression.", rule("'actor.name matches \"(\"'"), rule("'actor.name matches \"^api\"'")},
		{"LR313", "folded expression", "> joins lines and loses their places. Use | for expressions of several lines.", "rules:\n  - name: r\n    when: >\n      a\n      > 3\n    then: []", "rules:\n  - name: r\n    when: |\n      a\n      > 3\n    then: []"},
		{"LR314", "value cut by YAML", "Inside { } and [ ] a comma, a bracket or ? ends an unquoted value; anywhere, ': ' does. Quote the value.", "rules: [{name: r, when: max(1, 2) > 1, then: []}]", "rules: [{name: r, when: 'max(1, 2) > 1', then: []}]"},
		{"LR315", "name where text was meant", "YAML's quotes are not part of the expression. Literal text has its own inside.", "reply: {status: \"ok\"}", "reply: {status: '\"ok\"'}"},
		{"LR316", "types that do not go together", "The operator cannot join these two types.", rule("'1 + \"a\" == 2'"), rule("1 + 1 == 2")},
		{"LR317", "not available in expressions", "Expressions are a bounded, deterministic part of their language.", rule("'(let x = 1; x > 0)'"), rule("1 > 0")},
		{"LR318", "wrong arguments", "The function takes other arguments.", rule("'abs(1, 2) > 0'"), rule("abs(1) > 0")},
		{"LR319", "expression syntax", "The expression cannot be read.", rule("'a b'"), rule("1 > 0")},
		{"LR320", "unknown word from an expression", "What the expression answers, or compares with a state, a level or an event's type, is one of a fixed set of words.", rule("'system.level == \"criticl\"'"), rule("'system.level == \"critical\"'")},
	}
}

func outsideCodes() []Code {
	return []Code{
		{"LR401", "file missing or empty during a reload", "The running generation stays. Editors and deployment tools leave files empty for a moment; if it lasts, the file is really gone.", "", ""},
		{"LR410", "destructive change waits", "The change removes more than reload.max_removed, or recreates something: apply it with --allow-destroy.", "", ""},
		{"LR411", "change takes a restart of the engine", "The journal's durability and the like are settled when the engine starts. The running generation stays until the change is taken back or the engine is started anew.", "", ""},
		{"LR412", "reloading is off", "reload.mode is off in the running generation: a saved file changes nothing. lukhas-run reload --allow-destroy takes it over, as a restart does.", "", ""},
		{"LR420", "rolled back: crash loop", "After the reload an actor failed three times, or a supervisor would have given up. The last generation that passed is in force again; what is on the disk is not tried again until it changes.", "", ""},
		{"LR421", "rolled back: rule errors", "After the reload rules failed to evaluate, far more often than before. The last generation that passed is in force again.", "", ""},
		{"LR422", "rolled back: abort_if", "reload.abort_if of the last generation that passed was true of the new one. The event reload_rolled_back has the values that it read.", "", ""},
		{"LR423", "rollback failed", "A generation does not hold, and its predecessor could not be put in force again, most often because an address was taken meanwhile. It stays until the next reload.", "", ""},
		{"LR424", "rolled back already", "The same content was rolled back and has not changed since. Change it: a comment will do when the world was to blame.", "", ""},
		{"LR601", "variable not set", "The environment has no such variable and no default is given.", "observe: {interval: \"${INTERVAL}\"}", "observe: {interval: \"${INTERVAL:-1s}\"}"},
		{"LR602", "malformed ${…}", "Written are ${VAR}, ${VAR:-default}, ${file:/path}, ${secret:VAR}, ${params.x}, ${name}, ${replica} and $${ for a literal ${.", "metadata: {name: \"${a b}\"}", "metadata: {name: \"$${a b}\"}"},
		{"LR603", "${name} or ${replica} outside text", "They differ from replica to replica, so they stand only in text such as env and command.", "policies: {breakers: {b: {min_calls: \"${replica}\"}}}", "policies: {breakers: {b: {min_calls: 5}}}"},
		{"LR604", "${…} in an expression", "Expressions are not filled in. Use params.x, or a field in scope.", rule604, "rules: [{name: r, when: system.health < params.low, then: []}]\nparams: {low: 0.5}"},
		{"LR605", "unknown param", "${params.x} names a param of the topology.", "params: {slow: 1s}\nobserve: {interval: \"${params.slov}\"}", "params: {slow: 1s}\nobserve: {interval: \"${params.slow}\"}"},
		{"LR606", "secret cannot be read", "The file of ${file:…} is missing, unreadable or too large.", "", ""},
	}
}

func scenarioCodes() []Code {
	return []Code{
		{"LR501", "unknown moment", "A moment hangs on the id of a step, or on start or end.", "", ""},
		{"LR502", "step named twice", "The id of a step names its moments, so it stands once; start and end are the scenario's own.", "", ""},
		{"LR503", "moment that never comes", "The moment lies behind the end, waits for itself, or for the end of something that goes on.", "", ""},
		{"LR504", "expectation without its bound", "eventually says within which time, holds at which moment; the others take after and until.", "", ""},
		{"LR505", "load that calls nobody", "A load says whom it calls, with which message and how often.", "", ""},
		{"LR506", "world for what is inside", "Scripts, consensus actors and supervisors run in a scenario as in production. A world stands in for processes, upstreams and go actors.", "", ""},
		{"LR507", "step that cannot last", "What is over at once, such as a crash, takes no for; what only marks a moment comes once.", "", ""},
		{"LR508", "file of a reload", "The file that a step reloads cannot be read. One that can be read and is wrong is refused by the engine, which is a story worth telling.", "", ""},
		{"LR510", "recorded calls", "The recording cannot be read, lies outside the scenario's directory, or has no calls that the load could repeat.", "", ""},
	}
}

const rule604 = "rules: [{name: r, when: 'system.health < ${LOW}', then: []}]"
