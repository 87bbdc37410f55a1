package engine

import "fmt"

// commanded carries out an operator's or a program's wish and answers it.
func (m *Machine) commanded(in Commanded) {
	if in.Number != 0 {
		m.out = append(m.out, &Answered{Number: in.Number, Error: fmt.Sprintf("%q cannot be done by this engine yet", in.Action.Verb)})
	}
}
