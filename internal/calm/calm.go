// Package calm is how tests wait for what processes, sockets and goroutines do. A machine that is loaded or slow is late, and
// late is not wrong: what must happen is waited for as long as Long, and a length of time that a test is about may be tried again
// with a longer one. Only tests import it.
package calm

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Long is how long a test waits for what must happen. Only what never happens takes so long.
const Long = time.Minute

// Seed is the variable of the environment that has properties draw anew: a change must not fail by what chance draws, so the usual
// run draws what it drew before. The flag -rapid.seed comes before both.
const Seed = "CALM_SEED"

// usualSeed is what properties draw from in every usual run.
const usualSeed = "20240229"

// settle sets the seed of properties, where the tests have some and no seed is given.
func settle(flags *flag.FlagSet, seed string) error {
	f := flags.Lookup("rapid.seed")
	if f == nil || f.Value.String() != "0" {
		return nil
	}
	if seed == "" {
		seed = usualSeed
	}
	if err := f.Value.Set(seed); err != nil {
		return fmt.Errorf("%s=%q: %w", Seed, seed, err)
	}
	return nil
}

// pace is how often a condition is looked at.
const pace = 2 * time.Millisecond

// Main runs a package's tests, with properties that draw the same in each run, and fails when one has left a goroutine that does
// not end. Connections that were closed need a moment to notice.
func Main(m *testing.M) {
	flag.Parse()
	if err := settle(flag.CommandLine, os.Getenv(Seed)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := m.Run()
	if code == 0 {
		if err := ended(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// Ended fails a test that leaves a goroutine which does not end.
func Ended(t testing.TB) {
	t.Helper()
	if err := ended(); err != nil {
		t.Error(err)
	}
}

func ended() error {
	return waiting(context.Background(), func() error { return goleak.Find() })
}

// Until waits for a condition and ends the test when it does not come true.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	err := waiting(t.Context(), func() error {
		if !ok() {
			return fmt.Errorf("waited in vain for %s", what)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Await gives what a channel does, a zero once it is closed, and ends the test when nothing comes.
func Await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Long)
	defer cancel()
	var v T
	select {
	case v = <-c:
	case <-ctx.Done():
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// Slower tries something that is about a length of time, which it waits for here and races against there. Who loses the race tries
// again with four times as much, four times at most; the last error ends the test.
func Slower(t testing.TB, length time.Duration, try func(length time.Duration) error) {
	t.Helper()
	var err error
	for range 5 {
		if err = try(length); err == nil {
			return
		}
		t.Logf("with %s: %v", length, err)
		length *= 4
	}
	t.Fatal(err)
}

// waiting calls ok again and again until it gives no error, and gives the last one after Long.
func waiting(ctx context.Context, ok func() error) error {
	ctx, cancel := context.WithTimeout(ctx, Long)
	defer cancel()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
