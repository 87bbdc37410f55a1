package compiler_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/spec"
)

const header = "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: t}\n"

// with is a topology of one upstream `db`, one script `api` and whatever is added. Additions begin at line 10.
func with(lines ...string) string {
	return header + `root:
  children:
    - name: db
      upstream: http://127.0.0.1:1
    - name: api
      script: {handlers: {go: {reply: msg.id}}}
` + strings.Join(lines, "\n") + "\n"
}

// children is a topology of these children; the first line is line 6.
func children(lines ...string) string {
	return header + "root:\n  children:\n    " + strings.Join(lines, "\n    ") + "\n"
}

// scaling is a topology with a group of three, of which the last is named, and a rule that scales.
func scaling(action string) string {
	return children("- {name: pool, replicas: 3, upstream: 'http://127.0.0.1:1'}",
		"- {name: api, script: {handlers: {go: {tell: [{to: pool-2, message: x}]}}}}") +
		"rules: [{name: r, when: now > 5, then: [{scale: " + action + "}]}]\n"
}

const keptStays = "warning LR226 8:27 adopt has no effect on an actor with persist: its state is kept under its path\n"

// adopting is a topology whose rule puts somebody under another supervisor.
func adopting(action string) string {
	return children("- {name: w, adopt: true, upstream: 'http://127.0.0.1:1'}", "- {name: fixed, upstream: 'http://127.0.0.1:1'}",
		"- {name: kept, adopt: true, persist: state, script: {handlers: {x: {reply: '1'}}}}",
		"- {name: spare, children: [{name: pool, replicas: 3, upstream: 'http://127.0.0.1:1'}]}") +
		"rules: [{name: r, when: now > 5, then: [{adopt: " + action + "}]}]\n"
}

