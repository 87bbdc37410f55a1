package tidy

// Rules are what a house holds its code to. Rooms are directories relative to the module's root; a room covers the
// directories below it unless those are rooms themselves.
type Rules struct {
	Module     string
	Imports    map[string][]string // room -> rooms it may import
	Doors      map[string][]string // outside library (path prefix) -> rooms that may import it
	Goroutines []string            // rooms that may say go
	Clocks     []string            // rooms that may read the machine's clock
	NoMapRange []string            // rooms in which no map is ranged over
	Repeatable []string            // rooms that do the same in every run: no racing select, no random source, no address printed
	Watchers   []string            // functions of those rooms (room.name) that may select: they wait for the machine they run on
	MaxLines   int                 // of a function
	Banned     []string            // package names that say nothing
}

// everything marks a room that may import all others.
const everything = "*"

// House is the table of this project: what its rooms may import, which room is a library's one door, and who may start
// goroutines or read the clock.
func House() Rules {
	return Rules{
		Module:     "github.com/lukhasai/lukhas-run",
		Imports:    rooms(),
		Doors:      doors(),
		Goroutines: []string{"internal/watch", "journal", "engine/live", "engine/sim", "engine/actors", "engine/gateway", "engine/observe", "engine/admin", "engine/cluster", "engine/host", "cmd/lukhas-run"},
		Clocks:     []string{"internal/clock", "internal/watch", "internal/calm", "cmd/lukhas-run"},
		NoMapRange: []string{"engine", "engine/plan", "engine/guard", "engine/kernel", "engine/sim", "engine/scenario", "engine/replay", "engine/actors/script", "engine/actors/consensus"},
		Repeatable: []string{"breaker", "breaker/detect", "rules", "engine", "engine/plan", "engine/guard", "engine/kernel", "engine/sim", "engine/scenario", "engine/replay",
			"engine/actors/script", "engine/actors/consensus"},
		Watchers: []string{"engine/sim.guarded", "engine/guard.Await", "engine/guard.Hedge"},
		MaxLines: 70,
		Banned:   []string{"util", "utils", "common", "types", "helpers", "helper", "misc"},
	}
}

func rooms() map[string][]string {
	actors := []string{"internal/clock", "rules", "journal", "engine", "engine/guard", "engine/plan"}
	return map[string][]string{
		"internal/clock":   {},
		"internal/watch":   {"internal/clock"},
		"internal/calm":    {}, // for tests, which may import all
		"internal/suggest": {}, // every room may import it, see mayImport
		"spec":             {},
		"schema":           {"spec"},
		"breaker":          {},
		"breaker/detect":   {"breaker"},
		"rules":            {},
		"journal":          {"internal/clock"},
		"engine/plan":      {"breaker", "breaker/detect", "rules"},
		"compiler":         {"spec", "breaker", "breaker/detect", "rules", "engine/plan"},
		"engine":           {"breaker", "rules", "journal", "engine/plan"},
		"engine/guard":     {"breaker", "breaker/detect", "rules", "engine", "engine/plan"},
		"engine/kernel":    {"rules", "breaker", "engine", "engine/guard", "journal", "engine/plan"},
		"engine/live":      {"internal/clock", "breaker", "engine", "engine/guard", "engine/kernel", "journal", "engine/plan"},
		"engine/sim":       {"internal/clock", "rules", "breaker", "engine", "engine/guard", "engine/kernel", "journal", "engine/plan"},

		"engine/actors/script":    actors,
		"engine/actors/process":   actors,
		"engine/actors/upstream":  actors,
		"engine/actors/consensus": actors,
		"engine/actors/probe":     actors,
		"engine/actors/persist":   actors,

		"engine/actors/internal/fake": append(actors, "internal/calm"), // for the actors' tests

		"engine/gateway":  {"internal/clock", "rules", "journal", "engine", "engine/guard", "engine/plan"},
		"engine/observe":  {"internal/clock", "breaker/detect", "rules", "journal", "engine/plan"},
		"engine/scenario": {"internal/clock", "spec", "rules", "journal", "compiler", "engine", "engine/sim", "engine/observe", "engine/actors", "engine/plan"},
		"engine/replay":   {"spec", "breaker", "breaker/detect", "journal", "compiler", "engine", "engine/guard", "engine/sim", "engine/observe", "engine/actors", "engine/plan"},
		"engine/admin":    {"internal/clock", "engine", "journal", "engine/observe", "engine/plan"},
		"engine/cluster":  {"engine", "journal", "engine/plan"},
		"engine/host":     {everything},
		"cmd/lukhas-run":  {everything},
		"examples":        {everything},
		"tests":           {everything},
	}
}

func doors() map[string][]string {
	return map[string][]string{
		"gopkg.in/yaml.v3":                           {"spec"},
		"github.com/expr-lang/expr":                  {"rules"},
		"github.com/fsnotify/fsnotify":               {"internal/watch"},
		"github.com/rs/zerolog":                      {"engine/observe", "cmd/lukhas-run"},
		"github.com/spf13/viper":                     {"cmd/lukhas-run"},
		"github.com/spf13/cobra":                     {"cmd/lukhas-run"},
		"github.com/spf13/pflag":                     {"cmd/lukhas-run"},
		"github.com/klauspost/compress":              {"journal"},
		"github.com/santhosh-tekuri/jsonschema":      {"schema"},
		"github.com/prometheus/client_golang":        {"engine/observe"},
		"go.opentelemetry.io":                        {"engine/observe"},
		"golang.org/x/net":                           {"engine/actors/upstream", "engine/gateway"},
		"golang.org/x/sys":                           {"journal", "engine/actors/process"},
		"golang.org/x/term":                          {"cmd/lukhas-run"},
		"golang.org/x/text":                          {},
		"github.com/rogpeppe/go-internal/diff":       {"cmd/lukhas-run"},
		"github.com/rogpeppe/go-internal/testscript": {"tests"},
		"github.com/google/go-cmp":                   {},
		"pgregory.net/rapid":                         {},
		"go.uber.org/goleak":                         {"internal/calm"},
	}
}
