package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	clients  = 32
	upgrades = 8
	atMost   = 5 * time.Minute
)

// reloading changes thresholds, limits and routes of a running engine n times under load, and fails when a request fails
// or an upgraded connection drops.
func reloading(dir, binary string, n int) error {
	service, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(serve)}
	go func() { _ = server.Serve(service) }()
	defer server.Close()
	e := &engine{file: filepath.Join(dir, "reload.yaml"), data: filepath.Join(dir, "d")}
	e.text = strings.ReplaceAll(topology(reloaded, every), origin, service.Addr().String())
	stop, err := e.start(binary)
	if err != nil {
		return err
	}
	defer stop()
	l := &load{address: reloaded, stop: make(chan struct{})}
	l.start()
	began := time.Now()
	done := 0
	for ; done < n && err == nil && time.Since(began) < atMost; done++ {
		err = e.reload(done)
	}
	took := time.Since(began)
	close(l.stop)
	l.running.Wait()
	if err != nil {
		return fmt.Errorf("reload %d: %w", done, err)
	}
	fmt.Printf("\n%d reloads in %v under load: %d requests, %d failed; %d echoes over %d upgraded connections, %d dropped\n",
		done, took.Round(time.Millisecond), l.served.Load(), l.failed.Load(), l.echoed.Load(), upgrades, l.dropped.Load())
	if l.failed.Load()+l.dropped.Load() > 0 || l.served.Load() == 0 || l.echoed.Load() == 0 || done < n {
		return fmt.Errorf("%d of %d reloads; the first loss: %v", done, n, l.first.Load())
	}
	return nil
}

// engine is the one that is reloaded, by its admin socket.
type engine struct {
	file, data, text string
	admin            *http.Client
}

func (e *engine) start(binary string) (stop func(), err error) {
	if err := os.WriteFile(e.file, []byte(e.text), 0o600); err != nil {
		return nil, err
	}
	c := exec.Command(binary, "run", e.file, "--data", e.data)
	if err := c.Start(); err != nil {
		return nil, err
	}
	e.admin = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", filepath.Join(e.data, "admin.sock"))
	}}}
	stop = func() { _ = c.Process.Signal(os.Interrupt); _ = c.Wait() }
	if err := answers(reloaded); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// reload makes the i-th variant of the topology the running one.
func (e *engine) reload(i int) error {
	changed := strings.NewReplacer("consecutive_failures: 50", fmt.Sprint("consecutive_failures: ", 50+i%50),
		"concurrent: 1000", fmt.Sprint("concurrent: ", 500+i), "path: /,", fmt.Sprintf("path: /, priority: %d,", i%10)).Replace(e.text)
	if err := os.WriteFile(e.file, []byte(changed), 0o600); err != nil {
		return err
	}
	resp, err := e.admin.Post("http://engine/v1/reload", "application/json", strings.NewReader(`{"by": "bench"}`))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var got struct {
		Generation int
		Problems   []string
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != 200 || len(got.Problems) > 0 {
		return fmt.Errorf("%s: %+v, %w", resp.Status, got, err)
	}
	if got.Generation < i+2 { // the first is the start's; the engine's own watch may have been quicker, which is as good
		return fmt.Errorf("generation %d after %d reloads", got.Generation, i+1)
	}
	return nil
}

// load keeps asking and echoing until it is stopped.
type load struct {
	address                         string
	stop                            chan struct{}
	running                         sync.WaitGroup
	served, failed, echoed, dropped atomic.Int64
	first                           atomic.Value // the first thing that went wrong
}

func (l *load) start() {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, Timeout: 10 * time.Second}
	for range clients {
		l.running.Go(func() { l.until(func() error { return l.request(client) }, &l.served, &l.failed) })
	}
	for range upgrades {
		l.running.Go(l.upgrade)
	}
}

func (l *load) until(step func() error, ok, bad *atomic.Int64) {
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		if err := step(); err != nil {
			l.first.CompareAndSwap(nil, err.Error())
			bad.Add(1)
			continue
		}
		ok.Add(1)
	}
}

func (l *load) request(client *http.Client) error {
	resp, err := client.Post("http://"+l.address+"/", "text/plain", strings.NewReader("hello"))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || string(body) != "hello" {
		return fmt.Errorf("%d %q %w", resp.StatusCode, body, err)
	}
	return nil
}

// upgrade holds one connection through all reloads.
func (l *load) upgrade() {
	fail := func(err error) { l.first.CompareAndSwap(nil, err.Error()); l.dropped.Add(1) }
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		fail(err)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		fail(fmt.Errorf("upgrade: %v, %v", resp, err))
		return
	}
	broken := false
	l.until(func() error {
		if broken {
			<-l.stop
			return nil
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintln(conn, "echo")
		line, err := in.ReadString('\n')
		if broken = err != nil || line != "echo\n"; broken {
			return fmt.Errorf("upgraded connection: %q %w", line, err)
		}
		time.Sleep(time.Millisecond)
		return nil
	}, &l.echoed, &l.dropped)
}

// serve echoes bodies and upgraded connections.
func serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		_, _ = io.Copy(w, r.Body)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_ = rw.Flush()
	_, _ = io.Copy(conn, rw)
}
