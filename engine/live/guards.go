package live

// placeGuards lets senders find the guards in force. It is called under the control lock or before the start.
func (e *Engine) placeGuards() {
	e.each(func(a *actor) bool { a.protectBy(e.guards.Of(a.Path())); return true })
	e.roster.groups.Place(&e.guards)
}
