// Package spec reads what an author wrote: topologies, policies and scenarios
// in YAML, with the place of every value.
//
// The pipeline is Load (read, parse, walk, interpolate) and Resolve (merge
// includes, inheritance, templates, named policies, Policy documents and
// overrides into one complete tree). One table of fields, fields.go, drives the
// walker, the defaults, the JSON Schemas, explain and the reference page, so
// they cannot disagree. Nothing an author writes is dropped or coerced in
// silence: what the table does not allow becomes a Diagnostic.
//
// The package knows no expression language: an expression is text with a place.
package spec
