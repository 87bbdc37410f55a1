package engine

import "github.com/lukhasai/lukhas-run/journal"

// chunk is how many structs a pool makes at once; keep is how many chunks a quiet pool holds on to.
const (
	chunk = 64
	keep  = 16
)

// pool hands out structs that are good until reset. Its chunks never move, so pointers into it stay true.
type pool[T any] struct {
	chunks [][]T
	used   int
}

// next gives a struct; its fields hold whatever the last user left, so the caller sets all of them.
func (p *pool[T]) next() *T {
	if p.used == len(p.chunks)*chunk {
		p.chunks = append(p.chunks, make([]T, chunk))
	}
	t := &p.chunks[p.used/chunk][p.used%chunk]
	p.used++
	return t
}

// reset takes everything back. A burst, such as the boot of a million actors, does not keep its memory.
func (p *pool[T]) reset() {
	p.used = 0
	if len(p.chunks) > keep {
		p.chunks = append([][]T(nil), p.chunks[:keep]...)
	}
}

// pools hold the effects and bodies of one Step. Those that are not on a failure's path are made as they come.
type pools struct {
	create pool[Create]
	start  pool[Start]
	stop   pool[Stop]
	resume pool[Continue]
	closes pool[Close]
	set    pool[SetTimer]
	cancel pool[CancelTimer]
	emit   pool[Emit]
	ended  pool[Ended]

	starting   pool[journal.ActorStarting]
	stopping   pool[journal.ActorStopping]
	restarting pool[journal.ActorRestarting]
}

func (p *pools) reset() {
	p.create.reset()
	p.start.reset()
	p.stop.reset()
	p.resume.reset()
	p.closes.reset()
	p.set.reset()
	p.cancel.reset()
	p.emit.reset()
	p.ended.reset()
	p.starting.reset()
	p.stopping.reset()
	p.restarting.reset()
}
