package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/suggest"
	"github.com/lukhasai/lukhas-run/rules"
)

// sample is an environment written by hand, and the world that its functions ask.
type sample struct {
	env      rules.Env
	actors   []rules.Actor
	breakers []rules.Breaker
	loads    map[string]*rules.Load
}

// sampleOf fills a sample from JSON data, whose names are those that expressions use.
func sampleOf(given map[string]any) (*sample, error) {
	s := &sample{}
	s.env.World = s
	lists := map[string]any{"actors": &s.actors, "breakers": &s.breakers, "loads": &s.loads}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		into := reflect.ValueOf(&s.env).Elem()
		if list, ok := lists[name]; ok {
			into = reflect.ValueOf(list).Elem()
		} else if name == "world" {
			return nil, fmt.Errorf("unknown name %q", name)
		} else if into = fieldNamed(into, name); !into.IsValid() {
			return nil, unknownName(name, append(fieldNames(reflect.TypeFor[rules.Env]()), slices.Sorted(maps.Keys(lists))...))
		}
		if err := fill(into, given[name], name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// fill puts JSON data into a value; the names of objects are Go's in snake case.
func fill(into reflect.Value, data any, path string) error {
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return fill(into.Elem(), data, path)
	case reflect.Struct:
		return fillStruct(into, data, path)
	case reflect.Slice:
		items, ok := data.([]any)
		if !ok {
			return fmt.Errorf("%s: expected a list", path)
		}
		into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
		for i, item := range items {
			if err := fill(into.Index(i), item, fmt.Sprintf("%s.%d", path, i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		return fillMap(into, data, path)
	case reflect.Func:
		return fmt.Errorf("%s cannot be given in a sample", path)
	}
	text, err := json.Marshal(data)
	if err == nil {
		err = json.Unmarshal(text, into.Addr().Interface())
	}
	if err != nil {
		return fmt.Errorf("%s: expected %s, got %s", path, kindName(into.Kind()), text)
	}
	return nil
}

func fillStruct(into reflect.Value, data any, path string) error {
	object, ok := data.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: expected an object", path)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		field := fieldNamed(into, name)
		if !field.IsValid() {
			return fmt.Errorf("%s: %w", path, unknownName(name, fieldNames(into.Type())))
		}
		if err := fill(field, object[name], path+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func fillMap(into reflect.Value, data any, path string) error {
	object, ok := data.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: expected an object", path)
	}
	into.Set(reflect.MakeMap(into.Type()))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := reflect.New(into.Type().Elem()).Elem()
		if err := fill(value, object[name], path+"."+name); err != nil {
			return err
		}
		into.SetMapIndex(reflect.ValueOf(name), value)
	}
	return nil
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	}
	return "a number"
}

// fieldNamed finds the field that a name in snake case means: error_rate is ErrorRate.
func fieldNamed(in reflect.Value, name string) reflect.Value {
	plain := strings.ReplaceAll(name, "_", "")
	return in.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, plain) && strings.ToLower(name) == name })
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		names = append(names, snakeCase(t.Field(i).Name))
	}
	return names
}

func snakeCase(name string) string {
	var b strings.Builder
	for i, r := range name {
		if lower := i > 0 && name[i-1] >= 'a'; r < 'a' && lower {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

func unknownName(name string, known []string) error {
	if near := suggest.Nearest(name, known); near != "" {
		return fmt.Errorf("unknown name %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown name %q", name)
}

// Actor is the sample's actor with this name or path.
func (s *sample) Actor(name string) *rules.Actor {
	for i := range s.actors {
		if a := &s.actors[i]; a.Name == name || a.Path == name {
			return a
		}
	}
	return nil
}

// Breaker is the sample's breaker with this name and key.
func (s *sample) Breaker(name, key string) *rules.Breaker {
	for i := range s.breakers {
		if b := &s.breakers[i]; b.Name == name && b.Key == key {
			return b
		}
	}
	return nil
}

// Load is the sample's load with this name.
func (s *sample) Load(name string) *rules.Load { return s.loads[name] }

// Share counts the sample's actors, or its breakers for a state of theirs.
func (s *sample) Share(state, target string) float64 {
	in, all := 0, 0
	count := func(name, path string, is bool) {
		if target == "" || name == target || plan.Match(target, path) {
			all++
			if is {
				in++
			}
		}
	}
	if slices.Contains([]string{"open", "closed", "half_open", "forced_open", "forced_closed", "disabled", "shadow", "recovering"}, state) {
		for _, b := range s.breakers {
			count(b.Name, b.Name, b.State == state)
		}
	} else {
		for _, a := range s.actors {
			count(a.Name, a.Path, a.State == state || state == "quarantined" && a.Quarantined || state == "ready" && a.Ready)
		}
	}
	if all == 0 {
		return 0
	}
	return float64(in) / float64(all)
}

// Over is unknown: a sample is one moment.
func (s *sample) Over(rules.Reference, float64) *rules.Rates { return nil }

// Predict is unknown: a sample is one moment.
func (s *sample) Predict(rules.Reference, string, float64) (float64, bool) { return 0, false }
