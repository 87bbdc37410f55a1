package plan

import "strconv"

var (
	kindNames     = [...]string{"", "supervisor", "process", "upstream", "script", "go", "consensus"}
	strategyNames = [...]string{"", "one_for_one", "all_for_one", "rest_for_one"}
	restartNames  = [...]string{"", "always", "on_failure", "never"}
)

// String returns the kind's name as the language writes it.
func (k Kind) String() string { return nameOf(kindNames[:], int(k), "kind") }

// String returns the strategy's name as the language writes it.
func (s Strategy) String() string { return nameOf(strategyNames[:], int(s), "strategy") }

// String returns the policy's name as the language writes it.
func (p RestartPolicy) String() string { return nameOf(restartNames[:], int(p), "policy") }

// nameOf reads a table whose entry 0 is the unset value.
func nameOf(names []string, i int, what string) string {
	if i > 0 && i < len(names) {
		return names[i]
	}
	return what + "(" + strconv.Itoa(i) + ")"
}
