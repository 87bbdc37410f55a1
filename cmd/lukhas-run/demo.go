package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// newDemo is the small worker and the flaky server that the quickstart supervises: real processes that need nothing
// installed.
func newDemo() *cobra.Command {
	demo := &cobra.Command{
		Use:     "demo",
		Short:   "the small worker and flaky server that the quickstart supervises",
		Example: "  lukhas-run demo upstream --fail-every 20s",
	}
	demo.AddCommand(newDemoWorker(), newDemoUpstream())
	return demo
}

func newDemoWorker() *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "answer jsonl requests on stdin: price {grams}, break {seconds}, die",
		Args:  cobra.NoArgs,
		Example: `  echo '{"id":"1","type":"price","payload":{"grams":250}}' | lukhas-run demo worker
`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := demoWorker{out: cmd.OutOrStdout(), exit: os.Exit, now: time.Now}
			stop := context.AfterFunc(cmd.Context(), func() { w.exit(0) }) // a read of stdin cannot be interrupted
			defer stop()
			return w.serve(cmd.InOrStdin())
		},
	}
}

// demoWorker prices parcels. Its only state is until when it answers with errors.
type demoWorker struct {
	out    io.Writer
	exit   func(code int)
	now    func() time.Time
	broken time.Time
}

type demoRequest struct {
	ID      json.RawMessage `json:"id"` // whatever the asker chose
	Type    string          `json:"type"`
	Payload struct {
		Grams   float64 `json:"grams"`
		Seconds float64 `json:"seconds"`
	} `json:"payload"`
}

type demoError struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

type demoReply struct {
	ID    json.RawMessage `json:"id"`
	Reply any             `json:"reply,omitempty"`
	Error *demoError      `json:"error,omitempty"`
}

// serve answers until its input ends.
func (w *demoWorker) serve(in io.Reader) error {
	if _, err := fmt.Fprintln(w.out, "READY"); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var req demoRequest
		if err := json.Unmarshal(lines.Bytes(), &req); err != nil {
			fmt.Fprintf(w.out, "not a request: %s\n", err)
			continue
		}
		line, err := json.Marshal(w.answer(req))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w.out, "%s\n", line); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (w *demoWorker) answer(req demoRequest) demoReply {
	switch req.Type {
	case "price":
		if w.now().Before(w.broken) {
			return demoReply{ID: req.ID, Error: &demoError{Kind: "broken", Message: "told to break"}}
		}
		return demoReply{ID: req.ID, Reply: map[string]any{"price": 2 + req.Payload.Grams/100, "pid": os.Getpid()}}
	case "break":
		w.broken = w.now().Add(time.Duration(req.Payload.Seconds * float64(time.Second)))
		return demoReply{ID: req.ID, Reply: map[string]any{"broken_for": req.Payload.Seconds}}
	case "die":
		fmt.Fprintln(w.out, "told to die")
		w.exit(3)
	}
	return demoReply{ID: req.ID, Error: &demoError{Kind: "invalid", Message: fmt.Sprintf("unknown message %q", req.Type)}}
}

func newDemoUpstream() *cobra.Command {
	var listen string
	var every, lasts time.Duration
	cmd := &cobra.Command{
		Use:     "upstream",
		Short:   "serve /rates/COUNTRY, failing for a while now and then; POST /fail?for=10s makes it fail at once, POST /slow?by=300ms slow",
		Args:    cobra.NoArgs,
		Example: "  lukhas-run demo upstream --listen 127.0.0.1:7681 --fail-every 20s --fail-for 4s\n",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return fmt.Errorf("demo upstream: %w", err)
			}
			s := &http.Server{Handler: newDemoRates(every, lasts), ReadHeaderTimeout: 5 * time.Second}
			stop := closeOnCancel(cmd.Context(), s)
			defer stop()
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:7681", "address to listen on")
	cmd.Flags().DurationVar(&every, "fail-every", 0, "fail again this long after the last failing ended; 0: never by itself")
	cmd.Flags().DurationVar(&lasts, "fail-for", 4*time.Second, "how long it fails then")
	return cmd
}

// demoRates answers with a rate, or with 503 while it fails.
type demoRates struct {
	every, lasts time.Duration
	start        time.Time
	until        atomic.Int64 // told to fail until then, in unix nanoseconds
	slower       atomic.Int64 // told to take so much longer, in nanoseconds
}

func newDemoRates(every, lasts time.Duration) http.Handler {
	d := &demoRates{every: every, lasts: lasts, start: time.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /rates/{country}", d.rate)
	mux.HandleFunc("POST /fail", d.fail)
	mux.HandleFunc("POST /slow", d.slow)
	return mux
}

func (d *demoRates) rate(w http.ResponseWriter, r *http.Request) {
	if by := time.Duration(d.slower.Load()); by > 0 {
		select {
		case <-time.After(by):
		case <-r.Context().Done():
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if d.failing() {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, `{"error":"rates are down"}`)
		return
	}
	rate := 1 + float64(len(r.PathValue("country")))/8
	fmt.Fprintf(w, "{\"rate\":%.2f,\"source\":\"live\"}\n", rate)
}

func (d *demoRates) fail(w http.ResponseWriter, r *http.Request) {
	span, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil {
		http.Error(w, fmt.Sprintf("for=%q is not a duration: try /fail?for=10s", r.URL.Query().Get("for")), http.StatusBadRequest)
		return
	}
	d.until.Store(time.Now().Add(span).UnixNano())
	fmt.Fprintf(w, "failing for %s\n", span)
}

// slow makes each answer take longer, until told otherwise.
func (d *demoRates) slow(w http.ResponseWriter, r *http.Request) {
	by, err := time.ParseDuration(r.URL.Query().Get("by"))
	if err != nil || by < 0 || by > time.Minute {
		http.Error(w, fmt.Sprintf("by=%q is no duration up to 1m: try /slow?by=300ms", r.URL.Query().Get("by")), http.StatusBadRequest)
		return
	}
	d.slower.Store(int64(by))
	fmt.Fprintf(w, "slower by %s\n", by)
}

// failing is true while told to fail, and for the last part of each period.
func (d *demoRates) failing() bool {
	if time.Now().UnixNano() < d.until.Load() {
		return true
	}
	if d.every <= 0 {
		return false
	}
	return time.Since(d.start)%(d.every+d.lasts) >= d.every
}

// closeOnCancel closes the server when the context ends; the returned function waits for that watch to be over.
func closeOnCancel(ctx context.Context, s *http.Server) (stop func()) {
	done := context.AfterFunc(ctx, func() { _ = s.Close() })
	return func() { done() }
}
