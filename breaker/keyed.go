package breaker

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// KeyedLimits bounds how many keys a Keyed remembers.
type KeyedLimits struct {
	// MaxKeys is how many keys are remembered at once, from 1 to 1<<26. A new key then takes the place of one not
	// used for long, of a closed one if there is a choice.
	MaxKeys int
	// Idle is how long an unused key is remembered; 0 means an hour.
	Idle time.Duration
}

// Bounds of the policy of a Keyed, whose cells are small.
const (
	maxKeyedKeys    = 1 << 26
	maxKeyedBuckets = 16
	// DefaultKeyedBuckets is used for a Keyed's window that names no number of buckets.
	DefaultKeyedBuckets = 4
	keyedStripes        = 8
	// stripedFrom is the least MaxKeys that is worth several locks.
	stripedFrom = 1024
	// maxTold bounds the transitions that wait for a stripe's lock to be free.
	maxTold = 1024
	// maxKeyedSuccesses keeps the counts of a half-open cell within 16 bits.
	maxKeyedSuccesses = 1000
)

// Validate returns an error that wraps ErrPolicy and names the field, its value and the way out.
func (l KeyedLimits) Validate() error {
	switch {
	case l.MaxKeys < 1 || l.MaxKeys > maxKeyedKeys:
		return invalid("max_keys", l.MaxKeys, fmt.Sprintf("1 to %d", maxKeyedKeys))
	case l.Idle != 0 && l.Idle < 2*time.Second:
		return invalid("idle", l.Idle, "0 (an hour) or at least 2s")
	}
	return nil
}

// Keyed is a breaker for each of very many keys, such as tenants. A key costs about a hundred bytes in arenas without
// pointers, which the garbage collector does not look into; a key never seen, or forgotten, is a closed breaker. Keys
// are told apart by a seeded 64-bit hash: for one seed in 30 million, two of a million keys share a cell. All methods
// are safe for concurrent use; the same calls by one goroutine have the same answers, evictions included.
//
// A Keyed decides as a Breaker does, with a window of time or none, at most 16 buckets, and counts that grow beyond a
// million a bucket are halved. Triggers must do without latency, classes, calls in flight and samples; a Stateful one is
// shared by many keys, so it must not remember one of them.
type Keyed struct {
	seed     uint64
	stripes  []stripe
	listener func(key string, t Transition)
}

// NewKeyed returns a Keyed without keys, or an error that wraps ErrPolicy. The listener, if any, is told of each
// transition after the lock is released, when the next call for its key finds it; where goroutines race on a key, the
// generation tells the order. A transition that a reload causes has no key; of those at most 1,024 a reload and stripe
// are told.
func NewKeyed(p Policy, l KeyedLimits, seed uint64, now int64, listener func(key string, t Transition)) (*Keyed, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	c, err := compileKeyed(p)
	if err != nil {
		return nil, err
	}
	if l.Idle == 0 {
		l.Idle = time.Hour
	}
	n := 1
	if l.MaxKeys >= stripedFrom {
		n = keyedStripes
	}
	k := &Keyed{seed: seed, stripes: make([]stripe, n), listener: listener}
	for i := range k.stripes {
		// The remainder goes to the first stripes, so that the sum is MaxKeys.
		most := (l.MaxKeys + n - 1 - i) / n
		k.stripes[i].start(c, most, int64(l.Idle), seed, now, listener != nil)
	}
	return k, nil
}

func compileKeyed(p Policy) (*Compiled, error) {
	if p.Window.Span > 0 && p.Window.Buckets == 0 {
		p.Window.Buckets = DefaultKeyedBuckets
	}
	c, err := Compile(p)
	if err != nil {
		return nil, err
	}
	r := &c.rules
	switch {
	case r.Window.Calls > 0:
		return nil, invalid("window.calls", r.Window.Calls, "a window of time for a breaker with a key")
	case r.Window.Buckets > maxKeyedBuckets:
		return nil, invalid("window.buckets", r.Window.Buckets, fmt.Sprintf("at most %d for a breaker with a key", maxKeyedBuckets))
	case max(r.HalfOpen.Probes, r.HalfOpen.Successes) > maxKeyedSuccesses:
		return nil, invalid("half_open.successes", max(r.HalfOpen.Probes, r.HalfOpen.Successes), fmt.Sprintf("at most %d for a breaker with a key", maxKeyedSuccesses))
	case r.detailed() || r.inFlight:
		return nil, invalid("trip.triggers", "details", "no latency, classes, samples or in_flight for a breaker with a key")
	}
	return c, nil
}

