package guard

// Member is a replica as routing sees it.
type Member interface {
	comparable
	Load() int    // messages waiting and at work
	Seat() uint64 // its place on the hash ring: a hash of its path
}

// Pick chooses the replica for a message among those that are fit: round_robin and random by the number that draw gives,
// hash by the key, anything else the least loaded. The zero member: none is fit.
func Pick[M Member](how, key string, members []M, draw func() uint64, fit func(M) bool) M {
	switch how {
	case "round_robin", "random":
		return nth(members, draw(), fit)
	case "hash":
		return rendezvous(members, key, fit)
	}
	return leastLoaded(members, fit)
}

// nth is the fit replica at place n, counted round and round, so that each has the same share.
func nth[M Member](members []M, n uint64, fit func(M) bool) (none M) {
	var all uint64
	for _, m := range members {
		if fit(m) {
			all++
		}
	}
	if all == 0 {
		return none
	}
	at := n % all
	for _, m := range members {
		if !fit(m) {
			continue
		}
		if at == 0 {
			return m
		}
		at--
	}
	return none // one went unfit between the two looks
}

// leastLoaded is the fit replica with the fewest messages; the lowest of equals.
func leastLoaded[M Member](members []M, fit func(M) bool) (best M) {
	found, least := false, 0
	for _, m := range members {
		if !fit(m) {
			continue
		}
		if n := m.Load(); !found || n < least {
			best, least, found = m, n, true
		}
	}
	return best
}

// rendezvous is highest-random-weight hashing (Thaler and Ravishankar, 1998): a key stays with its replica while that
// one is fit, and only the keys of an unfit one move.
func rendezvous[M Member](members []M, key string, fit func(M) bool) (best M) {
	found, most := false, uint64(0)
	k := Hash(key)
	for _, m := range members {
		if w := Mix(k ^ m.Seat()); fit(m) && (!found || w > most) {
			best, most, found = m, w, true
		}
	}
	return best
}

// Golden is the increment of SplitMix64 (Steele, Lea and Flood, 2014).
const Golden = 0x9e3779b97f4a7c15

// Mix is the output function of SplitMix64: Mix(seed + n*Golden) is the n-th number of the seed's stream.
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Hash is FNV-1a, the same in every process.
func Hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
