package calm

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// Properties draw the same in each run, unless they are told a seed.
func TestTheSeedIsSettled(t *testing.T) {
	for _, c := range []struct{ told, variable, want string }{{"0", "", usualSeed}, {"0", "7", "7"}, {"5", "7", "5"}, {"0", "x", ""}} {
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		got := flags.Uint64("rapid.seed", 0, "")
		if err := flags.Parse([]string{"-rapid.seed=" + c.told}); err != nil {
			t.Fatal(err)
		}
		if err := settle(flags, c.variable); (err != nil) != (c.want == "") || err == nil && fmt.Sprint(*got) != c.want {
			t.Errorf("%+v: %d, %v", c, *got, err)
		}
	}
	if err := settle(flag.NewFlagSet("none", flag.ContinueOnError), "x"); err != nil {
		t.Errorf("no property is there: %v", err)
	}
}

func TestWhatComesLateIsWaitedFor(t *testing.T) {
	tries := 0
	Until(t, "the fifth look", func() bool { tries++; return tries == 5 })
	c := make(chan int)
	go func() { c <- tries }()
	if got := Await(t, "a value", c); got != 5 {
		t.Errorf("looked %d times", got)
	}
}

func TestALengthGrowsUntilItIsEnough(t *testing.T) {
	var tried []time.Duration
	Slower(t, time.Second, func(length time.Duration) error {
		if tried = append(tried, length); length < 10*time.Second {
			return errors.New("too short")
		}
		return nil
	})
	if len(tried) != 3 || tried[1] != 4*time.Second || tried[2] != 16*time.Second {
		t.Errorf("tried %v", tried)
	}
}

// No two callers have one address, and each can be listened on.
func TestAnAddressIsOnesOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 500 {
		address := Address(t)
		if seen[address] {
			t.Fatalf("%s is given twice", address)
		}
		seen[address] = true
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}
