package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// The model below says in the plainest way what Erlang/OTP's supervisor does, one failure at a time: when a restart is
// under way nothing else happens. It shares no code and no shape with the Machine: it is recursive and synchronous.
type (
	otpNode struct {
		def      *plan.Actor
		parent   *otpNode
		children []*otpNode
		alive    bool
		removed  bool // a temporary child that ended: its specification is gone
		ended    bool // a transient child that ended normally
		restarts []time.Duration
		failing  int // so many of its next starts fail
	}
	otpModel struct {
		root  *otpNode
		nodes []*otpNode
		now   time.Duration
		log   []string
		over  bool
		code  int
		why   int // the exit code, were the last supervisor that left while starting its children the root
	}
)

func newOTP(p *plan.Plan) *otpModel {
	m := &otpModel{}
	for i := range p.Actors {
		n := &otpNode{def: &p.Actors[i]}
		if n.def.Parent >= 0 {
			n.parent = m.nodes[n.def.Parent]
			n.parent.children = append(n.parent.children, n)
		}
		m.nodes = append(m.nodes, n)
	}
	m.root = m.nodes[0]
	return m
}

// start is supervisor:init or a worker's start; false when it failed.
func (m *otpModel) start(n *otpNode) bool {
	if n.def.Supervisor == nil {
		m.log = append(m.log, "start "+n.def.Path)
		if n.failing > 0 {
			n.failing--
			return false
		}
		n.alive = true
		return true
	}
	n.alive, n.restarts = true, nil
	for _, c := range n.children {
		c.alive, c.removed, c.ended = false, false, false
	}
	return m.startAll(n)
}

// startAll starts the children that are not there, in order. False when the supervisor left over it.
func (m *otpModel) startAll(p *otpNode) bool {
	for i := 0; i < len(p.children); i++ {
		c := p.children[i]
		if c.alive || c.removed || c.ended || m.start(c) {
			continue
		}
		if c.def.Restart.Policy == plan.Never {
			c.removed = true
			if m.significant(p, c) {
				m.why = 0
				m.leave(p)
				return false
			}
			continue
		}
		if !m.mayRestart(p) {
			m.why = 70
			m.leave(p)
			return false
		}
		if p.def.Supervisor.Strategy == plan.AllForOne {
			m.terminate(p, 0, true)
			i = -1
		} else {
			i--
		}
	}
	return true
}

// mayRestart is add_restart.
func (m *otpModel) mayRestart(p *otpNode) bool {
	limit := p.def.Supervisor.Intensity
	p.restarts = append(p.restarts, m.now)
	p.restarts = slices.DeleteFunc(p.restarts, func(t time.Duration) bool { return t < m.now-limit.Within })
	return len(p.restarts) <= limit.Max
}

// terminate stops the children from a place on, last first; for a group's restart temporary ones are dropped and ended
// ones forgotten to have ended.
func (m *otpModel) terminate(p *otpNode, from int, toRestart bool) {
	for i := len(p.children) - 1; i >= from; i-- {
		c := p.children[i]
		was := c.alive
		m.stop(c)
		if toRestart {
			c.ended = false
			c.removed = c.removed || was && c.def.Restart.Policy == plan.Never
		}
	}
}

func (m *otpModel) stop(n *otpNode) {
	if !n.alive {
		return
	}
	m.terminate(n, 0, false)
	n.alive = false
	if n.def.Supervisor == nil {
		m.log = append(m.log, "stop "+n.def.Path)
	}
}

func (m *otpModel) leave(p *otpNode) { m.stop(p) }

// significant tells whether a child's end ends its supervisor.
func (m *otpModel) significant(p, c *otpNode) bool {
	if !c.def.Significant {
		return false
	}
	switch p.def.Supervisor.AutoShutdown {
	case "any":
		return true
	case "all":
		return !slices.ContainsFunc(p.children, func(c *otpNode) bool { return c.def.Significant && !c.removed && !c.ended })
	}
	return false
}

