package spec

import "slices"

// This file and its neighbours fields_*.go are the one table of the language:
// every field with its type, default, example, documentation and reload class.

func (l *language) buildHeader() {
	metadata := object("metadata", "What the document is called.",
		field("name", textType, "Free text that names the document.", required, example("checkout")),
		field("labels", tableOf(Text, textType), "Free labels for people and dashboards.", example("{team: payments}")),
	)
	l.header = []*Field{
		field("apiVersion", enum(APIVersion), "The version of the language.", required, example(APIVersion)),
		field("kind", enum(string(KindTopology), string(KindPolicy), string(KindScenario)),
			"What the document is.", required, example("Topology")),
		field("metadata", metadata, "Name and labels.", required, reload(Hot)),
	}
}

func (l *language) buildTopology() {
	l.params = tableOf(Ident, l.literal)
	l.buildMessages()
	messages := tableOf(Ident, l.message)
	templates := tableOf(Name, l.templateType())
	gateway := l.gatewayType()
	journal := journalType()
	reloads := reloadType()
	policies := field("policies", l.policies, "Named policies, shared by all who `use` them.", reload(Hot))
	params := field("params", l.params, "Named values, typed by how they are written: `params.slow` in expressions, `${params.slow}` in values.",
		reload(Hot), example("{slow: 800ms, max_errors: 50%}"))
	steering := []*Field{
		field("rules", l.rules, "Conditions that act on the running system.", reload(Hot)),
		field("patterns", l.patterns, "Patterns looked for in the stream of events.", reload(Hot)),
		field("health", l.health, "How healthy the whole system is.", reload(Hot)),
		field("emergency", l.emergency, "What happens when the system as a whole is failing.", reload(Hot)),
	}
	observe := field("observe", l.observe, "What is measured, how finely and for how long.", reload(Hot))
	definitions := append([]*Field{params,
		field("messages", messages, "Optional declarations: declared fields are type-checked.", reload(Hot)),
		policies,
		field("defaults", l.defaults, "Fields that all actors inherit.", layer("defaults")),
		field("templates", templates, "Named sets of actor fields, reached by `use`.", layer("template")),
	}, steering...)
	definitions = append(definitions,
		field("gateway", gateway, "HTTP listeners whose routes lead to actors."),
		field("journal", journal, "What is recorded, how durably and for how long.", reload(RestartEngine)),
		observe,
		field("reload", reloads, "How changes of the files are taken over.", reload(Hot)))
	l.topology = object("topology", "Says everything: actors, supervision, guards, rules.", append(append(append([]*Field{}, l.header...),
		field("include", listOf(textType), "Files relative to this one, never above its directory; `*` matches. They bring definitions, never children.",
			example("[policies/*.yaml]")),
		field("root", l.rootType(), "The root supervisor.")), definitions...)...)
	changes := field("actors", tableOf(Target, l.actorChange), "Changes to actors, by name or path.", layer("policy"),
		example("{database: {guard: {timeout: 1s}}}"))
	l.policy = object("policy", "Hot fields only: it changes thresholds and cannot restart anything.", append(append(append([]*Field{}, l.header...),
		field("expires", timeType, "From then on the policy drops out, as a reload.", example("2026-12-01T06:00:00Z")),
		params, policies, changes, observe), steering...)...)
	overlay := tableOf(Target, l.overlayType())
	l.override = object("override", "New values by path.", append(append([]*Field{}, definitions...),
		field("actors", overlay, "Changes to actors, by name or path."))...)
}

// rootType is an actor that may be written without a name.
func (l *language) rootType() *Type {
	root := *l.actor
	root.Title = "root supervisor"
	root.AnyOf = []string{"children"}
	root.Fields = nil
	for _, f := range l.actor.Fields {
		if f.Name == "name" {
			f = field("name", nameType, "The root's name.", standard("root"))
		}
		root.Fields = append(root.Fields, f)
	}
	return &root
}

