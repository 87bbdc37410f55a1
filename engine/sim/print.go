package sim

import (
	"maps"
	"math"
	"math/bits"

	"github.com/lukhasai/lukhas-run/engine/guard"
)

// A print is 64 bits that stand for a text or a payload, on every machine the same. Two halves of a 128-bit product are folded
// for each eight bytes, as wyhash does (Wang, 2019): byte by byte the digest would be an eighth of a guarded ask.

// stir mixes two numbers.
func stir(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// What the kinds of values are told apart by, and what keeps a zero from wiping out what it is stirred with: odd numbers
// with as many ones as zeros.
const (
	printText    = 0xa0761d6478bd642f
	printKey     = 0xe7037ed1a0b428db
	printTrue    = 0x8ebc6af09c88c6e3
	printNumber  = 0x589965cc75374cc3
	printInteger = 0x1d8e4e27c47d124f
	printList    = 0xeb44accab455d165
	printMapping = 0x9c6e6877736c46e3
)

// textPrint is the print of a text.
func textPrint(s string) uint64 {
	h := stir(uint64(len(s))^printText, guard.Golden)
	for ; len(s) > 16; s = s[16:] {
		h = stir(eight(s)^printKey, eight(s[8:])^h)
	}
	var a, b uint64
	switch n := len(s); {
	case n >= 8:
		a, b = eight(s), eight(s[n-8:])
	case n >= 4:
		a, b = four(s), four(s[n-4:])
	case n > 0:
		a = uint64(s[0])<<16 | uint64(s[n/2])<<8 | uint64(s[n-1])
	}
	return stir(a^printKey, b^h)
}

func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func four(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// Bounds of what is read of a payload.
const (
	payloadDepth = 4
	payloadWidth = 64
)

// payloadPrint is the print of what people can read of a payload, down to a depth.
func payloadPrint(v any, depth int) uint64 {
	switch v := v.(type) {
	case bool:
		if v {
			return printTrue
		}
		return ^uint64(printTrue)
	case float64:
		return stir(math.Float64bits(v)^printNumber, guard.Golden)
	case int:
		return stir(uint64(v)^printInteger, guard.Golden)
	case int64:
		return stir(uint64(v)^printInteger, guard.Golden)
	case string:
		return textPrint(v)
	case []any:
		return listPrint(v, depth)
	case map[string]any:
		return mappingPrint(v, depth)
	}
	return 0
}

func listPrint(v []any, depth int) uint64 {
	h := stir(uint64(len(v))^printList, guard.Golden)
	if depth >= payloadDepth {
		return h
	}
	for _, item := range v[:min(len(v), payloadWidth)] {
		h = stir(h^payloadPrint(item, depth+1), guard.Golden)
	}
	return h
}

// mappingPrint adds up the prints of the entries: a sum does not know in which order they came, so that nothing is sorted.
func mappingPrint(v map[string]any, depth int) uint64 {
	sum := uint64(0)
	if depth < payloadDepth && len(v) <= payloadWidth {
		for key, item := range maps.All(v) {
			sum += stir(textPrint(key)^printKey, payloadPrint(item, depth+1)^printMapping)
		}
	}
	return stir(sum^uint64(len(v))^printMapping, guard.Golden)
}
