// Package schema holds the JSON Schemas (draft-07) of the language. They are
// generated from the table of fields in package spec, so that an editor, the
// walker and the documentation say the same. A schema sees shapes only: names,
// references and expressions are checked by the compiler.
package schema

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lukhasai/lukhas-run/spec"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var (
	//go:embed topology.schema.json
	topology string
	//go:embed policy.schema.json
	policy string
	//go:embed scenario.schema.json
	scenario string
)

// Topology returns the schema of topologies.
func Topology() []byte { return []byte(topology) }

// Policy returns the schema of policies.
func Policy() []byte { return []byte(policy) }

// Scenario returns the schema of scenarios.
func Scenario() []byte { return []byte(scenario) }

// Of returns the schema of a kind of document, nil for an unknown kind.
func Of(kind spec.Kind) []byte {
	switch kind {
	case spec.KindTopology:
		return Topology()
	case spec.KindPolicy:
		return Policy()
	case spec.KindScenario:
		return Scenario()
	}
	return nil
}

// Validator checks documents against one schema. It is safe for concurrent use.
type Validator struct{ compiled *jsonschema.Schema }

// NewValidator compiles the schema of a kind of document.
func NewValidator(kind spec.Kind) (*Validator, error) {
	text := Of(kind)
	if text == nil {
		return nil, fmt.Errorf("no schema for kind %q", kind)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", kind, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	name := strings.ToLower(string(kind)) + ".schema.json"
	if err := compiler.AddResource(name, document); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", kind, err)
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", kind, err)
	}
	return &Validator{compiled}, nil
}

// Validate checks plain data, as spec.Plain returns it. The error lists every
// place that does not fit.
func (v *Validator) Validate(document any) error { return v.compiled.Validate(document) }

// Generate builds the schema of a kind of document from the table of fields.
func Generate(kind spec.Kind) []byte {
	g := &generator{names: map[*spec.Type]string{}, taken: map[string]bool{}, definitions: map[string]any{}}
	root := g.object(spec.TypeOf(kind), spec.RestartEngine)
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "lukhas-run " + strings.ToLower(string(kind))
	properties := root["properties"].(map[string]any)
	properties["kind"] = map[string]any{"const": string(kind), "description": "What the document is.", "type": "string"}
	root["definitions"] = g.definitions
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("schema: " + err.Error()) // maps, strings and numbers always encode
	}
	return append(text, '\n')
}
