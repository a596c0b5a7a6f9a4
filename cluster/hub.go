package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"entrepot/cluster/mesh"
	"entrepot/queue"
)

// Channels of the mesh that this package uses, and the one it leaves to the broker.
const (
	// ChanUrgent: heartbeats, votes, and the answers to all that is asked.
	ChanUrgent mesh.Channel = 1
	// ChanAppend: log entries from leaders to followers.
	ChanAppend mesh.Channel = 2
	// ChanPacks: packs on their way to a leader.
	ChanPacks mesh.Channel = 3
	// ChanDispatch: what dispatchers and the nodes of their consumers say to each other.
	ChanDispatch mesh.Channel = 64
)

// UrgentChannels is for mesh.Config.Urgent.
func UrgentChannels() []mesh.Channel { return []mesh.Channel{ChanUrgent} }

// Every message begins with this header:
//
//	0         1      2       4
//	+---------+------+-------+------
//	| version | kind | shard | ...
//	| u8 = 1  | u8   | u16   |
//	+---------+------+-------+------
//
// What may never change: the places of version, kind and shard, and the numbers of
// kinds. A message of a later version is dropped; nobody sends one before the
// cluster's level says that all understand it.
const (
	messageVersion = 1
	headerLen      = 4
)

type kind uint8

const (
	kindPack        kind = 1
	kindAnswer      kind = 2
	kindAppend      kind = 3
	kindVote        kind = 4
	kindPreVote     kind = 5
	kindTimeoutNow  kind = 6
	kindAppended    kind = 7 // the answers
	kindVoted       kind = 8
	kindPreVoted    kind = 9
	kindTimedOut    kind = 10
	kindRefused     kind = 11 // the answer to any of them: it could not be asked
	kindSnapshot    kind = 12 // the head of a stream
	methodSnapshot       = "cluster/snapshot"
	snapshotAnswLen      = 9
)

func appendHeader(b []byte, k kind, shard uint16) []byte {
	b = append(b, messageVersion, byte(k))
	return binary.BigEndian.AppendUint16(b, shard)
}

// Hub gives each message of a mesh to the group of its shard. There is one per mesh.
type Hub struct {
	mesh   *mesh.Mesh
	mu     sync.RWMutex
	groups map[uint16]*Group
}

// NewHub registers with the mesh. REQUIRES: before the mesh's Start.
func NewHub(m *mesh.Mesh) *Hub {
	h := &Hub{mesh: m, groups: map[uint16]*Group{}}
	for _, ch := range []mesh.Channel{ChanUrgent, ChanAppend, ChanPacks} {
		m.Handle(ch, h.message)
	}
	m.HandleStream(methodSnapshot, h.stream)
	m.Watch(h.connection)
	return h
}

func (h *Hub) join(g *Group) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.groups[g.cfg.Shard] = g
}

// leave returns when no message is given to the group any more.
func (h *Hub) leave(g *Group) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.groups[g.cfg.Shard] == g {
		delete(h.groups, g.cfg.Shard)
	}
}

// message gives a message to its group. It runs in the goroutine that reads the
// connection.
func (h *Hub) message(from mesh.Peer, msg []byte) {
	if len(msg) < headerLen || msg[0] != messageVersion {
		return
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	g := h.groups[binary.BigEndian.Uint16(msg[2:])]
	if g == nil {
		h.nobody(from, msg)
		return
	}
	switch k := kind(msg[1]); k {
	case kindPack:
		g.intake.arrived(from, msg)
	case kindAnswer:
		if a, err := readAnswer(msg); err == nil {
			g.batcher.answered(a)
		}
	case kindAppend, kindVote, kindPreVote, kindTimeoutNow:
		g.peers.asked(from, k, msg)
	case kindAppended, kindVoted, kindPreVoted, kindTimedOut, kindRefused:
		g.peers.answered(from, k, msg)
	}
}

// nobody answers for a group that this node does not run, or not yet.
func (h *Hub) nobody(from mesh.Peer, msg []byte) {
	shard := binary.BigEndian.Uint16(msg[2:])
	switch kind(msg[1]) {
	case kindPack:
		if len(msg) < packHeadLen {
			return
		}
		head, err := queue.ReadPackHeader(msg[packHeadLen:])
		if err != nil {
			return
		}
		a := answer{epoch: binary.BigEndian.Uint64(msg[headerLen:]), origin: head.Origin, status: answerNotTaken}
		_ = h.mesh.SendTo(from, ChanUrgent, appendAnswer(nil, shard, &a))
	case kindAppend, kindVote, kindPreVote, kindTimeoutNow:
		if len(msg) >= headerLen+8 {
			_ = h.mesh.SendTo(from, ChanUrgent, append(appendHeader(nil, kindRefused, shard), msg[headerLen:headerLen+8]...))
		}
	}
}

// each calls f for every group.
func (h *Hub) each(f func(*Group)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, g := range h.groups {
		f(g)
	}
}

// connection is told of every connection and its end.
func (h *Hub) connection(p mesh.Peer, up bool) {
	h.each(func(g *Group) {
		g.peers.connection(p, up)
		if up {
			g.batcher.reconnected(p.ID)
		}
		g.leaderConnected(p.ID, up)
	})
}

var errNoGroup = errors.New("cluster: this node has no such group")

// stream takes a snapshot from a leader.
func (h *Hub) stream(ctx context.Context, from mesh.Peer, head []byte, size int64, r io.Reader) ([]byte, error) {
	if len(head) < headerLen || head[0] != messageVersion || kind(head[1]) != kindSnapshot {
		return nil, errShort
	}
	h.mu.RLock()
	g := h.groups[binary.BigEndian.Uint16(head[2:])]
	h.mu.RUnlock()
	if g == nil {
		return nil, errNoGroup
	}
	return g.peers.install(ctx, from, head, size, r)
}
