package consensus

import (
	"fmt"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// tolerance forgives the rounding of weights: 60% of three equal members is two, whatever floats say.
const tolerance = 1e-9

// ballot counts answers. It is pure; members are numbered as in the definition.
type ballot struct {
	spec    *plan.ConsensusSpec
	weights []float64
	side    []int   // of each member: index in groups, or one of the constants below
	groups  []group // in the order their first answers came
	answers int
	weight  float64 // of all answers
	open    int     // members that neither answered nor failed
	toCome  float64 // their weight
	lastErr error
}

const (
	waiting = -1
	silent  = -2
)

// group is the members that gave equal answers.
type group struct {
	key    string
	value  any // of its first member in the definition's order
	first  int
	count  int
	weight float64
}

func newBallot(spec *plan.ConsensusSpec) *ballot {
	b := &ballot{spec: spec, open: len(spec.Members)}
	for _, name := range spec.Members {
		w := weightOf(spec, name)
		b.weights, b.side = append(b.weights, w), append(b.side, waiting)
		b.toCome += w
	}
	return b
}

func weightOf(spec *plan.ConsensusSpec, member string) float64 {
	for _, w := range spec.Weights {
		if w.Member == member {
			return w.Value
		}
	}
	return 1
}

func (b *ballot) leave(member int) {
	b.open--
	b.toCome -= b.weights[member]
}

// silence counts a member that gave no answer that can be compared.
func (b *ballot) silence(member int, err error) {
	b.leave(member)
	b.side[member], b.lastErr = silent, err
}

// add counts a member's answer under its normalised text.
func (b *ballot) add(member int, key string, value any) {
	b.leave(member)
	b.answers++
	b.weight += b.weights[member]
	for i := range b.groups {
		g := &b.groups[i]
		if g.key != key {
			continue
		}
		b.side[member] = i
		g.count++
		g.weight += b.weights[member]
		if member < g.first {
			g.first, g.value = member, value
		}
		return
	}
	b.side[member] = len(b.groups)
	b.groups = append(b.groups, group{key: key, value: value, first: member, count: 1, weight: b.weights[member]})
}

// best is the heaviest group and the weight of the next; nil when no answer came.
func (b *ballot) best() (*group, float64) {
	var best *group
	next := 0.0
	for i := range b.groups {
		g := &b.groups[i]
		switch {
		case best == nil:
			best = g
		case g.weight > best.weight:
			best, next = g, best.weight
		default:
			next = max(next, g.weight)
		}
	}
	return best, next
}

// winner is the group that the members agree on, nil without one.
func (b *ballot) winner() *group {
	best, next := b.best()
	if best == nil || b.answers < b.spec.Quorum || best.count <= b.spec.Liars || best.weight-next <= tolerance {
		return nil
	}
	if best.weight+tolerance < b.spec.Agreement*b.weight {
		return nil
	}
	return best
}

// settled tells whether no answer to come can change the outcome: neither whether there is a winner nor which one.
func (b *ballot) settled() bool {
	if b.open == 0 {
		return true
	}
	if b.answers+b.open < b.spec.Quorum {
		return true
	}
	best, next := b.best()
	if b.winner() != nil && best.weight-next-b.toCome > tolerance && best.weight+tolerance >= b.spec.Agreement*(b.weight+b.toCome) {
		return true
	}
	return !b.possible()
}

// possible tells whether some group, one of those to come too, could still win if all that is to come joined it.
func (b *ballot) possible() bool {
	if b.reaches(group{}, 0) {
		return true
	}
	for i := range b.groups {
		rival := 0.0
		for j := range b.groups {
			if j != i {
				rival = max(rival, b.groups[j].weight)
			}
		}
		if b.reaches(b.groups[i], rival) {
			return true
		}
	}
	return false
}

func (b *ballot) reaches(g group, rival float64) bool {
	weight := g.weight + b.toCome
	if g.count == 0 {
		best, _ := b.best()
		if best != nil {
			rival = best.weight
		}
	}
	return g.count+b.open > b.spec.Liars && weight-rival > tolerance && weight+tolerance >= b.spec.Agreement*(b.weight+b.toCome)
}

// sides are the members' paths by what they did, in the definition's order. It is for when there is a winner.
func (b *ballot) sides() (agreed, dissenters, quiet []string) {
	won := b.winner()
	for i, name := range b.spec.Members {
		switch {
		case b.side[i] < 0:
			quiet = append(quiet, name)
		case won != nil && b.groups[b.side[i]].key == won.key:
			agreed = append(agreed, name)
		default:
			dissenters = append(dissenters, name)
		}
	}
	return agreed, dissenters, quiet
}

// disagreement says why there is no winner.
func (b *ballot) disagreement() string {
	if b.answers < b.spec.Quorum {
		text := fmt.Sprintf("%d of %d members answered, %d are needed", b.answers, len(b.spec.Members), b.spec.Quorum)
		if b.lastErr != nil {
			text += ": " + b.lastErr.Error()
		}
		return text
	}
	best, _ := b.best()
	if best == nil {
		return "no member answered"
	}
	return fmt.Sprintf("the largest of %d groups has %d of %d answers and %.0f%% of their weight, %.0f%% are needed",
		len(b.groups), best.count, b.answers, 100*best.weight/b.weight, 100*b.spec.Agreement)
}
