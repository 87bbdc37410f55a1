// Package suggest finds what a writer probably meant. Every "did you mean" of the project is its answer, so that a word
// misspelt in a file, in an expression and on the command line is understood alike.
package suggest

// Nearest is the candidate that word most likely was meant to be, "" when none is near: at most one edit in three letters,
// and none for a single letter. Ties go to the first.
func Nearest(word string, candidates []string) string {
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

// distance counts the insertions, deletions, substitutions and swaps of neighbours that make b of a (optimal string
// alignment). It is limit+1 at once when the lengths alone tell that it is larger.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
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
