package plan

import "errors"

var (
	// ErrPlan is wrapped by what Seal finds wrong with a plan.
	ErrPlan = errors.New("invalid plan")
	// ErrUnknown is wrapped by Resolve for a name that no actor or group has.
	ErrUnknown = errors.New("unknown actor")
	// ErrAmbiguous is wrapped by Resolve for a name that several actors have.
	ErrAmbiguous = errors.New("ambiguous name")
)
