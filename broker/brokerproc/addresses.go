package brokerproc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports come from below those that Linux gives to clients (32768-60999), or a client of
// another process could take one between our choice and the server's start, or while the
// server is away.
const (
	firstPort = 10_000
	endOfPort = 32_768
)

// given are the ports that this process was told. It never gets one twice: the nodes of a
// cluster are planned one after the other, and started afterwards.
var given = struct {
	mu    sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// FreeAddress is a loopback address whose port was free a moment ago, and was not given
// before.
func FreeAddress() (string, error) {
	one, err := FreeAddresses(1)
	if err != nil {
		return "", err
	}
	return one[0], nil
}

// FreeAddresses are n of them.
func FreeAddresses(n int) ([]string, error) {
	given.mu.Lock()
	defer given.mu.Unlock()
	list := make([]string, 0, n)
	for len(list) < n {
		address, err := freeAddress()
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		list = append(list, address)
	}
	return list, nil
}

// freeAddress REQUIRES given.mu.
func freeAddress() (address string, err error) {
	const tries = 1000
	err = errors.New("all have been given")
	for range tries {
		port := firstPort + rand.IntN(endOfPort-firstPort)
		if given.ports[port] {
			continue
		}
		address = fmt.Sprintf("127.0.0.1:%d", port)
		var l net.Listener
		if l, err = net.Listen("tcp", address); err == nil {
			given.ports[port] = true
			return address, l.Close()
		}
	}
	return "", fmt.Errorf("none of %d tries: %w", tries, err)
}
