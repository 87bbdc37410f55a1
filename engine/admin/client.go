package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/lukhasai/lukhas-run/engine"
)

// Client talks to a running engine. Safe for concurrent use.
type Client struct {
	path string
	http *http.Client
}

// NewClient makes a client of the engine that listens on the socket. Nothing is opened before the first call.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status asks what the engine looks like.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.call(ctx, http.MethodGet, "/v1/status", nil, &s)
	return s, err
}

// Actor asks about one actor. A name that means none, or several, is an *engine.Error.
func (c *Client) Actor(ctx context.Context, r ActorRequest) (ActorDetail, error) {
	path := "/v1/actors/" + url.PathEscape(r.Actor)
	if r.Timeout > 0 {
		path += "?timeout=" + r.Timeout.String()
	}
	var d ActorDetail
	err := c.call(ctx, http.MethodGet, path, nil, &d)
	return d, err
}

// Steer asks for a steering action and waits for the verdict. A refusal is an *engine.Error.
func (c *Client) Steer(ctx context.Context, s engine.Steer, by string) error {
	return c.call(ctx, http.MethodPost, "/v1/steer", steerRequest{Steer: s, By: by}, nil)
}

// Ask sends a message through the actor's guard and waits for the reply.
func (c *Client) Ask(ctx context.Context, r AskRequest) (any, error) {
	var reply any
	err := c.call(ctx, http.MethodPost, "/v1/ask", r, &reply)
	return reply, err
}

// Tell sends a message without waiting for what it does.
func (c *Client) Tell(ctx context.Context, r AskRequest) error {
	return c.call(ctx, http.MethodPost, "/v1/tell", r, nil)
}

// Reload asks the engine to read its files again and waits for the verdict.
func (c *Client) Reload(ctx context.Context, r ReloadRequest) (ReloadResult, error) {
	var res ReloadResult
	err := c.call(ctx, http.MethodPost, "/v1/reload", r, &res)
	return res, err
}

// Plan asks what running other files would change. Nothing is changed by asking.
func (c *Client) Plan(ctx context.Context, r PlanRequest) (PlanResult, error) {
	var res PlanResult
	err := c.call(ctx, http.MethodPost, "/v1/plan", r, &res)
	return res, err
}

// Events gives the kept events after a sequence number to do, and with follow all that come until ctx ends or the engine
// stops. An error of do ends it.
func (c *Client) Events(ctx context.Context, after uint64, follow bool, do func(Event) error) error {
	path := fmt.Sprintf("/v1/events?after=%d&follow=%t", after, follow)
	res, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxBody)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: {")
		if !ok {
			continue
		}
		var e Event
		if err := json.Unmarshal([]byte("{"+data), &e); err != nil {
			return fmt.Errorf("an event of the engine at %s: %w", c.path, err)
		}
		if err := do(e); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return c.broken(err)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("the answer of the engine at %s: %w", c.path, err)
	}
	return nil
}

// send makes the request; an answer that is an error becomes an *engine.Error.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var data bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&data).Encode(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, &data)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	var refused *net.OpError
	if errors.As(err, &refused) && refused.Op == "dial" {
		return nil, fmt.Errorf("%w at %s: is it running, and with this data directory? (--data DIR)", ErrUnreachable, c.path)
	}
	if err != nil {
		return nil, c.broken(err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	var e wireError
	if err := json.NewDecoder(io.LimitReader(res.Body, maxBody)).Decode(&e); err != nil {
		return nil, fmt.Errorf("the engine at %s answered %s", c.path, res.Status)
	}
	return nil, &engine.Error{Kind: e.Kind, Message: e.Message, By: e.By, Status: e.Status}
}

// broken tells of a conversation that ended in the middle: mostly the engine has ended.
func (c *Client) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%w any more at %s: it has stopped, or is about to; what was asked of it may have been done", ErrUnreachable, c.path)
	}
	return fmt.Errorf("the engine at %s: %w", c.path, err)
}