func brief(diags spec.Diagnostics) string {
	var out []string
	for _, d := range diags {
		line := fmt.Sprintf("%s %d:%d %s", d.Code, d.Pos.Line, d.Pos.Col, d.Message)
		if d.Severity == spec.Warning {
			line = "warning " + line
		}
		if d.Suggestion != "" {
			line += "; " + d.Suggestion
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestNastySpecs(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"30 names differ only below different parents", children("- name: a", "  children: [{name: db, upstream: http://127.0.0.1:1}]", "- name: b", "  children: [{name: db, upstream: http://127.0.0.1:2}]", "- {name: api, script: {handlers: {go: {calls: [{to: db, message: q}]}}}}"),
			`LR206 10:57 "db" is ambiguous; write one of root/a/db, root/b/db`},
		{"30 a replica's name", children("- {name: w, upstream: http://127.0.0.1:1, replicas: 3}", "- {name: w-1, upstream: http://127.0.0.1:1}"),
			`LR202 7:14 actor "w-1" already defined at t.yaml:6:14`},
		{"31 unknown actor", with("gateway: [{name: g, listen: ':1', routes: [{name: r, path: /, to: dbb}]}]"),
			`LR203 10:67 unknown actor "dbb"; did you mean "db"?`},
		{"31 unknown actor called", children("- {name: api, script: {handlers: {go: {calls: [{to: pol, message: q}]}}}}", "- {name: pool, upstream: http://127.0.0.1:1}"),
			`LR203 6:57 unknown actor "pol"; did you mean "pool"?`},
		{"31 unknown path", with("emergency: {enter: 'false', then: [{pause: root/dbx}]}"),
			`LR203 10:44 unknown actor "root/dbx"; did you mean "root/db"?`},
		{"31 a supervisor takes no messages", with("gateway: [{name: g, listen: ':1', routes: [{name: r, path: /, to: root, message: go}]}]"),
			`LR222 10:67 "root" is a supervisor, which takes no messages; name an actor below it`},
		{"payloads of nothing", with("journal: {record: [failures, payloads]}"),
			`LR222 10:30 payloads are those of calls and messages, and neither is recorded; add calls or messages`},
		{"31 unknown breaker in an expression", with("health: {score: 'breaker(\"db\").state == \"open\" ? 0 : 1'}"),
			`LR203 10:26 "db" has no breaker; give it guard: {breaker: …}`},
		{"31 unknown actor in an expression", with("health: {score: 1 - actor(\"dbb\").error_rate}"),
			`LR203 10:27 unknown actor "dbb"; did you mean "db"?`},
		{"31 unknown state in share", with("health: {score: 1 - share(\"opn\")}"),
			`LR203 10:27 unknown state "opn"; did you mean "open"?`},
		{"an unknown state of actors", with("health: {score: 1 - share(\"waiting\")}"),
			`LR203 10:27 unknown state "waiting"`},
		{"32 ask cycle", children("- {name: a, script: {handlers: {go: {calls: [{to: b, message: go}]}}}}", "- {name: b, script: {handlers: {go: {calls: [{to: a, message: go}]}}}}"),
			`LR204 6:55 ask cycle: a -> b -> a (lines 6, 7)`},
		{"32 ask cycle of one", children("- {name: a, script: {handlers: {go: {calls: [{to: a, message: go}]}}}}"),
			`LR204 6:55 ask cycle: a -> a (line 6)`},
		{"32 ask cycle through a group, a consensus and back", children(
			"- {name: a, replicas: 2, script: {handlers: {go: {calls: [{to: b, message: go}]}}}}", "- {name: b, consensus: {members: [c], quorum: 1}}",
			"- {name: c, script: {handlers: {go: {calls: [{to: a-1, message: go}]}}}}"),
			`LR204 6:68 ask cycle: a -> b -> c -> a (lines 6, 7, 8)`},
		{"32 ask cycle through a fallback", children("- name: a", "  script: {handlers: {go: {calls: [{to: b, message: go}]}}}", "- name: b", "  guard: {fallback: [{to: a, message: go}]}", "  script: {handlers: {go: {reply: '1'}}}"),
			`LR204 7:45 ask cycle: a -> b -> a (lines 7, 9)`},
		{"32 told, not asked", children("- {name: a, script: {handlers: {go: {tell: {to: b, message: go}}}}}", "- {name: b, script: {handlers: {go: {tell: {to: a, message: go}}}}}"), ``},
		{"32 rules that run each other", with("rules:", "- {name: a, when: now > 5, then: [{run: b}]}", "- {name: b, then: [{run: a}]}"),
			`LR204 11:41 rule runs itself: a -> b -> a`},
		{"33 backoff", with("policies: {restarts: {r: {backoff: {initial: 10s, max: 5s}}}}"),
			`LR210 10:46 initial 10s is larger than max 5s (10:46, 10:56)`},
		{"33 backoff against a default", with("policies: {retries: {r: {backoff: {initial: 10s}}}}"),
			`LR210 10:45 initial 10s is larger than max 200ms`},
		{"34 successes", with("policies: {breakers: {b: {half_open: {probes: 1, successes: 3}}}}"),
			`LR212 10:61 successes 3 is more than probes 1 (10:61, 10:47); raise probes`},
		{"34 successes against the default", with("policies: {breakers: {b: {half_open: {successes: 9}}}}"),
			`LR212 10:50 successes 9 is more than probes 3; raise probes`},
		{"34 lease", with("policies: {breakers: {b: {open: {for: 1s}, half_open: {lease: 1m}}}}"),
			`LR213 10:63 lease 1m0s is longer than open.for 1s (10:63, 10:39): a lost probe would hold the breaker longer than opening again`},
		{"34 min_calls", with("policies: {breakers: {b: {window: {calls: 10}, min_calls: 20, trip: {error_rate: 50%}}}}"),
			`LR211 10:59 min_calls 20 is more than the window's 10 calls (10:59, 10:43)`},
		{"34 failures", with("policies: {breakers: {b: {window: {calls: 10}, trip: {failures: 20}}}}"),
			`LR211 10:65 failures 20 is more than the window's 10 calls (10:65, 10:43), so it is never reached`},
		{"34 open time", with("policies: {breakers: {b: {open: {for: 2m, max: 1m}}}}"),
			`LR210 10:48 open.for 2m0s is longer than open.max 1m0s (10:39, 10:48)`},
		{"34 quorum", children("- {name: w, replicas: 3, upstream: http://127.0.0.1:1}", "- {name: c, consensus: {members: [w], quorum: 4}}"),
			`LR214 7:51 quorum 4 is more than the 3 members (7:51, 7:38)`},
		{"34 minority", children("- {name: w, replicas: 4, upstream: http://127.0.0.1:1}", "- {name: c, consensus: {members: [w], quorum: 2}}"),
			`warning LR215 7:51 quorum 2 is no majority of 4 members, so two groups may both have it; 3 is`},
		{"34 liars", children("- {name: w, replicas: 3, upstream: http://127.0.0.1:1}", "- {name: c, consensus: {members: [w], quorum: 2, liars: 1}}"),
			`LR214 7:61 with 1 of 3 members lying the quorum must be at least 3, got 2`},
		{"34 agreement", children("- {name: w, replicas: 4, upstream: http://127.0.0.1:1}", "- {name: c, consensus: {members: [w], quorum: 4, liars: 1, agreement: 90%}}"),
			`LR214 7:75 agreement 0.9 cannot be reached: without the liars at most 0.75 of the answers agree`},
		{"34 no weight", children("- {name: w, replicas: 2, upstream: http://127.0.0.1:1}", "- {name: c, consensus: {members: [w], weights: {w: 0}}}"),
			`LR214 7:52 agreement 0.6 cannot be reached: no member has any weight`},
		{"34 a member twice", children("- {name: w, replicas: 2, upstream: http://127.0.0.1:1}", "- {name: c, consensus: {members: [w, w-1]}}"),
			`LR202 7:38 member "root/w-1" stands twice`},
		{"a breaker that never opens", children("- {name: a, upstream: http://127.0.0.1:1, guard: {breaker: {window: 5s}}}"),
			`warning LR230 6:64 breaker "a" can never open; add a condition, such as trip: {consecutive_failures: 5}`},
		{"a breaker that only slow calls open, and none is", children("- {name: a, upstream: http://127.0.0.1:1, guard: {timeout: 500ms, breaker: {trip: {slow_calls: {over: 1s}}}}}"),
			`warning LR230 6:107 breaker "a" can never open: every call ends after 500ms, before it is slow at 1s`},
		{"a condition that is never true", children("- {name: a, upstream: http://127.0.0.1:1, guard: {breaker: {trip: {when: 1 > 2}}}}"),
			`warning LR230 6:78 "1 > 2" is never true`},
		{"a condition on other breakers", with("policies: {breakers: {b: {trip: {when: share(\"open\") > 0.5}}}}"),
			`LR222 10:40 share looks at all breakers, and trip.when sees its own window only; use a rule with force_open`},
		{"a detector for other things", with("policies: {breakers: {b: {trip: {anomaly: {detector: novelty}}}}}"),
			`LR222 10:54 novelty needs days of history, and a breaker has seconds; use shift or spike`},
		{"a detector of durations", with("policies: {breakers: {b: {trip: {anomaly: {detector: shift, of: error_rate}}}}}"),
			`LR222 10:54 shift judges durations, and error_rate is none; use spike`},
		{"a detector without moments to sample at", with("policies: {breakers: {b: {window: {calls: 50}, trip: {anomaly: {of: error_rate}}}}}"),
			`LR222 10:69 error_rate is sampled as time passes; give the breaker a window of time instead of calls (10:69, 10:43)`},
		{"a setting that a detector does not have", with("policies: {breakers: {b: {trip: {anomaly: {detector: zscore, params: {windw: 50}}}}}}"),
			`LR208 10:78 zscore has no "windw", it has ["threshold" "consecutive" "refractory" "both" "window"]`},
		{"a setting out of range", with("policies: {breakers: {b: {trip: {anomaly: {detector: zscore, params: {window: 5}}}}}}"),
			`LR208 10:79 window of zscore is 5, want a whole number from 10 to 10000 (samples compared with)`},
		{"a threshold of nothing", with("policies: {breakers: {b: {trip: {anomaly: {threshold: 0}}}}}"),
			`LR208 10:55 threshold of shift is 0, want a number from 1e-06 to 1e+06 (standard deviations that have added up)`},
		{"a setting given twice", with("policies: {breakers: {b: {trip: {anomaly: {threshold: 5, params: {threshold: 6}}}}}}"),
			`LR208 10:55 threshold stands in params too`},
		{"a fallback to what failed", children("- {name: a, upstream: http://127.0.0.1:1, guard: {fallback: [{to: a}]}}"),
			`LR225 6:71 the fallback of "a" calls "a", which is what failed`},
		{"a fallback never reached", children("- {name: a, upstream: http://127.0.0.1:1, guard: {fallback: [{reply: '1'}, {reply: '2'}]}}"),
			`warning LR231 6:80 this fallback of "a" is never reached: the one before it always answers`},
		{"a rule that never acts", with("rules: [{name: r, when: 1 > 2, then: [{pause: db}]}]"),
			`warning LR231 10:25 rule "r" never acts: "1 > 2" is never true`},
		{"a rule about nobody", with("rules: [{name: r, for_each: actor, where: actor.path startsWith \"root/x/\", when: actor.error_rate > 0.5, then: [{pause: {}}]}]"),
			`warning LR231 10:43 rule "r" never acts: "actor.path startsWith \"root/x/\"" is true of no actor`},
		{"an action without target", with("rules: [{name: r, when: now > 5, then: [{pause: {}}]}]"),
			`LR228 10:49 pause names no target, and its subject is no actor; add target: NAME`},
		{"a glob that matches nobody", with("rules: [{name: r, when: now > 5, then: [{pause: 'root/x/**'}]}]"),
			`warning LR229 10:49 "root/x/**" matches no actor`},
		{"two listeners on a port", with("gateway:", "- {name: a, listen: '127.0.0.1:8080'}", "- {name: b, listen: ':8080'}"),
			`LR218 12:21 listener "b" listens on :8080, which "a" at 11:21 takes; give it another port`},
		{"two routes for one path", with("gateway:", "- name: g", "  listen: ':1'", "  routes:", "  - {name: a, path: /x, to: db}", "  - {name: b, path: /x, methods: [GET], to: db}"),
			`LR219 15:21 route "b" and route "a" at 14:21 both take /x for GET; change the path, methods or headers of one`},
		{"a route that proxies to a script", with("gateway: [{name: g, listen: ':1', routes: [{name: r, path: /, to: api}]}]"),
			`LR222 10:67 "api" is a script, to which no request can be proxied as it is; add message: NAME`},
		{"a message without handler", with("gateway: [{name: g, listen: ':1', routes: [{name: r, path: /, to: api, message: goo}]}]"),
			`LR224 10:81 script "api" has no handler for "goo"; did you mean "go"?`},
		{"a message that is not declared so", with("messages: {go: {fields: {id: text}}}", "gateway: [{name: g, listen: ':1', routes: [{name: r, path: /, to: api, message: go, with: {idd: '1'}}]}]"),
			`LR303 11:92 unknown field of message "go": "idd"; did you mean "id"?`},
		{"a field for supervisors", children("- {name: a, upstream: http://127.0.0.1:1, strategy: all_for_one}"),
			`LR221 6:47 "strategy" belongs to a supervisor, and this one has no children`},
		{"a field for workers", children("- {name: a, mailbox: {capacity: 5}, children: []}"),
			`LR221 6:17 "mailbox" belongs to an actor without children, and this one is a supervisor`},
		{"a significant child that always restarts", children("- {name: a, significant: true, upstream: http://127.0.0.1:1}"),
			`LR234 6:30 a significant actor must be able to end, and "a" always restarts; set restart: {policy: on_failure} or never`},
		{"a significant child nobody heeds", children("- {name: a, significant: true, restart: {policy: never}, upstream: http://127.0.0.1:1}"),
			`LR234 6:30 significant has no meaning while "root" has auto_shutdown: never; set it to any or all`},
		{"restarts that spin", header + "root:\n  intensity: {max: 1000, within: 1s}\n  children:\n    - {name: a, restart: {backoff: {initial: 0s}}, upstream: http://127.0.0.1:1}\n",
			`LR235 7:46 initial 0s with an intensity of 1000 restarts would spin; wait at least 10ms, or lower intensity.max of "root"`},
		{"38 unknown field", with("messages: {go: {fields: {size: number}}}", "templates: {}", "health: {score: '1'}", "rules: [{name: r, when: now > 5, then: [{inject: {target: api, message: go, payload: {size: system.helth}}}]}]"),
			`LR303 9:43 unknown field "id" of msg
LR303 13:100 unknown field "helth" of system; did you mean "health"?`},
		{"38 unknown field of a message", header + "messages: {go: {fields: {size: number}}}\nroot:\n  children:\n    - name: api\n      script: {handlers: {go: {fail: {when: msg.sizee > 3}}}}\n",
			`LR303 8:49 unknown field "sizee" of msg; did you mean "size"?`},
		{"40 no condition", header + "messages: {go: {fields: {size: number}}}\nroot:\n  children:\n    - name: api\n      script: {handlers: {go: {fail: {when: msg.size}}}}\n",
			`LR304 8:45 condition must be true/false, this is a number`},
		{"40 not in scope", with("rules: [{name: r, for_each: actor, when: msg.size > 3, then: [{pause: {}}]}]"),
			`LR303 10:42 msg is not in scope here; a rule sees actor, breaker, now, over, params, predict, share, system`},
		{"41 assignment", with("rules: [{name: r, when: now = 3, then: [{pause: db}]}]"),
			`LR305 10:29 use == to compare`},
		{"41 ends early", with("rules: [{name: r, when: now > 3 &&, then: [{pause: db}]}]"),
			`LR306 10:35 expression ends too early`},
		{"42 now()", with("rules: [{name: r, when: now() > 3, then: [{pause: db}]}]"),
			`LR307 10:25 now() is not deterministic; use the variable "now"`},
		{"43 duration", with("rules: [{name: r, for_each: actor, when: 'actor.latency.p99 > \"1x\"', then: [{pause: db}]}]"),
			`LR308 10:63 "1x" is not a duration`},
		{"45 remainder", with("rules: [{name: r, when: now % 0 > 1, then: [{pause: db}]}]"),
			`LR310 10:25 "%" by 0 has no result`},
		{"46 pattern", with("rules: [{name: r, for_each: actor, when: 'actor.name matches \"(\"', then: [{pause: db}]}]"),
			`LR312 10:62 missing closing )`},
		{"50 a name where text was meant", children("- {name: a, script: {handlers: {go: {reply: {status: \"ok\"}}}}}"),
			`LR315 6:59 "ok" is a name here; literal text is '"ok"'`},
		{"50 words where text was meant", children("- {name: a, script: {handlers: {go: {reply: {status: \"not found\"}}}}}"),
			`LR315 6:58 "not found" is an expression here; literal text is '"not found"'`},
		{"an error inside a block scalar", with("rules:", "- name: r", "  for_each: actor", "  when: |", "    actor.calls > 5 &&", "    actor.eror_rate > 0.5", "  then: [{pause: {}}]"),
			`LR303 15:11 unknown field "eror_rate" of actor; did you mean "error_rate"?`},
		{"on_failure answers one of four", header + "root:\n  on_failure: '\"retry\"'\n  children: [{name: a, upstream: http://127.0.0.1:1}]\n",
			`LR320 5:16 "retry" is not one of resume, restart, stop, escalate`},
		{"a probe for processes", children("- {name: a, upstream: http://127.0.0.1:1, ready: {line: UP}}"),
			`LR222 6:61 line is for processes, and "a" is an upstream`},
		{"then: open without a breaker", children("- {name: a, upstream: http://127.0.0.1:1, health: {http: /, then: open}}"),
			`LR222 6:71 then: open needs a breaker to open; give "a" guard: {breaker: …}`},
		{"no URL", children("- {name: a, upstream: localhost:1}"),
			`LR223 6:27 "localhost:1" is no URL; write http://HOST:PORT`},
		{"one edge guarded in two ways", children("- name: a", "  script:", "    handlers:", "      p: {calls: [{to: b, message: q, guard: {timeout: 1s}}]}", "      q: {calls: [{to: b, message: q, guard: {timeout: 2s}}]}", "- {name: b, upstream: http://127.0.0.1:1}"),
			`LR227 10:50 a->b is guarded otherwise at 9:50; both calls pass the same guard, so name one and use it in both`},
		{"a result called twice", children("- {name: b, upstream: http://127.0.0.1:1}", "- name: a", "  script: {handlers: {x: {calls: [{to: b, message: q, as: r}, {to: b, message: q, as: r}]}}}"),
			`LR202 8:91 the name "r" is already taken here`},
		{"a group that can only be told", children("- {name: w, replicas: 2, route: all, upstream: http://127.0.0.1:1}", "- {name: a, script: {handlers: {go: {calls: [{to: w, message: q}]}}}}"),
			`LR222 7:55 "w" hands a message to all its replicas (route.pick: all), so it can be told, not asked; name one replica or pick another way`},
		{"39 an undeclared metric", children("- {name: w, upstream: http://127.0.0.1:1, metrics: {backlog: actor.mailbox}}") + "rules: [{name: r, for_each: actor, when: actor.metrics.backlok > 5, then: [{pause: {}}]}]\n",
			"warning LR226 6:47 root.children.w.metrics is checked and has no effect yet\n" +
				`LR303 7:56 unknown field "backlok" of actor.metrics; did you mean "backlog"?`},
		{"one mistake in two places", with("rules:", "- {name: r, when: noww > 5, then: [{pause: db}]}", "- {name: s, when: noww > 5, then: [{pause: db}]}"),
			"LR303 11:19 unknown name \"noww\"; did you mean \"now\"?\nLR303 12:19 unknown name \"noww\"; did you mean \"now\"?"},
		{"a hedge too late", children("- {name: a, upstream: http://127.0.0.1:1, guard: {timeout: 50ms, hedge: 60ms}}"),
			`warning LR226 6:77 the hedge after 60ms never happens: the call has ended after 50ms`},
		{"a timeout too late", children("- {name: a, upstream: http://127.0.0.1:1, guard: {timeout: 5s, deadline: 1s}}"),
			`warning LR226 6:64 timeout 5s is longer than deadline 1s (6:64, 6:78), which ends the call first`},
		{"a timer without handler", children("- {name: a, script: {timers: {tick: 1s}}}"),
			`LR224 6:35 timer "tick" has no handler; add handlers: {tick: …}`},
		{"a process that takes no messages", children("- {name: a, process: {command: [sleep, '1']}}", "- {name: b, script: {handlers: {x: {calls: [{to: a, message: q}]}}}}"),
			`LR224 7:66 process "a" takes no messages; give it protocol: jsonl`},
		{"too many replicas", children("- {name: a, replicas: 1000000, upstream: http://127.0.0.1:1}"),
			`LR217 6:27 at most 100000 replicas, got 1000000`},
		{"a grace that is cut short", "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: t}\nroot:\n  strategy: one_for_one\n  children:\n    - name: w\n      process: {command: [sleep, \"1\"], stop: {grace: 10s}}\n      shutdown: {kill: 3s}\n",
			`warning LR237 9:24 kill 3s comes before the process's grace of 10s is over; raise kill, or lower stop.grace`},
		{"an unknown param set", with("params: {slow: 1s}", "rules: [{name: r, when: now > 5, then: [{set_param: {name: slwo, value: 2s}}]}]"),
			`LR203 11:60 unknown param "slwo"; did you mean "slow"?`},
		{"a param set to another type", with("params: {slow: 1s}", `rules: [{name: r, when: now > 5, then: [{set_param: {name: slow, value: '"2s"'}}]}]`),
			`LR304 11:74 number expected, this is a text`},
		{"a param set to a mapping", with("params: {slow: 1s}", `rules: [{name: r, when: now > 5, then: [{set_param: {name: slow, value: {a: 1}}}]}]`),
			`LR222 11:73 params.slow is one value; write an expression`},
		{"adopting what cannot be", children("- {name: a, adopt: true, children: [{name: b, script: {handlers: {x: {reply: '1'}}}}]}",
			"- {name: c, adopt: true, replicas: 2, upstream: http://127.0.0.1:1}", "- {name: d, adopt: true, persist: state, script: {handlers: {x: {reply: '1'}}}}"),
			`warning LR226 6:24 adopt has no effect on a supervisor: only single actors are adopted
warning LR226 7:24 adopt has no effect on replicas: a group stays together
warning LR226 8:24 adopt has no effect on an actor with persist: its state is kept under its path`},
		{"more replicas than there may be", scaling("{target: pool, replicas: 100001}"), `LR217 8:74 at most 100000 replicas, got 100001`},
		{"fewer replicas than are named", scaling("{target: pool, replicas: 2}"), `LR222 8:74 "pool" cannot have 2 replicas: pool-2 is named elsewhere`},
		{"scaling what has no replicas", scaling("{target: api, replicas: 2}"), `LR222 8:58 "api" has no replicas to scale; give it replicas: 1`},
		{"scaling a supervisor", scaling("{target: root, replicas: 2}"), `LR222 8:58 "root" is a supervisor, which has no replicas; scale a group below it`},
		{"bounds of an exact number", scaling("{target: pool, replicas: 4, max: 5}"), `LR222 8:49 min and max bound by; replicas says exactly how many`},
		{"bounds the wrong way round", scaling("{target: pool, by: 2, min: 5, max: 3}"), `LR222 8:76 min 5 is more than max 3 (8:76, 8:84)`},
		{"scaling by nothing", scaling("{target: pool, by: 0}"), `LR222 8:68 by 0 changes nothing; write how many more, or how many fewer`},
		{"adopting an actor that stays", adopting("{target: fixed, under: spare}"), keptStays + `LR222 10:58 "root/fixed" may not be moved; give it adopt: true`},
		{"adopting an actor that keeps its state", adopting("{target: kept, under: spare}"),
			keptStays + `LR222 10:58 "root/kept" keeps its state under its path, so it stays there`},
		{"adopting a replica", adopting("{target: pool-1, under: root}"), keptStays + `LR222 10:58 "root/spare/pool-1" is a replica of "root/spare/pool", which stays together`},
		{"adopting a supervisor", adopting("{target: spare, under: root}"), keptStays + `LR222 10:58 "root/spare" is a supervisor; only single actors are adopted`},
		{"adopting by whom nobody is supervised", adopting("{target: w, under: fixed}"), keptStays + `LR222 10:68 "fixed" is no supervisor`},
		{"adopting by whom there is not", adopting("{target: w, under: spar}"), keptStays + `LR203 10:68 unknown actor "spar"; did you mean "spare"?`},
		{"adopting by nobody", adopting("w"), keptStays + `LR106 10:49 expected a mapping, found text`},
		{"adopting several", adopting("{target: '*', under: spare}"), keptStays + `LR222 10:58 "*" may mean several actors; they are adopted one by one`},
		{"everything at once, in order", with("rules: [{name: r, when: noww > 5, then: [{pause: dbb}]}]", "emergency: {enter: system.helth < 1}"),
			`LR303 10:25 unknown name "noww"; did you mean "now"?
LR203 10:50 unknown actor "dbb"; did you mean "db"?
LR303 11:27 unknown field "helth" of system; did you mean "health"?`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, diags := compile(t, c.text)
			if got := brief(diags); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestEveryReportedCodeIsExplained(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`"(LR\d{3})"`)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		data, err := os.ReadFile(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range codes.FindAllStringSubmatch(string(data), -1) {
			if _, ok := spec.Explain(m[1]); !ok {
				t.Errorf("%s: %s is not in the table of codes", entry.Name(), m[1])
			}
		}
	}
}
