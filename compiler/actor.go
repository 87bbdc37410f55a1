package compiler

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// actors compiles every unit into the plan: parents before children, replicas side by side.
func (c *compiler) actors() {
	total := 0
	for _, u := range c.units {
		total += u.replicas
	}
	c.plan.Actors = slices.Grow(c.plan.Actors, total)
	for _, u := range c.units {
		u.first = len(c.plan.Actors)
		p := c.shared(u)
		def, shared := c.define(u, 0, p)
		for n := range u.replicas {
			if n > 0 && !shared {
				def, _ = c.define(u, n, p)
			}
			u.at = append(u.at, len(c.plan.Actors))
			c.plan.Actors = append(c.plan.Actors, c.replica(u, n, def))
		}
		if u.group {
			g := c.groupOf(u, p.guard)
			if !shared {
				g.Make = c.maker(u, p)
			}
			c.plan.Groups = append(c.plan.Groups, g)
		}
	}
	for _, u := range c.units {
		if u.kind != plan.Supervisor {
			continue
		}
		s := c.plan.Actors[u.first].Supervisor
		for _, child := range u.children {
			s.Children = append(s.Children, child.at...)
		}
	}
	slices.SortFunc(c.plan.Groups, func(a, b plan.Group) int { return strings.Compare(a.Path, b.Path) })
}

// parts are what all replicas of a unit share, because nothing in it depends on the replica.
type parts struct {
	guard      *plan.Guard
	supervisor *plan.SupervisorSpec
	script     *plan.ScriptSpec
	consensus  *plan.ConsensusSpec
	operations []plan.Operation
	metrics    []plan.Metric
	observe    *plan.Observe
	restart    plan.Restart
}

func (c *compiler) shared(u *unit) parts {
	v := u.value
	p := parts{restart: c.restart(v.At("restart"))}
	p.guard = c.guard(v.Entry("guard"), edge{name: c.called(u), callee: u})
	for _, e := range v.Entry("metrics").Entries() {
		value := c.number(e.Value, c.inState(in(rules.AtMetric), u))
		p.metrics = append(p.metrics, plan.Metric{Name: e.Key, Value: value})
	}
	slices.SortFunc(p.metrics, func(a, b plan.Metric) int { return strings.Compare(a.Name, b.Name) })
	if observe := v.Entry("observe"); observe != nil {
		o := observation(spec.Merge(c.root.Entry("observe"), observe))
		p.observe = &o
	}
	switch u.kind {
	case plan.Supervisor:
		p.supervisor = c.supervisor(u)
	case plan.Script:
		p.script = c.script(u)
	case plan.Consensus:
		p.consensus = c.consensus(u)
	case plan.Upstream:
		p.operations = c.operations(u)
	}
	c.checkActor(u, p)
	return p
}

// replica is one of a unit's actors. Its name stands in its path, so it takes no memory of its own.
func (c *compiler) replica(u *unit, n int, def *plan.Definition) plan.Actor {
	name := u.member(n)
	a := plan.Actor{Name: name, Path: name, Parent: -1, Definition: def}
	if u.parent != nil {
		a.Path, a.Parent = u.parent.path+"/"+name, u.parent.first
		a.Name = a.Path[len(a.Path)-len(name):]
	}
	if u.group {
		a.Group, a.Replica = u.path, n
	}
	return a
}

// define compiles what a unit's replica n is and does, and tells whether all replicas of the unit are and do the same.
func (c *compiler) define(u *unit, n int, p parts) (def *plan.Definition, shared bool) {
	v := u.value
	fill := vars{"name": u.member(n), "replica": strconv.Itoa(n)}
	c.filled = false
	def = &plan.Definition{
		Kind: u.kind, Place: u.pos().String(), Order: u.order,
		Labels: c.pairs(v.Entry("labels"), fill), Concurrency: c.concurrency(u),
		Restart: p.restart, Shutdown: c.shutdown(u),
		Metrics: p.metrics, Significant: v.At("significant").Bool(), Adopt: v.At("adopt").Bool(), Observe: p.observe,
		Mailbox: mailbox(v.At("mailbox")), Guard: p.guard,
		Ready: c.probe(v.Entry("ready"), fill), Health: c.probe(v.Entry("health"), fill),
		Persist: persistence(v.At("persist")),
	}
	if u.kind == plan.Supervisor { // takes no messages and holds no state
		def.Concurrency, def.Mailbox, def.Persist = 0, plan.Mailbox{}, plan.Persist{}
	}
	if u.group {
		def.Guard = nil
	}
	c.kind(def, u, p, fill)
	return def, !c.filled
}

// shutdown leaves a process its grace: without a kill time of its own, KILL is not due before grace is over.
func (c *compiler) shutdown(u *unit) plan.Shutdown {
	v := u.value.At("shutdown")
	s := plan.Shutdown{Drain: v.At("drain").Duration(), Kill: v.At("kill").Duration()}
	if u.kind != plan.Process {
		return s
	}
	grace := u.part().At("stop").At("grace").Duration()
	switch kill := v.Entry("kill"); {
	case kill == nil:
		s.Kill = max(s.Kill, grace+time.Second)
	case s.Kill < grace:
		c.warnf("LR237", kill.Pos, "kill %s comes before the process's grace of %s is over; raise kill, or lower stop.grace", s.Kill, grace)
	}
	return s
}

