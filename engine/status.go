package engine

// state is what an actor is seen as: starting, running, stopping, restarting (waits for its next incarnation), stopped,
// failed (ended by a failure and not started again), and, while running, paused or quarantined.
func (a *actor) state() string {
	switch {
	case a.life == idle && a.failed:
		return "failed"
	case a.life == stopping && a.after == revive:
		return "restarting"
	case a.life == running && a.paused:
		return "paused"
	case a.life == running && a.fenced:
		return "quarantined"
	default:
		return a.life.String()
	}
}
