package lanes

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTicksAreRoundAndFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := time.Duration(rapid.Int64Range(1, int64(10000*time.Hour)).Draw(t, "end"))
		all := ticks(end)
		if len(all) > maxTicks || all[0] != 0 || all[len(all)-1] > end {
			t.Fatalf("%v for %s", all, end)
		}
		if len(all) < 4 && end >= 10*time.Microsecond {
			t.Fatalf("too few: %v for %s", all, end)
		}
	})
	for end, want := range map[time.Duration]time.Duration{
		3 * time.Minute: 15 * time.Second, 20 * time.Second: 2 * time.Second, time.Second: 100 * time.Millisecond, 5 * time.Minute: 30 * time.Second,
		24 * time.Hour: 2 * time.Hour, 100 * time.Hour: 12 * time.Hour, 400 * time.Hour: 48 * time.Hour,
	} {
		if got := stepFor(end); got != want {
			t.Errorf("%s: every %s, not %s", end, got, want)
		}
	}
}

func TestTimesAsPeopleWriteThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 90 * time.Second: "1m30s", 64669 * time.Millisecond: "1m4.669s", 2 * time.Hour: "2h", 250 * time.Millisecond: "250ms", 1500 * time.Microsecond: "1.5ms",
		50 * time.Hour: "2d2h", 7 * time.Microsecond: "7µs", 1050 * time.Millisecond: "1.05s",
	} {
		if got := short(d); got != want {
			t.Errorf("%d: %s, not %s", d, got, want)
		}
	}
}
