package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// Limits on what goes to and comes from an upstream for a message; what is proxied streams without them.
const (
	maxRequest  = 8 << 20
	maxResponse = 8 << 20
)

// request is a message made ready to be sent.
type request struct {
	method  string
	target  string
	host    string // "" is the upstream's own
	header  http.Header
	body    []byte
	env     rules.Env
	by      string
	replies *rules.Template // nil: the decoded body
}

// request builds what the message says, by its operation.
func (u *upstream) request(ctx engine.Context, m engine.Msg) (*request, error) {
	env := environment(m)
	meta := ctx.Meta()
	env.Params, env.Now = ctx.Plan().ParamValues(), ctx.Now().Seconds()
	env.Call = &rules.Call{
		From: meta.From, To: ctx.Path(), Replica: ctx.Actor().Name, Message: m.Type, Key: meta.Key, Attempt: meta.Attempt,
		Probe: meta.Probe, Idempotent: meta.Idempotent, Priority: meta.Priority,
	}
	r, err := u.build(operationOf(ctx.Actor().Upstream, m.Type), m, env)
	if err == nil && meta.Correlation != "" && r.header.Get("X-Request-Id") == "" {
		r.header.Set("X-Request-Id", meta.Correlation)
	}
	return r, err
}

func environment(m engine.Msg) rules.Env { return rules.Env{Msg: m.Payload} }

// build uses the default operation when op is nil.
func (u *upstream) build(op *plan.Operation, m engine.Msg, env rules.Env) (*request, error) {
	r := &request{method: http.MethodPost, header: http.Header{}, env: env, by: u.path}
	path := "/" + url.PathEscape(m.Type)
	body := m.Payload
	if op != nil {
		var err error
		if path, err = r.shape(op, path); err != nil {
			return nil, err
		}
		if body, err = r.content(op, m); err != nil {
			return nil, err
		}
	}
	target, err := u.join(path)
	if err != nil {
		return nil, u.invalid(m, err)
	}
	r.target = target
	if body == nil && (op == nil || op.Body == nil) && !carriesBody(r.method) {
		return r, nil
	}
	if r.body, err = json.Marshal(body); err != nil {
		return nil, u.invalid(m, err)
	}
	if len(r.body) > maxRequest {
		return nil, u.invalid(m, fmt.Errorf("%d bytes of JSON; at most %d", len(r.body), maxRequest))
	}
	if r.header.Get("Content-Type") == "" {
		r.header.Set("Content-Type", "application/json")
	}
	return r, nil
}

func (u *upstream) invalid(m engine.Msg, err error) *engine.Error {
	return &engine.Error{Kind: engine.KindInvalid, By: u.path, Message: fmt.Sprintf("message %q: %v", m.Type, err)}
}

func carriesBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// shape takes method, path, headers and reply from the operation.
func (r *request) shape(op *plan.Operation, path string) (string, error) {
	if op.Method != "" {
		r.method = op.Method
	}
	r.replies = op.Reply
	for _, h := range op.Headers {
		v, err := h.Value.Build(&r.env)
		if err != nil {
			return "", r.expression("headers."+h.Name, err)
		}
		if v == nil {
			continue // a header that has no value is left out
		}
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			r.host = fmt.Sprint(v)
			continue
		}
		r.header.Set(h.Name, fmt.Sprint(v))
	}
	if op.Path == nil {
		return path, nil
	}
	path, err := op.Path.Text(&r.env)
	if err != nil {
		return "", r.expression("path", err)
	}
	return path, nil
}

// content is what goes into the body: what the operation builds, else the message where the method carries one.
func (r *request) content(op *plan.Operation, m engine.Msg) (any, error) {
	if op.Body == nil {
		if carriesBody(r.method) {
			return m.Payload, nil
		}
		return nil, nil
	}
	body, err := op.Body.Build(&r.env)
	if err != nil {
		return nil, r.expression("body", err)
	}
	return body, nil
}