// exit is the end of a child: a crash, or a normal end.
func (m *otpModel) exit(n *otpNode, crashed bool) {
	p := n.parent
	n.alive = false
	policy := n.def.Restart.Policy
	if policy == plan.Never || policy == plan.OnFailure && !crashed {
		n.removed, n.ended = policy == plan.Never, policy == plan.OnFailure
		if m.significant(p, n) {
			m.leave(p)
			m.left(p, 0)
		}
		return
	}
	if !m.mayRestart(p) {
		m.leave(p)
		m.left(p, 70)
		return
	}
	at := slices.Index(p.children, n)
	switch p.def.Supervisor.Strategy {
	case plan.AllForOne:
		at = 0
	case plan.OneForOne:
		for !m.start(n) {
			if !m.mayRestart(p) {
				m.leave(p)
				m.left(p, 70)
				return
			}
		}
		return
	}
	m.terminate(p, at, true)
	if !m.startAll(p) {
		m.left(p, m.why)
	}
}

// left is what a supervisor's leaving (a shutdown: a normal end) does to its parent.
func (m *otpModel) left(p *otpNode, code int) {
	if p.parent == nil {
		m.over, m.code = true, code
		return
	}
	m.exit(p, false)
}

// drawTree makes a random supervision tree of at most three levels. A shared one has siblings that start together, as
// replicas do, and backoffs.
func drawTree(t *rapid.T, shared bool) *plan.Plan {
	p := &plan.Plan{}
	var grow func(parent, depth int, name string)
	grow = func(parent, depth int, name string) {
		a := plan.Actor{Name: name, Path: name, Parent: parent, Definition: &plan.Definition{Kind: plan.Script, Script: &plan.ScriptSpec{}}}
		a.Restart.Policy = rapid.SampledFrom([]plan.RestartPolicy{plan.Always, plan.Always, plan.OnFailure, plan.Never}).Draw(t, "policy")
		if parent >= 0 {
			up := &p.Actors[parent]
			a.Path = up.Path + "/" + name
			a.Order = len(up.Supervisor.Children)
			if n := len(up.Supervisor.Children); shared && n > 0 && rapid.Bool().Draw(t, "together") {
				a.Order = p.Actors[up.Supervisor.Children[n-1]].Order
			}
			up.Supervisor.Children = append(up.Supervisor.Children, len(p.Actors))
			a.Significant = up.Supervisor.AutoShutdown != "never" && a.Restart.Policy != plan.Always && rapid.Bool().Draw(t, "significant")
		}
		if shared {
			a.Restart.Backoff.Initial = rapid.SampledFrom([]time.Duration{0, 10, 1000}).Draw(t, "backoff") * time.Millisecond
			a.Restart.Backoff.Factor = 2
		}
		index := len(p.Actors)
		children := 0
		if depth == 0 || depth < 3 && rapid.IntRange(0, 2).Draw(t, "supervisor") == 0 {
			children = rapid.IntRange(1, 4).Draw(t, "children")
			a.Kind, a.Script = plan.Supervisor, nil
			a.Supervisor = &plan.SupervisorSpec{
				Strategy:     rapid.SampledFrom([]plan.Strategy{plan.OneForOne, plan.AllForOne, plan.RestForOne}).Draw(t, "strategy"),
				AutoShutdown: rapid.SampledFrom([]string{"never", "never", "any", "all"}).Draw(t, "auto"),
				Intensity: plan.Intensity{
					Max:    rapid.SampledFrom([]int{0, 1, 2, 3, 30}).Draw(t, "max"),
					Within: time.Duration(rapid.IntRange(1, 5).Draw(t, "within")) * time.Second,
				},
			}
		}
		if depth == 0 {
			a.Supervisor.Intensity.Max = 100 // or most runs would be short
		}
		p.Actors = append(p.Actors, a)
		for i := range children {
			grow(index, depth+1, fmt.Sprintf("c%d", i))
		}
	}
	grow(-1, 0, "root")
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

// quiet is a runtime that answers at once, so that the Machine settles between failures as OTP's supervisors do.
type quiet struct {
	t      *rapid.T
	m      *Machine
	otp    *otpModel
	now    time.Duration
	log    []string
	epochs map[ID]Epoch
	fails  map[ID]int
	over   bool
	code   int
}

func (q *quiet) step(in Input) {
	queue := []Input{in}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		for _, e := range q.m.Step(q.now, next, nil) {
			switch e := e.(type) {
			case *Start:
				q.log = append(q.log, "start "+q.otp.nodes[e.ID-1].def.Path)
				q.epochs[e.ID] = e.Epoch
				if q.fails[e.ID] > 0 {
					q.fails[e.ID]--
					queue = append(queue, Exited{ID: e.ID, Epoch: e.Epoch, Failure: &Failure{Kind: KindStart, Starting: true}})
					continue
				}
				queue = append(queue, Started{ID: e.ID, Epoch: e.Epoch})
			case *Stop:
				q.log = append(q.log, "stop "+q.otp.nodes[e.ID-1].def.Path)
				queue = append(queue, Stopped{ID: e.ID, Epoch: e.Epoch})
			case *Ended:
				q.over, q.code = true, e.Code
			}
		}
	}
}

