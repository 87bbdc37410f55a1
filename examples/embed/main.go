// Command embed hosts an actor written in Go: the topology supervises and guards it, the program only says what it does.
//
//	go run ./examples/embed
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// ledger adds amounts up. Its state is its own: it handles one message at a time, and a new value starts from zero.
type ledger struct {
	currency string
	total    float64
}

// newLedger makes one incarnation from `config:`.
func newLedger(a *plan.Actor, _ *plan.Plan) (engine.Behavior, error) {
	config, _ := a.Go.Config.(map[string]any)
	currency, _ := config["currency"].(string)
	return &ledger{currency: currency}, nil
}

// Handle answers, or fails: a panic or an error is the supervisor's matter.
func (l *ledger) Handle(ctx engine.Context, m engine.Msg) error {
	amount, ok := m.Payload.(float64)
	if !ok {
		return fmt.Errorf("%s takes a number, got %T", m.Type, m.Payload)
	}
	l.total += amount
	ctx.Reply(fmt.Sprintf("%.2f %s", l.total, l.currency))
	return nil
}

func main() {
	h, err := host.Start(context.Background(), host.Options{
		Source:     host.Source{Paths: []string{"examples/embed/topology.yaml"}},
		Data:       os.TempDir() + "/lukhas-embed",
		Behaviours: map[string]engine.Factory{"ledger": newLedger},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, payload := range []any{12.5, "oops", 7.5} {
		reply, err := h.Ask(context.Background(), admin.AskRequest{Actor: "ledger", Message: "add", Payload: payload})
		fmt.Println(payload, "->", reply, err)
	}
	h.Stop("the example is over")
	<-h.Done()
}
