package main

import "github.com/spf13/cobra"

// offline are the verbs that need no running engine.
func offline(s *settings) []*cobra.Command {
	return []*cobra.Command{newValidate(s), newPlan(s), newSchema(), newFmt(s), newExplain(s), newGraph(s), newEval(s), newDetect(), newDoctor(s),
		newMan(s), newCompletion(), newVersion(s)}
}
