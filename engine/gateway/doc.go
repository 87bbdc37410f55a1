// Package gateway is the engine's HTTP ingress: listeners, routes and what a strict server refuses.
//
// Every HTTP/1 byte is looked at before net/http sees it (wire.go): net/http accepts a request with both Content-Length and
// Transfer-Encoding and hides the length, and whoever stands behind may read it the other way. A request that breaks the
// rules is answered and its connection ends.
//
// Prepare binds and loads everything that can fail; Swap then makes a plan's routes the running ones, under connections
// that stay open. What a listener is made of (address, TLS, limits on heads) changes with a new server on the same socket.
package gateway
