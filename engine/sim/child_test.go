package sim

// childMain runs this test binary as a simulation that prints its digest, when it was started for that.
func childMain() bool { return false }
