package spec

// Resolve merges a set into one topology: Policy documents and the override go
// over named policies, params, rules and actors; `defaults` are inherited from
// outer to inner supervisors; templates and named policies are put in place of
// `use` (which stays, as the name); ${params.x} are filled in. The precedence
// is: built-in < defaults < supervisors', outer to inner < templates < the
// actor < Policy documents < override. Replicas are not expanded. The override
// is a Value of an Override field, or from ParseOverride, or nil.
//
// Breakers, guards, retries and restarts in the result are complete mappings;
// their field `use`, when present, tells the name of the policy they came from.
// Actors whose `enabled` is false are still there.
func Resolve(set *Set, override *Value) (*Topology, Diagnostics) {
	return nil, nil
}
