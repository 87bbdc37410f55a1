package rules

// Nearest is the candidate that a writer most likely meant by word, "" when none is near. Ties go to the first.
func Nearest(word string, candidates []string) string {
	best, least := "", len(word)/3+2
	for _, c := range candidates {
		if d := max(len(c)-len(word), len(word)-len(c)); c == word || d >= least {
			continue
		}
		if d := edits(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// edits counts the letters to insert, delete or change to make b of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