// at returns the key's hash and the stripe it belongs to.
func (k *Keyed) at(key string) (uint64, *stripe) {
	h := hashKey(k.seed, key)
	return h, &k.stripes[h>>32%uint64(len(k.stripes))]
}

// hashKey mixes the key eight bytes at a time.
func hashKey(seed uint64, key string) uint64 {
	h := mix(seed ^ uint64(len(key)))
	for ; len(key) >= 8; key = key[8:] {
		h = mix(h ^ binary.LittleEndian.Uint64([]byte(key[:8])))
	}
	for i := range len(key) {
		h = mix(h ^ uint64(key[i]))
	}
	return h
}

// with runs f on the key's machine, made if it is not remembered, and tells the listener what came of it.
func (k *Keyed) with(now int64, key string, f func(m *machine, now int64)) {
	h, s := k.at(key)
	s.mu.Lock()
	s.last = max(s.last, now)
	index := s.find(h)
	if index < 0 {
		index = s.insert(h)
	}
	m := s.unpack(index)
	f(m, s.last)
	s.pack(index, m)
	s.sweep()
	told := s.told
	s.told = nil
	s.mu.Unlock()
	for _, t := range told {
		k.listener(key, t)
	}
}

// Allow asks whether a call for the key may pass now; see Breaker.Allow.
func (k *Keyed) Allow(now int64, key string) (p Permit, v Verdict) {
	k.with(now, key, func(m *machine, seen int64) {
		p, v = m.allow(m.advance(seen, true))
		p, v = inTime(now, seen, p, v)
	})
	return p, v
}

// Done says how an admitted call for the key ended; see Breaker.Done. A key forgotten meanwhile ignores it.
func (k *Keyed) Done(now int64, key string, p Permit, o Outcome) {
	if !p.Valid() {
		return
	}
	k.with(now, key, func(m *machine, seen int64) {
		m.done(m.advance(seen, false), max(now-p.start, 0), p, o)
	})
}

// Force overrides the key's state machine; see Breaker.Force. A key under another mode than Normal is not forgotten
// for being idle.
func (k *Keyed) Force(now int64, key string, mode Mode) {
	k.with(now, key, func(m *machine, seen int64) { m.override(m.advance(seen, false), mode) })
}

// Reset closes the key's breaker; see Breaker.Reset.
func (k *Keyed) Reset(now int64, key string) {
	k.with(now, key, func(m *machine, seen int64) { m.reset(m.advance(seen, false)) })
}

