package guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// clock is the machine's.
type clock struct{ start time.Time }

func (c clock) Now() time.Duration { return time.Since(c.start) }
func (c clock) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

// A breaker and a timeout around a function.
func ExamplePipeline_Do() {
	payments, err := guard.NewPipeline(plan.Guard{
		Name:    "payments",
		Timeout: time.Second,
		Breaker: &plan.Breaker{Policy: breaker.Policy{
			Trip: breaker.Trip{ConsecutiveFailures: 2},
			Open: breaker.OpenPolicy{For: 30 * time.Second},
		}},
	}, clock{time.Now()}, guard.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		err := payments.Do(context.Background(), func(context.Context) error { return errors.New("the card was eaten") })
		wait, refused := guard.Refused(err)
		fmt.Println(err, refused, wait.Round(time.Second))
	}
	// Output:
	// the card was eaten false 0s
	// the card was eaten false 0s
	// refused by payments: breaker open, next probe in 30s true 30s
}

// A client that tries again where that is safe, before a server that sheds what is beyond its limit.
func Example_http() {
	limited, _ := guard.NewPipeline(plan.Guard{Rate: &plan.RateLimit{PerSecond: 10, Burst: 1}}, clock{time.Now()}, guard.Options{})
	server := httptest.NewServer(guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	}), limited))
	defer server.Close()
	patient, _ := guard.NewPipeline(plan.Guard{
		Retry: &plan.Retry{Attempts: 5, Backoff: plan.Backoff{Initial: 60 * time.Millisecond, Factor: 2, Max: time.Second}},
	}, clock{time.Now()}, guard.Options{})
	client := &http.Client{Transport: guard.Transport(nil, patient)}
	for range 2 {
		resp, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, string(body))
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	// Output:
	// 200 hello
	// 200 hello
}