func (l *language) buildMessages() {
	kind := enum("text", "number", "bool", "list", "map", "any")
	l.messageField = union("type of a field", kind)
	nested := tableOf(Ident, l.messageField)
	l.messageField.Alternatives = append(l.messageField.Alternatives, nested, listOf(l.messageField))
	l.message = object("message", "What a message carries.",
		field("fields", nested, "Its fields and their types: text, number, bool, list, map, any, or a mapping of fields.", example("{id: text}")),
		field("reply", nested, "The fields of its answer.", example("{total: number}")),
		field("idempotent", boolType, "May be delivered twice: retries and hedges are allowed.", standard("false")),
	)
}

func journalType() *Type {
	classes := []string{"lifecycle", "decisions", "failures", "calls", "messages", "state"}
	kinds, recorded := enum(classes...), append(slices.Clone(classes), "payloads")
	return object("journal", "The event log.",
		field("enabled", boolType, "Whether events are written to disk.", standard("true")),
		field("durability", enum("memory", "async", "interval", "group", "each"),
			"When an event counts as written; `group` waits for a shared sync.", standard("group")),
		field("record", union("`all`, or a list of classes of events", enum("all"), listOf(enum(recorded...))),
			"Which classes of events are recorded; `payloads`, never part of `all`: what calls and messages from outside carried too, up to 16 KiB each.", reload(Hot), example("[lifecycle, decisions, failures]")),
		field("retention", object("retention", "How long events are kept.",
			field("age", spanType, "Older segments are dropped.", standard("7d")),
			field("size", sizeType, "Beyond this the oldest segments are dropped.", standard("2GiB")),
		), "How long events are kept.", reload(Hot)),
		field("snapshot", object("snapshots", "When the state is saved, so that replay need not start at the beginning.",
			field("every", countType, "Events between snapshots.", standard("10000"))), "When snapshots are taken.", reload(Hot), idle),
		field("overflow", enum("block", "gap", "halt"), "What happens when writing cannot keep up.", standard("block")),
		field("on_failure", enum("halt", "continue"), "What happens when the disk fails; `continue` marks what is lost.", standard("halt")),
		field("erase", object("erasure", "Payloads that can be erased later by dropping a key.",
			field("subject", exprType, "Whose data it is.", needed, example("msg.user")),
			field("types", listOf(kinds), "The classes of events that carry it.", example("[messages]")),
		), "Encrypts payloads by subject, so that they can be erased.", idle),
	)
}

func observeType() *Type {
	return object("observation", "What is measured.",
		field("level", enum("basic", "detailed", "full", "interactive"),
			"basic counts; detailed adds latency histograms, by a sample of the messages; full and interactive measure each of them.",
			standard("detailed")),
		field("interval", spanType, "Time between samples.", standard("1s")),
		field("window", spanType, "The span that rates in rules cover.", standard("10s")),
		field("retention", spanType, "How long series are kept.", standard("1h"), idle),
		field("sample", ratioType, "Share of messages sampled at level full.", standard("100%"), idle),
	)
}

func reloadType() *Type {
	return object("reload", "How changes are taken over.",
		field("mode", enum("auto", "confirm", "off"),
			"With confirm, recreating and stopping waits for `apply --allow-destroy`.", standard("auto")),
		field("max_removed", ratioType, "Removing more than this share of the actors waits for `apply --allow-destroy`.", standard("20%")),
		field("verify_for", spanType, "How long the next generation is on probation: a crash loop, rule errors or abort_if roll it back.", standard("5s")),
		field("abort_if", exprType, "Rolls the next generation back when true on a sample of its probation. `new` is measured since its commit, `old` in observe.window before; counts of both cover the same span.",
			example("new.error_rate > 1.5 * old.error_rate")),
		field("canary", object("canary", "Tries a change on a share first.",
			field("share", ratioType, "Share of replicas, keys or calls.", standard("10%")),
			field("for", spanType, "How long.", standard("2m")),
			field("enabled", boolType, "Off without removing it.", standard("true")),
		), "Applies a new policy to a share first.", idle),
	)
}
