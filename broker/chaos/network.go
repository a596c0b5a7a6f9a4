package main

import (
	"fmt"
	"time"

	"entrepot/broker/brokerproc"
)

// network is what the nodes talk to each other over, and what can be broken. One
// goroutine calls it at a time.
type network interface {
	// place puts a new member into the network, before its first start.
	place(m *brokerproc.Member) error
	// cannot says why a fault (or "reset") is not to be had; "" if it is.
	cannot(fault string) string
	// cut loses all that goes in a direction, until heal. Nobody is told.
	cut(d direction) error
	// reset ends the connections between two nodes with an error.
	reset(a, b string)
	// slow delays all that goes in a direction, until heal.
	slow(d direction, delay time.Duration) error
	// heal ends all cuts and delays.
	heal() error
	close() error
}

// direction is from one node to another.
type direction struct{ from, to string }

// The kinds of network.
const (
	onLoopback   = "loopback"
	inNamespaces = "namespaces"
)

// newNetwork makes a network; whose names the node that has a local TCP port open.
func newNetwork(kind string, whose func(port int) string) (network, error) {
	switch kind {
	case onLoopback, "":
		return newProxies(whose), nil
	case inNamespaces:
		return newNamespaces()
	default:
		return nil, fmt.Errorf("no network is called %q; there are %s and %s", kind, onLoopback, inNamespaces)
	}
}
