package kernel

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// member is a replica of which only the name is known.
type member struct{ name string }

func (m *member) Path() string { return "root/group/" + m.name }
func (m *member) Name() string { return m.name }
func (m *member) Stand() Stand { return Stand{} }
func (m *member) Load() int    { return 0 }
func (m *member) Seat() uint64 { return 0 }
func (m *member) Unfit() uint32 {
	return 0
}

// A group's members stand by their number, and what a reader has loaded never changes under it.
func TestMembersStandByNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewReplicas[*member](GroupBit, "root/group", 1)
		model := map[int]*member{}
		var loaded, copies [][]*member
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			number := rapid.IntRange(0, 12).Draw(t, "number")
			switch a := model[number]; {
			case a != nil:
				g.Part(a)
				delete(model, number)
			default:
				model[number] = &member{}
				g.Join(model[number], number)
			}
			now := g.Members()
			loaded, copies = append(loaded, now), append(copies, slices.Clone(now))
			var want []*member
			for n := range 13 {
				if a := model[n]; a != nil {
					want = append(want, a)
				}
			}
			if !slices.Equal(now, want) || len(g.numbers) != len(want) {
				t.Fatalf("members %v, want %v", now, want)
			}
		}
		for i := range loaded {
			if !slices.Equal(loaded[i], copies[i]) {
				t.Fatalf("what was loaded at step %d has changed", i)
			}
		}
	})
}
