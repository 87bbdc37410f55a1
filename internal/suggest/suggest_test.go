package suggest

import "testing"

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		word string
		from []string
		want string
	}{
		{"failurs", []string{"latency", "failures"}, "failures"},
		{"conter", []string{"counter"}, "counter"},
		{"sizee", []string{"size", "seize"}, "size"},
		{"pol", []string{"pool", "poll"}, "pool"}, // a tie goes to the first
		{"wokrer", []string{"worker"}, "worker"},  // a swap is one edit
		{"abc", []string{"xyz"}, ""},              // nothing near
		{"worker", []string{"worker"}, ""},        // itself is no suggestion
		{"a", []string{"b"}, ""},                  // a letter is like every other
		{"api", []string{"apparatus"}, ""},        // far longer
		{"regoin", []string{"region", "reason"}, "region"},
	} {
		if got := Nearest(c.word, c.from); got != c.want {
			t.Errorf("%q in %q: got %q, want %q", c.word, c.from, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"abc", "xabc", 1}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b, 9); got != c.want {
			t.Errorf("%q to %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