func (r *request) expression(what string, err error) *engine.Error {
	return &engine.Error{Kind: engine.KindExpression, By: r.by, Message: what + ": " + err.Error()}
}

// join puts an operation's path behind the upstream's own. A path cannot leave the upstream: not by another host and not
// by dot segments, wherever its text came from.
func (u *upstream) join(path string) (string, error) {
	ref, err := url.ParseRequestURI(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPath, err)
	}
	if !strings.HasPrefix(path, "/") || ref.Host != "" || ref.Scheme != "" {
		return "", fmt.Errorf("%w: %q; it must start with /", ErrPath, path)
	}
	if slices.ContainsFunc(strings.Split(ref.Path, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return "", fmt.Errorf("%w: %q has dot segments", ErrPath, path)
	}
	target := *u.base
	target.Path = strings.TrimSuffix(u.base.Path, "/") + ref.Path
	target.RawPath = strings.TrimSuffix(u.base.EscapedPath(), "/") + ref.EscapedPath()
	target.RawQuery = ref.RawQuery
	return target.String(), nil
}

// exchange sends the request and reads its whole answer. The error is an *engine.Error; an answer that is not 2xx is one
// of the kind status, unless the operation says what to reply and it is below 400.
func (u *upstream) exchange(ctx context.Context, r *request) (any, error) {
	ctx, done, refused := u.begin(ctx)
	if refused != nil {
		return nil, refused
	}
	defer done()
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	out, err := http.NewRequestWithContext(ctx, r.method, r.target, body)
	if err != nil {
		return nil, &engine.Error{Kind: engine.KindInvalid, By: u.path, Message: err.Error()}
	}
	out.Header = r.header
	if r.host != "" {
		out.Host = r.host
	}
	resp, err := u.once.RoundTrip(out)
	if err != nil {
		return nil, u.failure(ctx, err)
	}
	defer resp.Body.Close()
	got, err := read(resp)
	if err != nil {
		return nil, u.failure(ctx, fmt.Errorf("%s %s: %w", r.method, out.URL.Path, err))
	}
	if resp.StatusCode >= 400 || resp.StatusCode >= 300 && r.replies == nil {
		return nil, &engine.Error{
			Kind: engine.KindStatus, Status: resp.StatusCode, By: u.path, Delivered: true,
			Message: fmt.Sprintf("%s %s: %s", r.method, out.URL.Path, resp.Status),
		}
	}
	return got, nil
}

// CheckHTTP gets a path of the upstream and is satisfied by a status of the 200s.
func (u *upstream) CheckHTTP(ctx context.Context, path string) error {
	target, err := u.join(path)
	if err != nil {
		return err
	}
	_, err = u.exchange(ctx, &request{method: http.MethodGet, target: target, header: http.Header{}, by: u.path})
	return err
}

// read takes a response's whole body and decodes it where it is JSON.
func read(resp *http.Response) (*rules.Response, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxResponse {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, maxResponse)
	}
	got := &rules.Response{Status: resp.StatusCode, Headers: make(map[string]string, len(resp.Header)), Text: string(data)}
	for name, values := range resp.Header {
		got.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if isJSON(resp.Header.Get("Content-Type")) && len(data) > 0 {
		if err := json.Unmarshal(data, &got.JSON); err != nil {
			return nil, fmt.Errorf("the answer calls itself JSON: %w", err)
		}
	}
	return got, nil
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// reply is what the asker gets: what the operation builds, else the decoded body, else its text.
func (r *request) reply(answer any) (any, error) {
	got, ok := answer.(*rules.Response)
	if !ok {
		return answer, nil // a model of the world has answered in the upstream's place
	}
	if r.replies != nil {
		r.env.Response = got
		value, err := r.replies.Build(&r.env)
		if err != nil {
			return nil, r.expression("reply", err)
		}
		return value, nil
	}
	if got.JSON == nil && got.Text != "" && !isJSON(got.Headers["content-type"]) {
		return got.Text, nil
	}
	return got.JSON, nil
}
