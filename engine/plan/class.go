package plan

import "strconv"

// Class is what a change costs a running engine. A greater class costs more.
type Class uint8

// The classes of change, cheapest first.
const (
	Hot           Class = iota // taken over by what runs; state and windows are kept
	Start                      // something new is started, nothing else is touched
	RestartActor               // the actor is restarted with its new definition
	Stop                       // the actor is stopped and forgotten
	Recreate                   // the old is taken down and a new one built in its place
	RestartEngine              // only a new engine takes it over
)

var classNames = [...]string{"hot", "start", "restart_actor", "stop", "recreate", "restart_engine"}

// String returns the class's name as struct tags, `plan` and the journal write it.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "class(" + strconv.Itoa(int(c)) + ")"
}

// ParseClass returns the class with that name, and whether there is one.
func ParseClass(name string) (Class, bool) {
	for i, n := range classNames {
		if n == name {
			return Class(i), true
		}
	}
	return Hot, false
}
