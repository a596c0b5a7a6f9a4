package config

import (
	"fmt"
	"strings"
	"time"
)

// Standalone is the name of a node that nobody has named.
const Standalone = "standalone"

// Cluster says which cluster a node belongs to and how it talks to the others.
// Without Listen it is standalone, and nothing else here counts.
type Cluster struct {
	// Node is the id of this node, for ever: its data carries it. 1 to 63
	// lower-case letters, digits, dots and hyphens.
	Node string `yaml:"node"`
	// Listen is the address (HOST:PORT) for the other nodes. Empty: standalone.
	Listen string `yaml:"listen"`
	// Advertise is the address at which the other nodes reach this one, if it
	// is neither the one in Peers nor Listen. It may change from start to start.
	Advertise string `yaml:"advertise"`
	// Peers are the nodes that a new cluster is formed of, this one among them,
	// the same on each. A node that is not among them joins: it waits until
	// "entrepot cluster add" makes it a member. Once a node is a member, they
	// are only places to look for the others.
	Peers []Peer `yaml:"peers"`
	// Shards is the number of Raft groups of a new cluster. 0: as many as
	// peers. A cluster that exists keeps what it has.
	Shards uint16 `yaml:"shards"`
	// TLS is how nodes know each other.
	TLS TLS `yaml:"tls"`
	// Insecure: other nodes may be reached without TLS off loopback. Whoever
	// can reach Listen can then read and change everything.
	Insecure bool `yaml:"insecure"`
	// Heartbeat: a leader that is not heard of for so long is thought gone.
	Heartbeat time.Duration `yaml:"heartbeat"`
	// Election is how long an election may take before another one is begun.
	Election time.Duration `yaml:"election"`
	// Lease: a leader that has not heard of a majority for so long stops
	// delivering. At most Heartbeat.
	Lease time.Duration `yaml:"lease"`
}

// Peer is a node of a cluster and where it is. In the file it is "ID=HOST:PORT".
type Peer struct {
	ID      string `yaml:"id"`
	Address string `yaml:"address"`
}

// String is the peer as it stands in the file.
func (p Peer) String() string { return p.ID + "=" + p.Address }

// Clustered reports whether the node is one of a cluster.
func (c *Cluster) Clustered() bool { return c.Listen != "" }

// Founder reports whether this node is one of those that a new cluster is
// formed of. One that is not joins a cluster that exists.
func (c *Cluster) Founder() bool {
	_, ok := c.peer(c.Node)
	return ok
}

// Advertised is where the other nodes reach this one.
func (c *Cluster) Advertised() string {
	if c.Advertise != "" {
		return c.Advertise
	}
	if p, ok := c.peer(c.Node); ok {
		return p.Address
	}
	return c.Listen
}

func (c *Cluster) peer(id string) (Peer, bool) {
	for _, p := range c.Peers {
		if p.ID == id {
			return p, true
		}
	}
	return Peer{}, false
}

// parsePeer reads "n1=HOST:PORT".
func parsePeer(text string) (Peer, error) {
	id, address, ok := strings.Cut(text, "=")
	if !ok {
		return Peer{}, fmt.Errorf("%q is no ID=HOST:PORT", text)
	}
	return Peer{ID: id, Address: address}, nil
}
