package gateway

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// requestID is the header that carries a request's correlation, in and out.
const requestID = "X-Request-Id"

const defaultMaxBody = 8 << 20

// ServeHTTP answers one request by the routes of the generation that is current when it comes.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 2 {
		to := newStream(w, s)
		defer to.finish()
		w = to
	}
	x := &exchange{site: s, table: s.table.Load(), w: w, r: r, id: correlation(r)}
	w.Header().Set(requestID, x.id)
	if conn, ok := r.Context().Value(wireKey{}).(*wire); ok && x.refusedBy(conn) {
		return
	}
	if v := decent(r); v != nil {
		x.refuse(v.status, v.reason)
		return
	}
	found, allow := x.table.match(r)
	switch {
	case found == nil && allow == nil:
		x.refuse(http.StatusNotFound, fmt.Sprintf("no route for %q", r.URL.Path))
		return
	case found == nil:
		w.Header().Set("Allow", strings.Join(allow, ", "))
		x.refuse(http.StatusMethodNotAllowed, fmt.Sprintf("%s is not allowed here", r.Method))
		return
	}
	x.route = found
	if limit := x.maxBody(); r.ContentLength > limit {
		x.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has %d bytes; at most %d", r.ContentLength, limit))
		return
	}
	x.limitBody()
	if x.body != nil {
		defer x.body.release()
	}
	x.serve()
}

// correlation is what the client calls its request when that can be used, else a name of our own.
func correlation(r *http.Request) string {
	id := r.Header.Get(requestID)
	if len(id) > 0 && len(id) <= journal.MaxCorrelationBytes && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return id
	}
	var random [12]byte
	_, _ = rand.Read(random[:])
	return hex.EncodeToString(random[:])
}

