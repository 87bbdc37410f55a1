package spec

import "fmt"

func didYouMean(word string) string { return fmt.Sprintf("did you mean %q?", word) }

// nearest returns the candidate that a typist most likely meant, "" when none
// is near: at most one edit in three letters (optimal string alignment), and
// none for a single letter.
func nearest(word string, candidates []string) string {
	best, limit := "", max(1, len(word)/3)
	if len(word) < 2 {
		return ""
	}
	for _, c := range candidates {
		if d := distance(word, c, limit); d <= limit && c != word {
			best, limit = c, d-1
		}
		if limit < 0 {
			break
		}
	}
	return best
}

// distance counts insertions, deletions, substitutions and swaps of neighbours
// between a and b. It stops early and returns limit+1 when it is larger.
func distance(a, b string, limit int) int {
	if abs(len(a)-len(b)) > limit {
		return limit + 1
	}
	var older, old []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, old, row = old, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// Nearest returns the candidate that word most likely was meant to be, or "".
// The compiler uses it for references, so that all suggestions agree.
func Nearest(word string, candidates []string) string { return nearest(word, candidates) }
