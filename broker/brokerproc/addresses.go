package brokerproc

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
)

// Ports come from below those that Linux gives to clients by default (32768-60999), or a
// client of any process could take one between our choice and the server's start, or while
// the server is away. Another process that chooses like this one still could.
const (
	firstPort = 10_000
	endOfPort = 32_768
)

// given are the ports that this process was told of late. It gets none of them again: the
// nodes of a cluster are planned one after the other, and started afterwards.
var given struct {
	mu    sync.Mutex
	ports [recentlyGiven]int
	next  int // where the next one goes
}

const recentlyGiven = 1000

// FreeAddress is a loopback address whose port was free a moment ago, and is none of the
// last thousand that were given.
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
	for range tries {
		port := firstPort + rand.IntN(endOfPort-firstPort)
		if slices.Contains(given.ports[:], port) {
			continue
		}
		address = fmt.Sprintf("127.0.0.1:%d", port)
		var l net.Listener
		if l, err = net.Listen("tcp", address); err == nil {
			given.ports[given.next%recentlyGiven] = port
			given.next++
			return address, l.Close()
		}
	}
	return "", fmt.Errorf("none in %d tries: %w", tries, err)
}