// Snapshot returns what the key's breaker looks like at now, and whether the key is remembered. Totals are not kept.
func (k *Keyed) Snapshot(now int64, key string) (Snapshot, bool) {
	h, s := k.at(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	index := s.find(h)
	if index < 0 {
		return Snapshot{}, false
	}
	m := s.unpack(index)
	// Nothing is packed again, so looking leaves no trace: what is due happens at the next call, to be told then.
	told := s.told
	m.advance(max(s.last, now), false)
	s.told = told
	return m.snapshot(), true
}

// Len is how many keys are remembered.
func (k *Keyed) Len() int {
	n := 0
	for i := range k.stripes {
		s := &k.stripes[i]
		s.mu.Lock()
		n += s.live
		s.mu.Unlock()
	}
	return n
}

// Tick forgets every idle key. Without it the calls for other keys do, bit by bit.
func (k *Keyed) Tick(now int64) {
	for i := range k.stripes {
		s := &k.stripes[i]
		s.mu.Lock()
		s.last = max(s.last, now)
		for range s.used {
			s.sweepOne()
		}
		s.mu.Unlock()
	}
}

// SetPolicy makes every key follow another policy from now on; see Breaker.SetPolicy. It visits each key, one stripe
// of them at a time.
func (k *Keyed) SetPolicy(now int64, p Policy) error {
	c, err := compileKeyed(p)
	if err != nil {
		return err
	}
	for i := range k.stripes {
		s := &k.stripes[i]
		s.mu.Lock()
		s.last = max(s.last, now)
		s.adopt(c)
		told := s.told
		s.told = nil
		s.mu.Unlock()
		for _, t := range told {
			k.listener("", t)
		}
	}
	return nil
}

// stripe is a part of the keys under one lock.
type stripe struct {
	mu sync.Mutex
	arena
	rules *rules
	// triggers are the rules' own, or the stripe's instances of the Stateful ones, all used under its lock.
	triggers *[]Trigger
	seed     uint64
	idle     int64
	last     int64        // the latest time seen
	began    int64        // what cells count their last use from
	born     uint64       // cells made so far
	told     []Transition // waiting until the lock is free
	// scratch is the machine a cell is unpacked into, ring its window and probes where half-open cells keep theirs.
	scratch machine
	ring    *timeRing
	probes  map[uint32][]probe
	_       [64]byte // keeps the locks of two stripes on different cache lines
}

func (s *stripe) start(c *Compiled, most int, idle int64, seed uint64, now int64, listening bool) {
	s.rules, s.idle, s.seed, s.last, s.began = &c.rules, idle, seed, now, now
	s.probes = make(map[uint32][]probe)
	s.triggers = instances(&c.rules.Trip.Triggers, &[]Trigger{})
	s.arena.start(most, c.rules.Window.Buckets)
	s.prepare()
	if listening {
		s.scratch.tell = func(t Transition) {
			if len(s.told) < maxTold {
				s.told = append(s.told, t)
			}
		}
	}
}

// prepare makes the scratch machine follow the stripe's rules.
func (s *stripe) prepare() {
	m := &s.scratch
	m.rules, m.triggers, m.window, s.ring = s.rules, s.triggers, nil, nil
	if s.rules.Window.Span > 0 {
		s.ring = newTimeRing(s.rules, s.last)
		m.window = s.ring
	}
}

// insert gives a new key a cell, another key's if there is no more room.
func (s *stripe) insert(h uint64) int {
	if s.live >= s.most {
		s.remove(s.victim())
	}
	index := s.place(h)
	c := s.cell(index)
	// A cell's first generation is drawn, so that a permit from before the key was forgotten does not fit by chance.
	s.born++
	c.gen = max(uint32(mix(s.seed^s.born)), 1)
	c.since, c.until = s.last, Never
	c.used = s.clock()
	if s.ring != nil {
		s.ring.begin(s.last)
		c.end, c.at = s.ring.end, uint8(s.ring.at)
	}
	c.mode = s.rules.Mode
	if c.mode == ForcedOpen {
		c.state = Open
	}
	return index
}

// clock is the time in seconds, as cells note it.
func (s *stripe) clock() uint32 { return uint32((s.last - s.began) / int64(time.Second)) }

// sweep looks at the next two cells and forgets what is idle.
func (s *stripe) sweep() {
	s.sweepOne()
	s.sweepOne()
}

func (s *stripe) sweepOne() {
	index := s.turn()
	c := s.cell(index)
	if !c.taken || c.mode != s.rules.Mode || s.last-s.began-int64(c.used)*int64(time.Second) < s.idle {
		return
	}
	// An open cell that nobody asked about would be half-open by now, which a long absence makes as good as closed.
	if c.state == Open && c.until > s.last {
		return
	}
	s.remove(index)
}

// victim is the cell to give up for a new key: of the next few the one unused for longest, closed before others.
func (s *stripe) victim() int {
	best := -1
	for range min(16, s.used) {
		index := s.turn()
		c := s.cell(index)
		if !c.taken {
			continue
		}
		if best < 0 || s.worse(c, s.cell(best)) {
			best = index
		}
	}
	return best
}

func (s *stripe) worse(a, b *cell) bool {
	if (a.state == Closed) != (b.state == Closed) {
		return a.state == Closed
	}
	return a.used < b.used
}

func (s *stripe) remove(index int) {
	delete(s.probes, uint32(index))
	s.arena.remove(index)
}

// adopt takes every cell over to other rules, into a new arena that fits their buckets.
func (s *stripe) adopt(c *Compiled) {
	old, oldRules := s.arena, s.rules
	var fresh arena
	fresh.start(old.most, c.rules.Window.Buckets)
	probes := s.probes
	s.probes = make(map[uint32][]probe, len(probes))
	for index := range old.used {
		from := old.cell(index)
		if !from.taken {
			continue
		}
		s.arena, s.rules = old, oldRules
		s.prepare()
		m := s.unpackFrom(index, probes[uint32(index)])
		m.adopt(m.advance(s.last, false), &c.rules)
		hash, used := from.hash, from.used
		s.arena, s.rules = fresh, &c.rules
		s.ring, _ = m.window.(*timeRing)
		to := s.place(hash)
		s.pack(to, m)
		s.cell(to).used = used
		fresh = s.arena
	}
	s.arena, s.rules = fresh, &c.rules
	s.triggers = instances(&c.rules.Trip.Triggers, s.triggers)
	s.prepare()
}
