package spec

// source is one file's bytes, kept so that a place inside a scalar can be found.
type source struct {
	name string
	data []byte
}

// part is a piece of a scalar that is not yet interpolated.
type part struct {
	text string // literal text, or the name of a variable
	name bool
}
