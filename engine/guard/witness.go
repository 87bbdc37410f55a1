package guard

import (
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
)

// Witness is told how calls end, for the record. With a hedge it is used from several goroutines.
type Witness interface {
	// Ended is called once for each attempt, once for a call that a guard refused, and once more for one that a fallback
	// answered.
	Ended(e Ended)
}

// Ended is how an attempt, or a whole call, has ended.
type Ended struct {
	Guard   string        // its name
	Outcome string        // success, failure, ignored, rejected or fallback
	Class   string        // of a failure, the error's; of a rejected call, the layer that refused: rate_limit, bulkhead, adaptive, replica, deadline or breaker
	Attempt int           // from 1; of a rejected call, the one that was not made; 0 of a fallback's answer
	Hedge   int           // which of several at once, from 1; 0 without a hedge
	Replica string        // name; "" when no replica was picked
	Status  int           // of an HTTP answer; 0 is none
	Took    time.Duration // of the attempt; of the whole call when it was rejected or a fallback answered
}

// ended tells the witness how an attempt ended.
func (p *pass) ended(a *Attempt, took time.Duration, o breaker.Outcome) {
	if p.call.Witness == nil || a.told {
		return
	}
	a.told = true
	e := Ended{Guard: p.layers.spec.Name, Outcome: "failure", Attempt: a.N, Hedge: a.Hedge, Replica: a.Replica, Status: a.Status, Took: took}
	switch {
	case o == breaker.Success || o == breaker.Ignored:
		e.Outcome = string(o)
	case o != breaker.Failed:
		e.Class = string(o)
	}
	p.call.Witness.Ended(e)
}

// rejected tells the witness that a layer refused an attempt, and gives the refusal back.
func (p *pass) rejected(a *Attempt, layer string, err error) error {
	if p.call.Witness != nil {
		a.told = true
		p.call.Witness.Ended(Ended{Guard: p.layers.spec.Name, Outcome: "rejected", Class: layer, Attempt: a.N, Hedge: a.Hedge, Replica: a.Replica,
			Took: p.env.Now() - p.began})
	}
	return err
}

// fellBack tells the witness that a fallback answered.
func (p *pass) fellBack() {
	if p.call.Witness != nil {
		p.call.Witness.Ended(Ended{Guard: p.layers.spec.Name, Outcome: "fallback", Took: p.env.Now() - p.began})
	}
}