func (c *compiler) kind(a *plan.Definition, u *unit, p parts, fill vars) {
	part := u.part()
	switch u.kind {
	case plan.Supervisor:
		a.Supervisor = p.supervisor
	case plan.Process:
		a.Process = c.process(part, fill)
	case plan.Upstream:
		a.Upstream = &plan.UpstreamSpec{URL: c.url(part.Entry("url"), fill), Operations: p.operations}
	case plan.Script:
		a.Script = p.script
		if state := part.Entry("state"); u.group && state != nil {
			own := *p.script
			own.State = c.data(state, fill)
			a.Script = &own
		}
	case plan.Go:
		a.Go = &plan.GoSpec{Behaviour: part.Entry("behaviour").Text(), Config: c.data(part.Entry("config"), fill)}
	case plan.Consensus:
		a.Consensus = p.consensus
	}
}

// concurrency is 0, without bound, for what only waits for others.
func (c *compiler) concurrency(u *unit) int {
	if v := u.value.Entry("concurrency"); v != nil {
		return int(v.Int())
	}
	if u.kind == plan.Process || u.kind == plan.Upstream || u.kind == plan.Consensus {
		return 0
	}
	return 1
}

func (c *compiler) groupOf(u *unit, guard *plan.Guard) plan.Group {
	g := plan.Group{Name: u.name, Path: u.path, Guard: guard}
	for _, at := range u.at {
		g.Members = append(g.Members, c.plan.Actors[at].Path)
	}
	route := u.value.At("route")
	g.Route = plan.Route{Pick: route.At("pick").Text(), Key: c.program(route.Entry("key"), in(rules.AtKey))}
	if g.Route.Pick == "hash" && route.Entry("key") == nil {
		c.errorf("LR222", place(route.Entry("pick"), route), "hash needs a key; add key: msg.FIELD")
	}
	return g
}

// maker defines replicas of a unit that the topology does not have. Each call has what the compiler writes to for itself, so
// that any number may run at once.
func (c *compiler) maker(u *unit, p parts) func(int) (*plan.Definition, []string, error) {
	return func(n int) (*plan.Definition, []string, error) {
		own := &compiler{root: c.root, secrets: map[string]bool{}}
		def, _ := own.define(u, n, p)
		for _, d := range own.diags {
			if d.Severity == spec.Error {
				return nil, nil, d
			}
		}
		return def, slices.Sorted(maps.Keys(own.secrets)), nil
	}
}

func (c *compiler) supervisor(u *unit) *plan.SupervisorSpec {
	v := u.value
	intensity := v.At("intensity")
	s := &plan.SupervisorSpec{
		Strategy:     strategy(v.At("strategy").Text()),
		Intensity:    plan.Intensity{Max: int(intensity.At("max").Int()), Within: intensity.At("within").Duration()},
		AutoShutdown: v.At("auto_shutdown").Text(),
		OnFailure:    c.words(v.Entry("on_failure"), scope{site: site{place: rules.AtOnFailure, oneOf: "resume,restart,stop,escalate"}}),
	}
	if b := v.Entry("restart_breaker"); on(b) {
		s.RestartBreaker = c.breaker(b, edge{name: c.called(u) + "/restarts", callee: u})
	}
	return s
}

func strategy(name string) plan.Strategy {
	for s := plan.OneForOne; s <= plan.RestForOne; s++ {
		if s.String() == name {
			return s
		}
	}
	return plan.OneForOne
}

func (c *compiler) restart(v *spec.Value) plan.Restart {
	policies := map[string]plan.RestartPolicy{"always": plan.Always, "on_stop": plan.Always, "on_failure": plan.OnFailure, "never": plan.Never}
	backoff := v.At("backoff")
	out := plan.Restart{Policy: policies[v.At("policy").Text()], Backoff: c.backoff(backoff)}
	out.Backoff.ResetAfter = backoff.At("reset_after").Duration()
	return out
}

func mailbox(v *spec.Value) plan.Mailbox {
	return plan.Mailbox{
		Capacity: int(v.At("capacity").Int()), Overflow: v.At("overflow").Text(),
		OnRestart: v.At("on_restart").Text(), Attempts: int(v.At("attempts").Int()),
	}
}

// probe reads a readiness or health probe; nil when there is none.
func (c *compiler) probe(v *spec.Value, fill vars) *plan.Probe {
	if !on(v) {
		return nil
	}
	p := &plan.Probe{
		Line: c.text(v.Entry("line"), fill), HTTP: c.text(v.Entry("http"), fill), TCP: c.text(v.Entry("tcp"), fill),
		Exec: c.texts(v.Entry("exec"), fill), Message: v.Entry("message").Text(), Exit: v.Entry("exit").Bool(),
		Within: v.At("within").Duration(), Interval: v.At("interval").Duration(), Timeout: v.At("timeout").Duration(),
	}
	if v.Type.Field("fail") != nil {
		p.Fail, p.Pass, p.Then = int(v.At("fail").Int()), int(v.At("pass").Int()), v.At("then").Text()
	}
	return p
}

func observation(v *spec.Value) plan.Observe {
	return plan.Observe{
		Level: v.At("level").Text(), Interval: v.At("interval").Duration(), Window: v.At("window").Duration(),
		Retention: v.At("retention").Duration(), Sample: v.At("sample").Float(),
	}
}

func persistence(v *spec.Value) plan.Persist {
	return plan.Persist{Mode: v.At("mode").Text(), SnapshotEvery: int(v.At("snapshot").At("every").Int()), OnLoss: v.At("on_loss").Text()}
}
