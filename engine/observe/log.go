package observe

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/lukhasai/lukhas-run/journal"
)

// LogOptions say how events become lines.
type LogOptions struct {
	Format string // console for people, json for machines
	Level  string // debug, info, warn or error: events below it are left out
	Color  bool
}

// Log writes events as lines. For one goroutine.
type Log struct {
	out   zerolog.Logger
	json  bool
	color bool
}

// NewLog makes a log on w. The level must be one that zerolog knows; an unknown one is info.
func NewLog(w io.Writer, o LogOptions) *Log {
	level, err := zerolog.ParseLevel(o.Level)
	if err != nil || level == zerolog.NoLevel {
		level = zerolog.InfoLevel
	}
	l := &Log{json: o.Format == "json", color: o.Color && o.Format != "json"}
	if !l.json {
		w = zerolog.ConsoleWriter{
			Out: w, NoColor: !o.Color, TimeFormat: "15:04:05.000",
			TimeLocation: time.Local,
			PartsOrder:   []string{zerolog.TimestampFieldName, zerolog.LevelFieldName, zerolog.MessageFieldName},
			// The level's colour says what matters; a message that is always bold says nothing.
			FormatMessage: func(message any) string { return fmt.Sprint(message) },
		}
	}
	l.out = zerolog.New(w).Level(level)
	return l
}

// Write logs one event.
func (l *Log) Write(e journal.Event) {
	level := severity(e)
	line := l.out.WithLevel(level)
	if line == nil {
		return
	}
	line = line.Str(zerolog.TimestampFieldName, stamp(time.Unix(0, e.Time)))
	if l.json {
		line = line.Uint64("seq", e.Seq).Str("type", e.Type.String()).Str("actor", e.Actor).
			Str("correlation", e.Correlation).Uint64("causation", e.Causation)
		if json.Valid(e.Payload) {
			line = line.RawJSON("body", e.Payload)
		}
	}
	text := journal.Describe(e)
	if l.color {
		text = paint(level, e.Actor, text)
	}
	line.Msg(text)
}

// Colours of a terminal, as escape sequences.
const (
	plain  = "\x1b[0m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
)

// paint makes the actor stand out from what happened to it, and what matters from what does not.
func paint(level zerolog.Level, actor, text string) string {
	rest, about := strings.CutPrefix(text, actor)
	if !about || actor == "" {
		actor, rest = "", text
	} else {
		actor = cyan + actor + plain
	}
	switch level {
	case zerolog.WarnLevel:
		rest = yellow + rest + plain
	case zerolog.ErrorLevel:
		rest = red + rest + plain
	}
	return actor + rest
}

// Note logs a line that is not an event: about the program itself.
func (l *Log) Note(level, text string, now time.Time) {
	at, err := zerolog.ParseLevel(level)
	if err != nil {
		at = zerolog.InfoLevel
	}
	l.out.WithLevel(at).Str(zerolog.TimestampFieldName, stamp(now)).Msg(text)
}

// stamp is RFC 3339 with milliseconds.
func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }

// severity is how much an event matters to somebody who reads the log.
func severity(e journal.Event) zerolog.Level {
	switch e.Type {
	case journal.TypeInput, journal.TypeSample, journal.TypeMessage, journal.TypeCall:
		return zerolog.TraceLevel
	case journal.TypeActorStarting, journal.TypeActorStopping, journal.TypeRuleCleared:
		return zerolog.DebugLevel
	case journal.TypeActorFailed, journal.TypeActorRestarting, journal.TypeQuarantined, journal.TypeDeadLetter, journal.TypeRuleFired, journal.TypeGap, journal.TypeJournalRecovered:
		return zerolog.WarnLevel
	case journal.TypeSupervisorGaveUp, journal.TypeActorLeaked, journal.TypeReloadRejected, journal.TypeReloadRolledBack, journal.TypeRuleFailed:
		return zerolog.ErrorLevel
	}
	return bodySeverity(e)
}

// bodySeverity looks at what an event says where its type alone does not tell.
func bodySeverity(e journal.Event) zerolog.Level {
	b, err := e.Body()
	if err != nil {
		return zerolog.WarnLevel
	}
	switch b := b.(type) {
	case journal.BreakerChanged:
		if b.To == "open" || b.To == "forced_open" {
			return zerolog.WarnLevel
		}
	case journal.Probe:
		if !b.Healthy {
			return zerolog.WarnLevel
		}
	case journal.PatternFound, journal.Infected:
		return zerolog.WarnLevel
	case journal.EmergencyChanged:
		return zerolog.ErrorLevel
	case journal.ActionDone:
		if b.Result == "" || b.Result == "done" {
			return zerolog.DebugLevel // what it did is an event of its own
		}
		return zerolog.WarnLevel
	case journal.Logged:
		if at, err := zerolog.ParseLevel(b.Level); err == nil && at != zerolog.NoLevel {
			return at
		}
	}
	return zerolog.InfoLevel
}