func (q *quiet) compare(what string) {
	if !slices.Equal(q.log, q.otp.log) {
		q.t.Fatalf("%s:\nmachine: %s\notp:     %s", what, strings.Join(q.log, ", "), strings.Join(q.otp.log, ", "))
	}
	if q.over != q.otp.over || q.code != q.otp.code {
		q.t.Fatalf("%s: machine ended %v %d, otp %v %d", what, q.over, q.code, q.otp.over, q.otp.code)
	}
	for i, s := range q.m.Status().Actors {
		n := q.otp.nodes[i]
		if alive := s.State == "running"; !q.over && alive != n.alive {
			q.t.Fatalf("%s: %s is %s, in otp alive is %v", what, s.Path, s.State, n.alive)
		}
	}
	q.log, q.otp.log = nil, nil
}

// drawWorker draws a living worker; nil when there is none.
func drawWorker(t *rapid.T, m *otpModel) *otpNode {
	alive := slices.DeleteFunc(slices.Clone(m.nodes), func(n *otpNode) bool { return n.def.Supervisor != nil || !n.alive })
	if len(alive) == 0 {
		return nil
	}
	return rapid.SampledFrom(alive).Draw(t, "who")
}

// A Machine that is left in peace between failures starts and stops whom OTP's supervisors would, in the same order, and
// gives up at the same failure.
func TestSupervisesAsOTP(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawTree(t, false)
		otp := newOTP(p)
		q := &quiet{t: t, m: NewMachine(), otp: otp, epochs: map[ID]Epoch{}, fails: map[ID]int{}}
		q.step(Boot{Plan: p, Seed: 1})
		if !otp.start(otp.root) {
			otp.left(otp.root, otp.why)
		}
		q.compare("boot")
		for i := 0; i < 30 && !q.over; i++ {
			q.now += time.Duration(rapid.SampledFrom([]int{0, 0, 1, 500, 1000, 2000}).Draw(t, "pause")) * time.Millisecond
			otp.now = q.now
			n := drawWorker(t, otp)
			if n == nil {
				return
			}
			fails := rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "fails")
			id := ID(slices.Index(otp.nodes, n) + 1)
			n.failing, q.fails[id] = fails, fails
			in := Exited{ID: id, Epoch: q.epochs[id]}
			crashed := rapid.IntRange(0, 3).Draw(t, "normal") > 0
			if crashed {
				in.Failure = &Failure{Kind: KindExit}
			}
			q.step(in)
			otp.exit(n, crashed)
			q.compare(fmt.Sprintf("%s ended, crashed %v, then %d starts fail, at %s", n.def.Path, crashed, fails, q.now))
			n.failing, q.fails[id] = 0, 0
		}
	})
}
