package calm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"testing"
)

// The ports that the system gives out by itself begin here where it does not say, and what is below firstPort is other programs'.
const (
	usualPort = 32768
	firstPort = 10240
)

// Address is a loopback address that nobody listens on until the test does, see Reserve.
func Address(t testing.TB) string {
	t.Helper()
	address, release, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return address
}

// Reserve gives a loopback address whose TCP port is free, and is given to nobody else before it is released: the system gives none
// out below its range, and other callers, in other processes too, cannot have it because its UDP port is held meanwhile.
func Reserve() (address string, release func(), err error) {
	most := usualPort
	if data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(data), &most) // else the usual one
	}
	for range 100 {
		address := "127.0.0.1:0"
		if most > firstPort {
			address = fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(most-firstPort))
		}
		held, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		address = held.LocalAddr().String()
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address, func() { held.Close() }, nil
		}
		held.Close()
	}
	return "", nil, errors.New("no loopback port is free")
}
