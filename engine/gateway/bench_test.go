package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/upstream"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// BenchmarkProxy passes 1 KiB through the gateway and an upstream actor, beside a bare httputil.ReverseProxy in the same run.
func BenchmarkProxy(b *testing.B) {
	text := strings.Repeat("x", 1024)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }))
	defer s.Close()
	target, _ := url.Parse(s.URL)
	b.Run("peer=ReverseProxy", func(b *testing.B) {
		p := httputil.NewSingleHostReverseProxy(target)
		p.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
		front := httptest.NewServer(p)
		defer front.Close()
		load(b, front.URL)
	})
	b.Run("gateway", func(b *testing.B) {
		actor, err := upstream.New()(&plan.Actor{Path: "root/up", Definition: &plan.Definition{Upstream: &plan.UpstreamSpec{URL: s.URL}}}, nil)
		if err != nil {
			b.Fatal(err)
		}
		p := planWith(nil, plan.HTTPRoute{Name: "p", Path: "/", To: "up"})
		g := New(&fakeEngine{proxied: actor.(engine.Proxy), quiet: true}, clock.System())
		if err := g.Prepare(p.Gateway); err != nil {
			b.Fatal(err)
		}
		g.Swap(p)
		defer g.Shutdown(b.Context())
		load(b, "http://"+g.Addresses()[0].Address)
	})
}

// load keeps a few connections busy.
func load(b *testing.B, address string) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	b.ReportAllocs()
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := transport.RoundTrip(httptest.NewRequest("GET", address, nil))
			if err != nil {
				b.Error(err)
				return
			}
			if n, err := io.Copy(io.Discard, resp.Body); n != 1024 || err != nil {
				b.Errorf("%d bytes, %v", n, err)
			}
			resp.Body.Close()
		}
	})
}
