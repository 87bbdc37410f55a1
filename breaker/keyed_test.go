package breaker

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestKeyedDecidesAsBreakers gives the same calls to a Keyed and to a breaker for each key.
func TestKeyedDecidesAsBreakers(t *testing.T) {
	type held struct {
		key        string
		one, keyed Permit
	}
	rapid.Check(t, func(t *rapid.T) {
		policy := drawPolicy(t, nil)
		if policy.Window.Calls > 0 {
			policy.Window = Window{Span: 20 * time.Millisecond, Buckets: 4}
		}
		policy.Open.Jitter = 0 // each key draws its own
		now := int64(0)
		k, err := NewKeyed(policy, KeyedLimits{MaxKeys: 8}, 3, now, nil)
		if err != nil {
			t.Fatal(err)
		}
		single := map[string]*Breaker{}
		of := func(key string) *Breaker {
			if single[key] == nil {
				single[key], err = New(policy, 3, now)
				if err != nil {
					t.Fatal(err)
				}
			}
			return single[key]
		}
		var out []held
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			key := rapid.SampledFrom([]string{"a", "b", "a-longer-tenant"}).Draw(t, "key")
			now += int64(rapid.IntRange(0, 8).Draw(t, "ms")) * int64(time.Millisecond)
			switch step := rapid.IntRange(0, 9).Draw(t, "step"); {
			case step < 5:
				p, v := of(key).Allow(now)
				q, w := k.Allow(now, key)
				if v != w {
					t.Fatalf("%s: breaker %+v, keyed %+v", key, v, w)
				}
				if v.Admitted {
					out = append(out, held{key, p, q})
				}
			case step < 9 && len(out) > 0:
				at := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				h := out[at]
				out = append(out[:at], out[at+1:]...)
				o := rapid.SampledFrom([]Outcome{Success, Failed, Failed, Ignored}).Draw(t, "outcome")
				of(h.key).Done(now, h.one, o)
				k.Done(now, h.key, h.keyed, o)
			case step == 9:
				mode := Mode(rapid.IntRange(0, int(Shadow)).Draw(t, "mode"))
				of(key).Force(now, mode)
				k.Force(now, key, mode)
			}
			got, known := k.Snapshot(now, key)
			if !known {
				continue
			}
			want := of(key).Snapshot(now)
			got.Generation, want.Generation = 0, 0
			if describeSnapshot(got) != describeSnapshot(want) {
				t.Fatalf("%s:\nkeyed   %s\nbreaker %s", key, describeSnapshot(got), describeSnapshot(want))
			}
		}
	})
}

