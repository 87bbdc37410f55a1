// Package tests holds what is checked about the project as a whole: the house rules, the stories told to the binary and
// the oracles.
package tests

import (
	"testing"

	"github.com/lukhasai/lukhas-run/tests/internal/tidy"
)

// The house rules of the project hold everywhere in it.
func TestHouseRules(t *testing.T) {
	found, err := tidy.Check("..", tidy.House())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}
