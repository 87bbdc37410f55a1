package clock

import (
	"fmt"
	"testing"
)

func TestAlarmsMoveCancelAndKeepTheirOrder(t *testing.T) {
	var s Alarms
	var a, b, c Alarm
	rang := ""
	ring := func(name string) func() { return func() { rang += fmt.Sprint(name, "@", s.Now(), " ") } }
	s.Set(&a, 100, ring("a"))
	s.Set(&b, 50, ring("b"))
	s.Set(&c, 100, ring("c"))
	s.Set(&a, 100, ring("a again")) // moved behind c
	if s.Len() != 3 || !a.IsSet() {
		t.Fatalf("%d are set", s.Len())
	}
	if !s.Cancel(&b) || s.Cancel(&b) {
		t.Error("cancelling does not tell whether it did")
	}
	for call := s.Pop(1000); call != nil; call = s.Pop(1000) {
		call()
	}
	if rang != "c@100 a again@100 " || s.Now() != 1000 || s.Len() != 0 {
		t.Errorf("%s, now %d, %d left", rang, s.Now(), s.Len())
	}
	s.Set(&a, 5, ring("past"))
	if s.Pop(1000) == nil {
		t.Error("an alarm set in the past is not due now")
	}
}
