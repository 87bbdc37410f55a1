package journal

import "errors"

var (
	// ErrUnknownType is returned by ParseType for a name that no event type has.
	ErrUnknownType = errors.New("unknown event type")
	// ErrLocked is returned by Open and Repair while another process, or another
	// Journal of this one, holds the directory.
	ErrLocked = errors.New("journal is in use")
	// ErrClosed is returned by what is called after Close.
	ErrClosed = errors.New("journal is closed")
	// ErrFailed is returned by everything that writes after a write or sync has
	// failed once: what the disk holds is then uncertain, so nothing is retried.
	ErrFailed = errors.New("journal stopped after a disk error")
	// ErrTooLarge is returned for an event or batch beyond the limits.
	ErrTooLarge = errors.New("event is too large")
	// ErrCausation is returned for an event that claims a cause that is not
	// before it.
	ErrCausation = errors.New("causation does not precede the event")
	// ErrDropped is returned by the Ack of events that a full buffer refused
	// under FullDrop; a Gap event will count them.
	ErrDropped = errors.New("journal buffer is full, events dropped")
	// ErrDamaged is returned when bytes that were once written properly are no
	// longer what they were.
	ErrDamaged = errors.New("journal is damaged")
	// ErrForeign is returned for a directory or segment that is not this journal's.
	ErrForeign = errors.New("not a segment of this journal")
	// ErrPruned is yielded to a reader that was overtaken by retention.
	ErrPruned = errors.New("events were dropped by retention before they were read")
	// errRow is returned for the rows of a frame that do not decode.
	errRow = errors.New("malformed row")
)
