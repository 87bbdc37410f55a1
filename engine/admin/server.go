package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// maxBody bounds a request to the API.
const maxBody = 4 << 20

// Server answers the API on one unix socket.
type Server struct {
	http *http.Server
	path string
	done chan struct{} // closed when the one goroutine, started by Listen, has returned
}

// Listen opens the socket and serves e. The caller holds the data directory's lock, so a socket file that lies there was
// left by an engine that is gone and is replaced.
func Listen(path string, e Engine) (*Server, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("admin socket %q: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	s := &Server{path: path, done: make(chan struct{})}
	s.http = &http.Server{Handler: handler(e), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 1 << 16}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // ErrServerClosed, the only end there is
	}()
	return s, nil
}

// Close ends the API at once and waits for its goroutine. Requests under way are cut off.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	_ = os.Remove(s.path) // gone already where the listener unlinked it
	return err
}

func handler(e Engine) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, e.Status(), nil) })
	mux.HandleFunc("GET /v1/actors/{path...}", func(w http.ResponseWriter, r *http.Request) { actor(w, r, e) })
	mux.HandleFunc("POST /v1/steer", func(w http.ResponseWriter, r *http.Request) {
		var s steerRequest
		if !read(w, r, &s) {
			return
		}
		answer(w, struct{}{}, refusal(e.Steer(r.Context(), s.Steer, by(s.By)), nil))
	})
	mux.HandleFunc("POST /v1/ask", func(w http.ResponseWriter, r *http.Request) {
		var q AskRequest
		if !read(w, r, &q) {
			return
		}
		reply, err := e.Ask(r.Context(), q)
		answer(w, reply, err)
	})
	mux.HandleFunc("POST /v1/tell", func(w http.ResponseWriter, r *http.Request) {
		var q AskRequest
		if !read(w, r, &q) {
			return
		}
		answer(w, struct{}{}, e.Tell(r.Context(), q))
	})
	mux.HandleFunc("POST /v1/reload", func(w http.ResponseWriter, r *http.Request) {
		var q ReloadRequest
		if !read(w, r, &q) {
			return
		}
		q.By = by(q.By)
		res, err := e.Reload(r.Context(), q)
		answer(w, res, refusal(err, res.Problems))
	})
	mux.HandleFunc("POST /v1/plan", func(w http.ResponseWriter, r *http.Request) {
		var q PlanRequest
		if !read(w, r, &q) {
			return
		}
		res, err := e.Plan(r.Context(), q)
		answer(w, res, err)
	})
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) { events(w, r, e) })
	return mux
}

// actor answers with one actor's detail; ?timeout=500ms bounds the wait for its state.
func actor(w http.ResponseWriter, r *http.Request, e Engine) {
	q := ActorRequest{Actor: r.PathValue("path")}
	if text := r.URL.Query().Get("timeout"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > maxLook {
			answer(w, nil, &engine.Error{Kind: engine.KindInvalid, By: "admin",
				Message: fmt.Sprintf("timeout %q: expected a duration above 0 and up to %s, such as 500ms", text, maxLook)})
			return
		}
		q.Timeout = d
	}
	detail, err := e.Actor(r.Context(), q)
	answer(w, detail, err)
}

// maxLook bounds how long one may wait to read an actor's state.
const maxLook = time.Hour

// steerRequest is a Steer and who wants it.
type steerRequest struct {
	engine.Steer
	By string `json:"by"`
}

func by(who string) string {
	if who == "" {
		return "admin"
	}
	return who
}

// read decodes a bounded body; false means that the answer has been written.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	if err := d.Decode(into); err != nil {
		answer(w, nil, &engine.Error{Kind: engine.KindInvalid, Message: "the request is not valid JSON for this call: " + err.Error(), By: "admin"})
		return false
	}
	return true
}

// answer writes a value, or an error with a status that fits its kind.
func answer(w http.ResponseWriter, value any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err == nil {
		writeJSON(w, value)
		return
	}
	e := engine.ErrorOf(err, "")
	status := http.StatusBadGateway
	switch {
	case errors.Is(err, engine.ErrUnknownActor):
		status, e = http.StatusNotFound, &engine.Error{Kind: "unknown", Message: err.Error()}
	case e.Kind == engine.KindInvalid:
		status = http.StatusBadRequest
	case e.Kind == engine.KindTimeout:
		status = http.StatusGatewayTimeout
	case e.Kind == engine.KindRefused:
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
	writeJSON(w, wireError{Kind: e.Kind, Message: e.Message, By: e.By, Status: e.Status})
}

// refusal makes the engine's no to an operator an error that says so, with all its reasons where there are several. What
// is an *engine.Error already, or the end of the request, stays as it is.
func refusal(err error, reasons []string) error {
	var own *engine.Error
	if err == nil || errors.As(err, &own) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	message := err.Error()
	if len(reasons) > 1 {
		message = strings.Join(reasons, "\n")
	}
	return &engine.Error{Kind: engine.KindRefused, Message: message}
}

// writeJSON writes a value and a line end; what cannot be encoded becomes an error the reader can see.
func writeJSON(w http.ResponseWriter, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		data, _ = json.Marshal(wireError{Kind: "encoding", Message: err.Error()}) // text always encodes
	}
	_, _ = w.Write(append(data, '\n')) // the reader went away: nothing to tell it
}

// events streams as server-sent events, resuming after Last-Event-ID or ?after=SEQ; with ?follow=false it ends after the
// events that are kept.
func events(w http.ResponseWriter, r *http.Request, e Engine) {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	after, _ := strconv.ParseUint(last, 10, 64) // absent or unreadable: from the oldest kept
	w.Header().Set("Content-Type", "text/event-stream")
	if r.URL.Query().Get("follow") == "false" {
		writeEvents(w, e.Events().Recent(after))
		return
	}
	out := http.NewResponseController(w)
	sub := e.Events().Subscribe(4096, after)
	defer sub.Close()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-sub.Wake():
		}
		list, dropped, more := sub.Take()
		if dropped > 0 {
			fmt.Fprintf(w, "event: dropped\ndata: %d\n\n", dropped)
		}
		writeEvents(w, list)
		if out.Flush() != nil || !more && len(list) == 0 {
			return
		}
	}
}

func writeEvents(w http.ResponseWriter, list []journal.Event) {
	for _, e := range list {
		data, err := json.Marshal(Show(e))
		if err == nil {
			fmt.Fprintf(w, "id: %d\ndata: %s\n\n", e.Seq, data)
		}
	}
}

// Event is one event as the API shows it.
type Event struct {
	Seq         uint64          `json:"seq"`
	Time        time.Time       `json:"time"`
	Type        string          `json:"type"`
	Actor       string          `json:"actor,omitempty"`
	Correlation string          `json:"correlation,omitempty"`
	Causation   uint64          `json:"causation,omitempty"`
	Text        string          `json:"text"` // for people
	Body        json.RawMessage `json:"body,omitempty"`
}

// Show gives the event in the API's form.
func Show(e journal.Event) Event {
	out := Event{Seq: e.Seq, Time: time.Unix(0, e.Time).UTC(), Type: e.Type.String(), Actor: e.Actor,
		Correlation: e.Correlation, Causation: e.Causation, Text: journal.Describe(e)}
	if json.Valid(e.Payload) {
		out.Body = e.Payload
	}
	return out
}
