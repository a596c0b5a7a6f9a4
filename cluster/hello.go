package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// hello is what a node tells every peer at the beginning of each connection, JSON:
//
//	{"v": 1, "node": "n1", "data": "4f0c...", "cluster": "91ab...", "address":
//	 "10.0.0.1:7000", "level": 2, "release": "1.2.0"}
//
// cluster is "" as long as it is of none. Unknown fields are ignored, so that a
// newer release can say more; v changes when an older one must not go on.
type hello struct {
	Version int    `json:"v"`
	Node    string `json:"node"`
	Data    string `json:"data"`
	Cluster string `json:"cluster"`
	Address string `json:"address"`
	Level   uint32 `json:"level"`
	Release string `json:"release"`
	// Held are the shards whose replica is being repaired.
	Held []uint16 `json:"held,omitempty"`
}

const helloVersion = 1

// Why a node is refused. The words go over the wire, before ": " and a sentence
// for people.
const (
	refusedCluster = "other-cluster"
	refusedWiped   = "wiped"
	refusedRemoved = "removed"
	refusedLevel   = "too-old"
	refusedHello   = "hello"
)

// refusal is a reason with its word.
type refusal struct{ word, text string }

func (r *refusal) Error() string { return r.word + ": " + r.text }

func parseRefusal(s string) refusal {
	word, text, _ := strings.Cut(s, ": ")
	return refusal{word, text}
}

// guard is what a node knows when it decides whether to talk to another.
type guard struct {
	self    string
	cluster string // "" as long as it is of none
	level   uint32 // the cluster's
	members map[string]member
}

// admit refuses a peer that must not be heard: data of another cluster, a wiped
// node, one that was removed, one that can't read what the cluster writes. What an
// empty node may do, it has to ask for by name, see Node.handleJoin.
func (g *guard) admit(peer string, h hello) *refusal {
	switch {
	case h.Version != helloVersion:
		return &refusal{refusedHello, fmt.Sprintf("%s speaks version %d of the hello, %s speaks %d", h.Node, h.Version, g.self, helloVersion)}
	case h.Node != peer:
		return &refusal{refusedHello, fmt.Sprintf("%s calls itself %s", peer, h.Node)}
	case g.cluster == "":
		return nil
	case h.Cluster != "" && h.Cluster != g.cluster:
		return &refusal{refusedCluster, fmt.Sprintf("%s belongs to cluster %s, %s to cluster %s", peer, h.Cluster, g.self, g.cluster)}
	}
	return g.admitData(peer, h.Data, h.Level)
}

// admitData judges who claims to be the member peer. REQUIRES: g.cluster is set.
func (g *guard) admitData(peer, data string, level uint32) *refusal {
	m, known := g.members[peer]
	switch {
	case known && m.Data != "" && m.Data != data:
		return &refusal{refusedWiped, fmt.Sprintf("the cluster knows %s with other data (%.8s, not %.8s): it was wiped, or started on another directory. It may have forgotten what it promised, so it can't come back under this id: remove %s and add the node under a new id",
			peer, m.Data, data, peer)}
	case known && m.State == memberRemoved:
		return &refusal{refusedRemoved, fmt.Sprintf("%s was removed from the cluster", peer)}
	case level < g.level:
		return &refusal{refusedLevel, fmt.Sprintf("the cluster writes records of level %d, %s knows %d: upgrade it", g.level, peer, level)}
	}
	return nil
}

// helloBytes is mesh.Config.Hello.
func (n *Node) helloBytes() []byte {
	id := n.identity()
	h := hello{
		Version: helloVersion, Node: n.cfg.ID, Data: id.Data, Address: n.cfg.Advertise,
		Level: n.cfg.KnownLevel, Release: n.cfg.Release, Held: n.heldShards(),
	}
	if id.Member || id.Removed {
		h.Cluster = id.Char.Cluster
	}
	b, _ := json.Marshal(h) // strings and numbers
	return b
}

// admit is mesh.Config.Admit.
func (n *Node) admit(peer string, incarnation uint64, raw []byte, _ net.Addr) error {
	var h hello
	if err := json.Unmarshal(raw, &h); err != nil {
		return errors.New(refusedHello + ": the hello can't be read: " + err.Error())
	}
	g := n.guard()
	if r := g.admit(peer, h); r != nil {
		n.noteFact("refused "+peer, r.text)
		return r
	}
	n.peers.met(h, incarnation)
	n.wake()
	return nil
}

// refused is mesh.Config.Refused: a peer does not want us.
func (n *Node) refused(peer, reason string) {
	r := parseRefusal(reason)
	n.noteFact("refused by "+peer, r.text)
	n.peers.refusedBy(peer, r, time.Now())
	n.wake()
}

// noteFact logs what is true for a while once, and again when it changes.
func (n *Node) noteFact(about, fact string) {
	n.mu.Lock()
	news := n.facts[about] != fact
	if news {
		n.facts[about] = fact
	}
	n.mu.Unlock()
	if news {
		n.log.Warn("cluster: "+about, "reason", fact)
	}
}
