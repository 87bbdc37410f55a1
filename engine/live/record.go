package live

import (
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// Recorder takes the events of a run, in order.
type Recorder = kernel.Recorder

// deadLetter notes that a message was not handled. The asker, if there is one, gets answer.
func (a *actor) deadLetter(reason string, env *envelope, answer error) {
	if answer != nil {
		env.reply().settle(nil, answer)
	}
	a.counts().refused.Add(1)
	meta := env.meta()
	a.eng.letters.Add(a.Path(), reason, env.msg.Type, &meta)
}
