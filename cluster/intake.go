package cluster

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"entrepot/cluster/mesh"
	"entrepot/queue"
)

// intake takes the packs of other nodes when this one leads: each becomes an entry
// of the log as it is, stamped, and its sender is told what the Machine said.
//
// While this node has been elected but has not caught up, or hands the lead over,
// packs are held instead of being refused: their senders have nowhere else to go.
type intake struct {
	shard   uint16
	propose func(data []byte) bool // see Batcher.proposeFor
	send    func(to mesh.Peer, msg []byte)
	millis  func() int64

	taken atomic.Uint64 // packs proposed, for Stats
	any   atomic.Bool   // there may be some in flight: a follower need not lock

	mu       sync.Mutex
	state    intakeState
	held     []foreignPack
	inFlight []foreignPack // proposed, in the order of the log
}

type intakeState uint8

const (
	intakeClosed intakeState = iota // another node leads, or nobody
	intakeHolds
	intakeOpen
)

// foreignPack is a pack of another node.
type foreignPack struct {
	from   mesh.Peer
	epoch  uint64
	origin queue.Origin
	data   []byte // nil once it is proposed
}

const (
	// foreignRoom is how many packs of others may be in Raft's hands: what applyRoom
	// leaves.
	foreignRoom = 12
	// heldMost bounds those that wait: remoteWindow for each node of a large cluster,
	// and what is left of earlier connections.
	heldMost = 64
)

// arrived takes a message with a pack; it is ours to keep and to change.
func (in *intake) arrived(from mesh.Peer, msg []byte) {
	if len(msg) < packHeadLen {
		return
	}
	p := foreignPack{from: from, epoch: binary.BigEndian.Uint64(msg[headerLen:]), data: msg[packHeadLen:]}
	h, err := queue.ReadPackHeader(p.data)
	if err != nil || h.Origin.Node == 0 {
		return // no node of ours sends that
	}
	p.origin = h.Origin
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.state == intakeClosed || len(in.held) >= heldMost {
		in.answer(&p, answerNotTaken, 0, nil)
		return
	}
	if old := in.known(p.origin); old != nil {
		old.from, old.epoch = p.from, p.epoch // sent again: its answer goes here
		return
	}
	in.held = append(in.held, p)
	in.pass()
}

// known finds a pack that is here already. REQUIRES: in.mu.
func (in *intake) known(o queue.Origin) *foreignPack {
	for _, list := range [][]foreignPack{in.inFlight, in.held} {
		if i := slices.IndexFunc(list, func(p foreignPack) bool { return p.origin == o }); i >= 0 {
			return &list[i]
		}
	}
	return nil
}

// pass proposes what is held, as far as there is room. REQUIRES: in.mu.
func (in *intake) pass() {
	if in.state != intakeOpen {
		return
	}
	n := 0
	for n < len(in.held) && len(in.inFlight) < foreignRoom {
		p := in.held[n]
		// Before it is proposed: it may be applied at once.
		in.any.Store(true)
		in.inFlight = append(in.inFlight, foreignPack{from: p.from, epoch: p.epoch, origin: p.origin})
		if !in.propose(p.data) {
			in.inFlight = in.inFlight[:len(in.inFlight)-1]
			break // the lead is lost, which we are told next
		}
		in.taken.Add(1)
		n++
	}
	in.held = slices.Delete(in.held, 0, n)
}

// set changes what is done with packs. Closing tells all senders to look for another
// leader; what is in flight may be applied all the same, or not.
func (in *intake) set(s intakeState) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.state = s
	if s == intakeClosed {
		for _, list := range [][]foreignPack{in.inFlight, in.held} {
			for i := range list {
				in.answer(&list[i], answerNotTaken, 0, nil)
			}
		}
		in.inFlight, in.held = nil, nil
		in.any.Store(false)
	}
	in.pass()
}

// applied is told by the FSM of every entry that is not our own. One of another
// leader's time has nobody waiting here.
func (in *intake) applied(o queue.Origin, index uint64, r Result) {
	if !in.any.Load() {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	i := slices.IndexFunc(in.inFlight, func(p foreignPack) bool { return p.origin == o })
	if i < 0 {
		return
	}
	p := in.inFlight[i]
	in.inFlight = slices.Delete(in.inFlight, i, i+1)
	switch r.Verdict {
	case queue.PackFresh:
		in.answer(&p, answerFresh, index, r.Replies)
	case queue.PackDuplicate:
		in.answer(&p, answerDuplicate, index, nil)
	default:
		in.answer(&p, answerGap, index, nil)
	}
	in.pass()
}

// answer tells the sender, on the connection that the pack came from: one that has
// ended takes care of itself, for the sender sends again on the next.
func (in *intake) answer(p *foreignPack, s answerStatus, index uint64, replies []queue.Reply) {
	a := answer{epoch: p.epoch, origin: p.origin, status: s, index: index, nowMillis: in.millis(), replies: replies}
	in.send(p.from, appendAnswer(nil, in.shard, &a))
}

// hold keeps packs back while the lead is handed over; release lets them go, if this
// node leads on.
func (in *intake) hold()    { in.swap(intakeOpen, intakeHolds) }
func (in *intake) release() { in.swap(intakeHolds, intakeOpen) }

func (in *intake) swap(from, to intakeState) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.state == from {
		in.state = to
		in.pass()
	}
}
