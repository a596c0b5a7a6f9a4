package broker

import (
	"errors"

	"entrepot/cluster"
	"entrepot/cluster/mesh"
)

// This file is the switchboard of what nodes say to each other about consumers:
// dispatchers announce themselves to every node, inputs find the dispatcher of
// their shard and term, notices find the relay.

// announce tells all nodes that the dispatcher of a term is here, or is no more.
func (s *shard) announce(r *reign, here bool) {
	m := s.broker.mesh()
	if m == nil {
		return
	}
	for _, p := range m.Peers() {
		if p.Connected {
			s.announceTo(p.ID, r, here)
		}
	}
}

func (s *shard) announceTo(peer string, r *reign, here bool) {
	kind := uint8(relaySeat)
	if !here {
		kind = relayUnseat
	}
	// Who is not connected hears it when it is.
	_ = s.broker.mesh().Send(peer, cluster.ChanDispatch, relayHeader{kind, s.id, r.term}.append(nil))
}

// askSeats has all nodes announce themselves once more: what they said before this
// node had its shards went unheard.
func (b *Broker) askSeats() {
	m := b.mesh()
	if m == nil {
		return
	}
	for _, p := range m.Peers() {
		if p.Connected {
			_ = m.Send(p.ID, cluster.ChanDispatch, relayHeader{kind: relayAsk}.append(nil))
		}
	}
}

// sendInputs takes inputs of consumers here to the dispatcher at another node.
func (s *shard) sendInputs(to mesh.Peer, term uint64, inputs []dispatchInput) error {
	buf := relayHeader{relayInputs, s.id, term}.append(make([]byte, 0, relayHeaderLen+16*len(inputs)))
	for i := range inputs {
		buf = appendInput(buf, &inputs[i])
	}
	s.broker.metrics.forwardedBytes.Add(uint64(len(buf)))
	return s.broker.mesh().SendTo(to, cluster.ChanDispatch, buf)
}

// unheard: something for another node is lost, so its session has to end, and with it
// all that was agreed on. If it has ended by itself, that is told next, and another
// session there may be by now is not to blame.
func (b *Broker) unheard(p mesh.Peer, err error) {
	if !errors.Is(err, mesh.ErrNotConnected) {
		b.mesh().Drop(p.ID)
	}
}

// peerChanged is told by the mesh, in order with what the peer sends.
func (b *Broker) peerChanged(p mesh.Peer, up bool) {
	for _, s := range b.shards() {
		r := s.reign.Load()
		switch {
		case up && r != nil:
			s.announceTo(p.ID, r, true)
		case up:
		default:
			s.relay.unseated(p)
			if r != nil {
				r.guests.gone(p)
			}
		}
	}
}

// peerSaid takes a message of another node apart.
func (b *Broker) peerSaid(p mesh.Peer, data []byte) {
	if err := b.hear(p, data); err != nil {
		b.log.Error("a node has sent what can't be read", "node", p.ID, "error", err)
		b.mesh().Drop(p.ID)
	}
}

func (b *Broker) hear(p mesh.Peer, data []byte) error {
	h, items, err := readRelayHeader(data)
	if err != nil {
		return err
	}
	shards := b.shards()
	if int(h.shard) >= len(shards) {
		if shards == nil {
			return nil // not begun: it will ask
		}
		return errRelayItem
	}
	s := shards[h.shard]
	switch h.kind {
	case relayAsk:
		b.peerChanged(p, true)
	case relaySeat:
		s.relay.seated(p, h.term)
	case relayUnseat:
		s.relay.unseatedAt(p, h.term)
	case relayInputs:
		// What was meant for another term is told again to its own.
		if r := s.reign.Load(); r != nil && r.term == h.term {
			return r.guests.of(r, p).take(items)
		}
	case relayNotices:
		list, err := readNotices(items)
		if err != nil {
			return err
		}
		s.relay.heard(p, h.term, list)
	default:
		return errRelayItem
	}
	return nil
}

func readNotices(items []byte) (list []notice, err error) {
	r := relayReader{b: items}
	for r.more() {
		e, err := r.effect()
		if err != nil {
			return nil, err
		}
		list = append(list, notice{effect: e})
	}
	return list, nil
}