func keyedForTest(t testing.TB, limits KeyedLimits, listener func(string, Transition)) *Keyed {
	t.Helper()
	k, err := NewKeyed(Policy{Trip: Trip{ConsecutiveFailures: 1}, Open: OpenPolicy{For: time.Second}}, limits, 1, 0, listener)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func trip(k *Keyed, now int64, key string) {
	p, _ := k.Allow(now, key)
	k.Done(now, key, p, Failed)
}

func TestKeyedForgetsIdleKeysButNotOpenOnes(t *testing.T) {
	k := keyedForTest(t, KeyedLimits{MaxKeys: 100, Idle: 10 * time.Second}, nil)
	for i := range 20 {
		k.Allow(0, fmt.Sprint("idle-", i))
	}
	trip(k, 0, "broken")
	k.Force(0, "held", ForcedOpen)
	k.Tick(int64(9 * time.Second))
	if n := k.Len(); n != 22 {
		t.Errorf("after 9s %d keys are remembered, want all 22", n)
	}
	k.Tick(int64(11 * time.Second))
	if n := k.Len(); n != 1 {
		t.Errorf("after 11s %d keys are remembered, want only the forced one", n)
	}
	if s, ok := k.Snapshot(int64(11*time.Second), "held"); !ok || s.Mode != ForcedOpen {
		t.Errorf("the forced key is %+v, %v", s, ok)
	}
}

func TestKeyedRemembersAnOpenKeyUntilItMayProbe(t *testing.T) {
	k, err := NewKeyed(Policy{Trip: Trip{ConsecutiveFailures: 1}, Open: OpenPolicy{For: time.Minute}},
		KeyedLimits{MaxKeys: 10, Idle: 10 * time.Second}, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	trip(k, 0, "broken")
	k.Tick(int64(59 * time.Second))
	if _, v := k.Allow(int64(59*time.Second), "broken"); v.Admitted {
		t.Error("an open key was forgotten before its open time was over")
	}
	k.Tick(int64(80 * time.Second))
	if n := k.Len(); n != 0 {
		t.Errorf("%d keys are remembered long after, want none", n)
	}
}

func TestKeyedGivesUpTheOldestClosedKeyAtItsLimit(t *testing.T) {
	k := keyedForTest(t, KeyedLimits{MaxKeys: 4}, nil)
	trip(k, 0, "broken")
	for i := range 50 {
		k.Allow(int64(i)*int64(time.Second)/100, fmt.Sprint("key-", i))
		if n := k.Len(); n > 4 {
			t.Fatalf("%d keys are remembered, want at most 4", n)
		}
	}
	if s, ok := k.Snapshot(int64(time.Second)/2, "broken"); !ok || s.State != Open {
		t.Errorf("the open key was given up for closed ones: %+v %v", s, ok)
	}
}

func TestKeyedIgnoresAPermitFromBeforeItForgot(t *testing.T) {
	k := keyedForTest(t, KeyedLimits{MaxKeys: 1}, nil)
	p, _ := k.Allow(0, "a")
	k.Allow(0, "b") // takes the only cell
	k.Done(0, "a", p, Failed)
	if _, v := k.Allow(0, "a"); !v.Admitted {
		t.Error("an outcome from before the key was forgotten opened its new breaker")
	}
}

func TestKeyedTellsTheKey(t *testing.T) {
	var told []string
	k := keyedForTest(t, KeyedLimits{MaxKeys: 10}, func(key string, tr Transition) {
		told = append(told, key+" "+tr.To.String()+" "+tr.Trigger)
	})
	trip(k, 0, "x")
	k.Allow(int64(2*time.Second), "x")
	if got := fmt.Sprint(told); got != "[x open consecutive_failures x half_open open_elapsed]" {
		t.Errorf("told %s", got)
	}
}

// scratch is a trigger that needs a place of its own to compute in, as an expression does.
type scratch struct{ place *int }

func (s scratch) Trip(st Stats) (bool, string) {
	*s.place = st.Failures
	return *s.place >= 2, "two failures"
}

func (s scratch) Fresh(Trigger) Trigger { return scratch{place: new(int)} }

func TestKeyedRunsTriggersButNotThoseThatNeedDetails(t *testing.T) {
	p := Policy{Window: Window{Span: time.Second}, Trip: Trip{Triggers: []Trigger{scratch{}}}}
	k, err := NewKeyed(p, KeyedLimits{MaxKeys: 10}, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "a"} {
		trip(k, 0, key)
	}
	a, _ := k.Snapshot(0, "a")
	b, _ := k.Snapshot(0, "b")
	if a.State != Open || b.State != Closed {
		t.Errorf("a with two failures is %v, b with one is %v", a.State, b.State)
	}
	for _, trigger := range []Trigger{&watch{needs: Needs{Latency: true}}, &watch{needs: Needs{InFlight: true}}, &remembering{samples: new(int)}} {
		p.Trip.Triggers = []Trigger{trigger}
		if _, err := NewKeyed(p, KeyedLimits{MaxKeys: 10}, 1, 0, nil); !errors.Is(err, ErrPolicy) {
			t.Errorf("a trigger that needs details is answered %v", err)
		}
	}
}

func TestKeyedReloadKeepsStatesAndCounts(t *testing.T) {
	p := Policy{Window: Window{Span: time.Second}, MinCalls: 4, Trip: Trip{ErrorRate: 0.9}, Open: OpenPolicy{For: time.Second}}
	k, err := NewKeyed(p, KeyedLimits{MaxKeys: 5000}, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		for j := range 4 {
			key := fmt.Sprint(i)
			permit, _ := k.Allow(0, key)
			k.Done(0, key, permit, map[bool]Outcome{true: Failed, false: Success}[j < i%5])
		}
	}
	p.Trip.ErrorRate, p.Window.Buckets = 0.5, 8
	if err := k.SetPolicy(0, p); err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		s, ok := k.Snapshot(0, fmt.Sprint(i))
		want := map[bool]State{true: Open, false: Closed}[i%5 >= 2]
		if !ok || s.State != want || s.Failures != i%5 || s.Calls != 4 {
			t.Fatalf("key %d with %d failures of 4: %v, %s", i, i%5, ok, describeSnapshot(s))
		}
	}
}

// TestArenaFindsWhatItHolds compares the open-addressing table with a map over random insertions and removals.
func TestArenaFindsWhatItHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a arena
		a.start(64, 0)
		known := map[uint64]int{}
		for _, h := range rapid.SliceOfN(rapid.Uint64Range(0, 90), 1, 300).Draw(t, "hashes") {
			// Few distinct home positions make long probe sequences.
			h = h % 30 * 16 / 4
			if index, ok := known[h]; ok {
				a.remove(index)
				delete(known, h)
			} else if len(known) < 64 {
				known[h] = a.place(h)
			}
			for h := range uint64(200) {
				index, ok := known[h]
				if got := a.find(h); ok && got != index || !ok && got != -1 {
					t.Fatalf("find(%d) is %d, want %d %v", h, got, index, ok)
				}
			}
		}
	})
}

func TestAMillionKeysFitInTheBudget(t *testing.T) {
	p := Policy{Window: Window{Span: 10 * time.Second}, MinCalls: 10, Trip: Trip{ErrorRate: 0.5}}
	const n = 1 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	k, err := NewKeyed(p, KeyedLimits{MaxKeys: n}, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		k.Allow(0, fmt.Sprint("tenant-", i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%.1f bytes a key", each)
	if each > 128 {
		t.Errorf("a key costs %.1f bytes, want at most 128", each)
	}
	runtime.KeepAlive(k)
}
