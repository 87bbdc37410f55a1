package kernel

import "strings"

// Asker is an actor as the search for circles of asks sees it.
type Asker interface {
	Path() string
	Single() bool    // it handles one message at a time
	WaitsFor() Asker // whose answer its one handler waits for; nil when it waits for none
}

// maxCircle bounds the walk along waiting actors.
const maxCircle = 64

// Circle looks whether to, directly or through those it waits for, waits for the asker, and tells the way round; "" when it does
// not. Only actors that handle one message at a time are followed: another handler of a wider one may still answer.
func Circle(asker, to Asker) string {
	length := 1
	for at := to; at != asker; length++ {
		if at = at.WaitsFor(); at == nil || length == maxCircle {
			return ""
		}
	}
	if !asker.Single() {
		return ""
	}
	path := []string{asker.Path()}
	for at := to; at != nil && len(path) <= length; at = at.WaitsFor() {
		path = append(path, at.Path())
	}
	return strings.Join(path, " -> ")
}

// Circular is the error of an ask that would wait for itself.
func Circular(path, circle string) error {
	return Refuse(path, "the ask would wait for itself: "+circle)
}
