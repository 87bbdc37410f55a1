package observe

import (
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/rules"
)

// An actor that is removed and added again between two samples counts from nothing; its predecessor's calls are forgotten.
func TestCountsThatBeginAnewAreAnotherActors(t *testing.T) {
	full := Reading{Actor: rules.Actor{Path: "root/a"}, Calls: 9, Failures: 3, Latency: []uint32{4, 5}}
	for _, c := range []struct {
		name string
		next Reading
		want rules.Actor
	}{
		{"nothing yet", Reading{}, rules.Actor{}},
		{"few calls", Reading{Calls: 2, Failures: 1, Latency: []uint32{2}}, rules.Actor{Calls: 2, ErrorRate: 0.5}},
		{"more calls", Reading{Calls: 20, Failures: 5, Latency: []uint32{20}}, rules.Actor{Calls: 20, ErrorRate: 0.25}},
		{"as many of another length", Reading{Calls: 12, Failures: 6, Latency: []uint32{12, 0}}, rules.Actor{Calls: 12, ErrorRate: 0.5}},
		{"fewer failures", Reading{Calls: 10, Failures: 1, Latency: []uint32{5, 5}}, rules.Actor{Calls: 10, ErrorRate: 0.1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := NewWindows(time.Minute, func(i int) time.Duration { return time.Duration(i+1) * time.Millisecond })
			w.Sample(time.Second, []Reading{full})
			c.next.Actor = full.Actor
			got := w.Sample(2*time.Second, []Reading{c.next})
			if len(got) == 0 || got[0].Path != "root" && got[0].Path != "root/a" {
				t.Fatalf("%v", got)
			}
			for _, a := range got {
				if a.Calls != c.want.Calls || a.ErrorRate != c.want.ErrorRate {
					t.Fatalf("%s: calls %v, error rate %v, want %v, %v", a.Path, a.Calls, a.ErrorRate, c.want.Calls, c.want.ErrorRate)
				}
			}
		})
	}
}
