package rules

// The subjects that are read most, on every tick and by every trip condition, are reached without the extra call that
// nest makes to find them in the Env.

func actorTable() table {
	get := func(e *Env) *Actor { return e.Actor }
	return shortened("actor", get, actorFields, func(inner field[Actor], f *field[Env]) {
		if read := inner.num; read != nil {
			f.num = func(e *Env) float64 {
				if e.Actor == nil {
					return 0
				}
				return read(e.Actor)
			}
		}
		if read := inner.text; read != nil {
			f.text = func(e *Env) string {
				if e.Actor == nil {
					return ""
				}
				return read(e.Actor)
			}
		}
	})
}

func breakerTable() table {
	get := func(e *Env) *Breaker { return e.Breaker }
	return shortened("breaker", get, breakerFields, func(inner field[Breaker], f *field[Env]) {
		if read := inner.num; read != nil {
			f.num = func(e *Env) float64 {
				if e.Breaker == nil {
					return 0
				}
				return read(e.Breaker)
			}
		}
		if read := inner.text; read != nil {
			f.text = func(e *Env) string {
				if e.Breaker == nil {
					return ""
				}
				return read(e.Breaker)
			}
		}
	})
}

func windowTable() table {
	get := func(e *Env) *Window { return e.Window }
	return shortened("", get, windowFields, func(inner field[Window], f *field[Env]) {
		if read := inner.num; read != nil {
			f.num = func(e *Env) float64 {
				if e.Window == nil {
					return 0
				}
				return read(e.Window)
			}
		}
	})
}

// shortened is under, with a shorter road for the readers that shorten replaces.
func shortened[T any](name string, get func(*Env) *T, fields func() []field[T], shorten func(field[T], *field[Env])) table {
	short := func() []field[Env] {
		inner := fields()
		out := nest(name, get, inner)
		for i := range out {
			shorten(inner[i], &out[i])
		}
		return out
	}
	return table{name: name, fields: short, kind: ObjectKind}
}
