package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
)

func TestErrorsGetAKind(t *testing.T) {
	own := &Error{Kind: "odd", Message: "m", By: "root/b"}
	nameless := &Error{Message: "m", By: "root/b", Status: 7}
	for name, c := range map[string]struct {
		err  error
		want Error
	}{
		"its own":              {own, *own},
		"wrapped":              {fmt.Errorf("more: %w", own), *own},
		"without a kind":       {nameless, Error{Kind: KindCrash, Message: "m", By: "root/b", Status: 7}},
		"nil that is no nil":   {(*Error)(nil), Error{Kind: KindCrash, Message: "an *engine.Error that is nil", By: "root/a", Delivered: true}},
		"a context's deadline": {context.DeadlineExceeded, Error{Kind: KindTimeout, Message: "no answer in time", By: "root/a", Delivered: true}},
		"a stop":               {ErrStopped, Error{Kind: KindCanceled, Message: ErrStopped.Error(), By: "root/a", Delivered: true}},
		"anything else":        {errors.New("x"), Error{Kind: KindCrash, Message: "x", By: "root/a", Delivered: true}},
	} {
		if got := ErrorOf(c.err, "root/a"); *got != c.want {
			t.Errorf("%s: %+v, want %+v", name, *got, c.want)
		}
	}
	if nameless.Kind != "" {
		t.Error("the handler's own error was changed")
	}
	if ErrorOf(nil, "root/a") != nil {
		t.Error("no error became one")
	}
}

func TestFailuresGetAKind(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want Failure
	}{
		"its own":            {fmt.Errorf("more: %w", &Error{Kind: "odd", Message: "m", By: "root/b"}), Failure{Kind: "odd", Message: "m", By: "root/b"}},
		"without a kind":     {&Error{Message: "m"}, Failure{Kind: KindCrash, Message: "m", By: "root/a"}},
		"nil that is no nil": {(*Error)(nil), Failure{Kind: KindCrash, Message: "an *engine.Error that is nil", By: "root/a"}},
		"anything else":      {errors.New("x"), Failure{Kind: KindCrash, Message: "x", By: "root/a"}},
	} {
		if got := FailureOf(c.err, "root/a"); !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, *got, c.want)
		}
	}
}
