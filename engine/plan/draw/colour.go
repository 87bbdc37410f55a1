package draw

// The colours of text.
const (
	ink   = "#1f2933"
	faint = "#5f6c7b"
	rail  = "#9fb0c3" // supervision
)

// kind is how nodes of a kind look.
type kind struct {
	name, fill, line string
}

func kinds() []kind {
	return []kind{
		{"supervisor", "#e7edfb", "#5b7bd5"},
		{"process", "#eaf7ec", "#2f9e44"},
		{"upstream", "#fdf0e6", "#d9600b"},
		{"script", "#e8f3fc", "#1971c2"},
		{"go", "#e6f6f6", "#0b7285"},
		{"consensus", "#f5ebfa", "#9c36b5"},
		{"listener", "#eef1f4", "#495867"},
		{"rule", "#fdecec", "#c92a2a"},
	}
}

func kindOf(name string) kind {
	for _, k := range kinds() {
		if k.name == name {
			return k
		}
	}
	return kind{name, "#ffffff", faint}
}

// edgeKinds are the relations in the order of the legend.
func edgeKinds() []string {
	return []string{"call", "tell", "fallback", "member", "route", "acts", "watches"}
}

func edgeColour(kind string) string {
	switch kind {
	case "call":
		return "#1971c2"
	case "tell":
		return "#0b7285"
	case "fallback":
		return "#d9600b"
	case "member":
		return "#9c36b5"
	case "route":
		return "#495867"
	}
	return "#c92a2a"
}

func dashed(kind string) bool {
	return kind == "tell" || kind == "fallback" || kind == "acts" || kind == "watches"
}

// edgeWord names a relation for the legend.
func edgeWord(kind string) string {
	switch kind {
	case "call":
		return "asks"
	case "tell":
		return "tells"
	case "fallback":
		return "falls back to"
	case "member":
		return "asks as a member"
	case "route":
		return "routes to"
	case "acts":
		return "acts on"
	}
	return "watches"
}
