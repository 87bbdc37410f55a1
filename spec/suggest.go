package spec

import "fmt"

func didYouMean(word string) string { return fmt.Sprintf("did you mean %q?", word) }
