package main

import (
	"context"
	"errors"
	"testing"
)

// A signal ends the verb although a run never comes to an end, and after the other processes have gone.
func TestASignalEndsTestWhateverRuns(t *testing.T) {
	run := &testRun{}
	gone := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	run.others.Go(func() { <-ctx.Done(); close(gone) })
	endless := make(chan struct{})
	defer close(endless)
	err := run.unlessStopped(ctx, func() error { cancel(); <-endless; return nil })
	var e exit
	if !errors.As(err, &e) || e.code != exitInterrupted {
		t.Fatalf("%v", err)
	}
	select {
	case <-gone:
	default:
		t.Fatal("another process still runs")
	}
}