// decent refuses what no route may see: a path with dot segments, which an upstream would read as another path than the
// routes do, and an upgrade to HTTP/2, whose requests nobody could check.
func decent(r *http.Request) *violation {
	if slices.ContainsFunc(strings.Split(r.URL.Path, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return bad("the path has dot segments")
	}
	if hasToken(r.Header.Get("Upgrade"), "h2c") {
		return bad("no upgrade to HTTP/2; where it is on, begin with it")
	}
	return nil
}

// exchange is one request on its way.
type exchange struct {
	site  *site
	table *table
	route *route
	w     http.ResponseWriter
	r     *http.Request
	id    string
	body  *body // nil without one
}

// refusedBy answers a request that stands for a head that the wire refused, and prepares the wire for an upgrade's answer.
func (x *exchange) refusedBy(conn *wire) bool {
	if why := x.r.Header.Get(conn.secret); why != "" {
		code, reason, _ := strings.Cut(why, " ")
		status, err := strconv.Atoi(code)
		if err != nil {
			status = http.StatusBadRequest
		}
		x.refuse(status, reason)
		return true
	}
	if x.r.Header.Get("Upgrade") != "" {
		conn.answering.Store(true)
	}
	return false
}

func (x *exchange) maxBody() int64 { return orDefault(x.table.def.MaxBody, defaultMaxBody) }

func (x *exchange) serve() {
	env := rules.Env{Params: x.table.plan.ParamValues(), Now: float64(x.site.clock.Now()) / 1e9}
	request, err := x.read()
	if err != nil {
		x.badBody(err)
		return
	}
	env.Request = request
	meta := engine.Meta{
		Correlation: x.id, From: x.route.from, Priority: x.route.Priority, Attempt: 1,
		Idempotent: x.route.Idempotent || guard.Idempotent(x.r),
	}
	if x.route.Key != nil {
		key, err := x.route.Key.Value(&env)
		if err != nil {
			x.expression("key", err)
			return
		}
		if key != nil {
			meta.Key = fmt.Sprint(key)
		}
	}
	if x.route.Message == "" {
		x.proxy(meta)
		return
	}
	x.ask(meta, &env)
}

// expression answers when the route's own expression does not fit the request.
func (x *exchange) expression(what string, err error) {
	x.problem(http.StatusBadRequest, engine.KindExpression, fmt.Sprintf("route %s: %s: %v", x.route.from, what, err))
}

// read is the request as expressions see it, as much of it as the route's need.
func (x *exchange) read() (*rules.Request, error) {
	r := &rules.Request{Method: x.r.Method, Path: x.r.URL.Path}
	if x.route.needs.headers {
		r.Headers = make(map[string]string, len(x.r.Header))
		for name, values := range x.r.Header {
			r.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	if x.route.needs.query {
		query, err := url.ParseQuery(x.r.URL.RawQuery)
		if err != nil {
			return nil, fmt.Errorf("the query: %w", err)
		}
		r.Query = make(map[string]string, len(query))
		for name, values := range query {
			r.Query[name] = values[0]
		}
	}
	if !x.route.needs.body || x.body == nil {
		return r, nil
	}
	data, err := x.readBody()
	if err != nil {
		return nil, err
	}
	r.Text = string(data)
	if err := json.Unmarshal(data, &r.JSON); err != nil {
		r.JSON = nil // where text will do, what does not call itself JSON, as with `curl -d`, may be or not
		if len(data) > 0 && (!x.route.needs.text || saysJSON(x.r.Header.Get("Content-Type"))) {
			return nil, notJSON(data, err)
		}
	}
	return r, nil
}

// notJSON says where a body stops being JSON.
func notJSON(data []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("the body is not JSON: %w", err)
	}
	before := data[:min(max(int(syntax.Offset)-1, 0), len(data))]
	line, start := 1+bytes.Count(before, []byte{'\n'}), bytes.LastIndexByte(before, '\n')+1
	return fmt.Errorf("the body is not JSON: line %d, column %d: %w", line, 1+utf8.RuneCount(before[start:]), err)
}

// readBody reads the whole body; a proxied exchange gets it again from the start.
func (x *exchange) readBody() ([]byte, error) {
	data, err := io.ReadAll(x.r.Body)
	if err != nil {
		return nil, err
	}
	x.body.keepAll(data)
	x.r.Body = x.body.newReader()
	return data, nil
}

func saysJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

func (x *exchange) ask(meta engine.Meta, env *rules.Env) {
	payload := env.Request.JSON
	if x.route.With != nil {
		var err error
		if payload, err = x.route.With.Build(env); err != nil {
			x.expression("with", err)
			return
		}
	}
	answer, err := x.site.engine.Ask(x.r.Context(), x.route.to, engine.Msg{Type: x.route.Message, Payload: payload}, meta)
	if err != nil {
		x.fail(engine.ErrorOf(err, ""))
		return
	}
	x.answer(answer)
}

// proxy passes the exchange through. Both directions stream at once: a client may still be sending when the answer begins.
func (x *exchange) proxy(meta engine.Meta) {
	r := x.r
	if r.ProtoMajor == 1 {
		_ = http.NewResponseController(x.w).EnableFullDuplex()
	}
	r.Header.Set(requestID, x.id)
	if prefix := x.route.StripPrefix; prefix != "" {
		r.URL = stripped(r.URL, prefix)
	}
	answer, err := x.site.engine.Proxy(x.w, r, x.route.to, meta)
	switch {
	case err != nil && !errors.Is(err, http.ErrAbortHandler):
		x.fail(engine.ErrorOf(err, ""))
	case err != nil:
		panic(http.ErrAbortHandler) // the answer broke off: so must the connection
	case answer != nil:
		x.answer(*answer)
	}
}

// stripped is u without a prefix of its path, which keeps its leading slash.
func stripped(u *url.URL, prefix string) *url.URL {
	out := *u
	out.Path = "/" + strings.TrimLeft(strings.TrimPrefix(u.Path, prefix), "/")
	out.RawPath = "/" + strings.TrimLeft(strings.TrimPrefix(u.EscapedPath(), prefix), "/")
	return &out
}
