// Package rules turns expression text into conditions and values.
//
// An expression is checked once, against the names the place it stands in may see, and becomes an immutable
// Program. A Program is evaluated against an Env that the caller fills with what its place has; what is left
// unfilled reads as zero. Evaluation is deterministic (no clock, no random source, no map order), bounded (text,
// tree and memory have limits) and never panics: what goes wrong at run time comes back as an error.
//
// Numbers are float64 throughout: every number an expression makes is one. Whole numbers of any Go type that
// arrive inside a message compare and calculate as the same number, and pass through untouched. `%` is modulo on
// whole numbers. Durations are numbers of seconds and may be written 800ms, 1m30s or 5m. Division by zero gives an
// infinity inside an expression; a result that is not finite is an error.
//
// The package knows nothing of YAML: positions are byte offsets into the expression's own text.
package rules
