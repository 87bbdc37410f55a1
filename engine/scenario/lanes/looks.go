package lanes

// Colours of text and lines.
const (
	ink   = "#1f2933"
	faint = "#5f6c7b"
	rule  = "#e4e9ef"
	bad   = "#c92a2a"
	good  = "#2b8a3e"
	doubt = "#b35c00"

	answeredFill = "#9ad3a9" // of calls
	degradedFill = "#ffd166"
	failedFill   = "#e5605e"
)

// look is how a state is drawn. The order of looks is that of the legend.
type look struct {
	name, fill, line string
	striped          bool // told from others without colour
}

func looks() []look {
	return []look{
		{"starting", "#ffe3a3", "#e0a526", false},
		{"ready", "#b9e6c3", "#7fc795", false},
		{"unhealthy", "#f9c6c6", "#e28b8b", true},
		{"paused", "#b8d8f8", "#74a9df", false},
		{"quarantined", "#d5c5f9", "#9a78e0", false},
		{"failed", "#f08c8c", "#c94f4f", false},
		{"restarting", "#f7b27a", "#d9782a", false},
		{"stopping", "#dde3e9", "#b3bfcb", true},
		{"stopped", "#cfd7df", "#a3b1bf", false},

		{"closed", "#b9e6c3", "#7fc795", false},
		{"half_open", "#ffd166", "#d69a00", false},
		{"open", "#ec6a6a", "#c43d3d", false},
		{"forced_open", "#ec6a6a", "#8f1f1f", true},
		{"forced_closed", "#b9e6c3", "#3f8f57", true},
		{"disabled", "#dde3e9", "#b3bfcb", true},

		{"fired", "#fbc4dd", "#d6579a", false},

		{"healthy", "#b9e6c3", "#7fc795", false},
		{"degraded", "#ffe3a3", "#e0a526", false},
		{"critical", "#f3a6a6", "#d05f5f", false},
		{"emergency", "#d64545", "#8f1f1f", true},
	}
}

func lookOf(name string) look {
	for _, l := range looks() {
		if l.name == name {
			return l
		}
	}
	return look{name, "#ffffff", faint, false}
}

// tint is how a kind of step of the timeline is drawn.
func tint(kind string) look {
	switch kind {
	case "fault":
		return look{"fault", "#fdeaea", "#dd5a5a", false}
	case "action":
		return look{"action", "#e8f1fd", "#4a86d0", false}
	case "reload":
		return look{"reload", "#eeebfd", "#7457d6", false}
	case "world":
		return look{"world", "#fdf1e3", "#d98324", false}
	}
	return look{"moment", "#f1f4f7", "#6b7a8a", false}
}
