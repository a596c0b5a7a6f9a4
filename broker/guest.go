package broker

import (
	"sync"

	"entrepot/cluster"
	"entrepot/cluster/mesh"
	"entrepot/queue"
)

// A guest stands, at a node that dispatches, for another node whose consumers it
// serves. It lives as long as one reign and one connection between the two: with
// either, all its consumers are gone.
type guest struct {
	reign *reign
	peer  mesh.Peer

	mu   sync.Mutex
	ids  map[queue.ConsumerID]queue.ConsumerID // theirs -> ours
	over bool
}

// guests are those of one reign.
type guests struct {
	mu    sync.Mutex
	byKey map[mesh.Peer]*guest
}

// of gives the guest for a peer, and makes it on its first word.
func (gs *guests) of(r *reign, p mesh.Peer) *guest {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := gs.byKey[p]
	if g == nil {
		if gs.byKey == nil {
			gs.byKey = map[mesh.Peer]*guest{}
		}
		g = &guest{reign: r, peer: p, ids: map[queue.ConsumerID]queue.ConsumerID{}}
		gs.byKey[p] = g
	}
	return g
}

// gone: the connection to a node has ended.
func (gs *guests) gone(p mesh.Peer) {
	gs.mu.Lock()
	g := gs.byKey[p]
	delete(gs.byKey, p)
	gs.mu.Unlock()
	if g != nil {
		g.detachAll()
	}
}

// take hands the dispatcher what the node has sent, under our own ids.
func (g *guest) take(items []byte) error {
	r := relayReader{b: items}
	var inputs []dispatchInput
	g.mu.Lock()
	defer g.mu.Unlock()
	for r.more() {
		in, err := r.input()
		if err != nil {
			return err
		}
		if g.translate(&in) {
			inputs = append(inputs, in)
		}
	}
	if len(inputs) > 0 && !g.over {
		g.reign.mail.post(inputs...)
	}
	return nil
}

// translate gives an input our id of its consumer; false: there is none.
// REQUIRES: g.mu.
func (g *guest) translate(in *dispatchInput) bool {
	theirs := in.consumer
	switch in.kind {
	case inputConfigure:
		return true
	case inputAttach:
		in.attach.to = g
		g.ids[theirs] = g.reign.shard.broker.nextConsumer()
	}
	ours, ok := g.ids[theirs]
	in.consumer = ours
	if in.kind == inputDetach {
		delete(g.ids, theirs)
	}
	return ok
}

func (g *guest) detachAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	inputs := make([]dispatchInput, 0, len(g.ids))
	for _, ours := range g.ids {
		inputs = append(inputs, dispatchInput{kind: inputDetach, consumer: ours})
	}
	clear(g.ids)
	g.reign.mail.post(inputs...)
}

// noticeBytes is about how large a message with deliveries is made: the node that
// gets it keeps it as long as one delivery in it waits for its client.
const noticeBytes = 64 << 10

// tell implements recipient.
func (g *guest) tell(b *notices) {
	h := relayHeader{relayNotices, g.reign.shard.id, g.reign.term}
	var buf []byte
	for i := range b.list {
		e := &b.list[i].effect
		if buf == nil {
			buf = h.append(make([]byte, 0, min(noticeBytes, (len(b.list)-i)*(len(e.Message.Payload)+64))+relayHeaderLen))
		}
		buf = appendNotice(buf, e)
		if len(buf) >= noticeBytes {
			g.send(buf)
			buf = nil
		}
	}
	if buf != nil {
		g.send(buf)
	}
}

func (g *guest) send(buf []byte) {
	b := g.reign.shard.broker
	b.metrics.forwardedBytes.Add(uint64(len(buf)))
	if err := b.mesh().SendTo(g.peer, cluster.ChanDispatch, buf); err != nil {
		b.unheard(g.peer, err)
	}
}
