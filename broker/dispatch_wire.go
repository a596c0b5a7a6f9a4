package broker

import (
	"encoding/binary"
	"fmt"

	"entrepot/queue"
)

// What nodes say to each other about consumers, on one channel of the mesh. uv is
// an unsigned varint, bytes is a uv length and so many bytes.
//
//	0         1      2            4           12
//	+---------+------+------------+-----------+-----------
//	| version | kind | shard u16  | term u64  | items ...
//	+---------+------+------------+-----------+-----------
//
//	kind 1  inputs   node with the links -> node with the dispatcher
//	kind 2  notices  the way back
//	kind 3  seat     from a node to all: the dispatcher of this term is here; no items
//	kind 4  unseat   ... is here no more
//	kind 5  ask      to all: say seat again; shard and term are 0
//
// An input is its kind (u8), the consumer's id as its node knows it (uv), and
//
//	attach     queue uv | options u8 (1: browse) | max unsettled uv | max deliveries uv | from uv
//	detach     -
//	limit      limit uv
//	drain      limit uv | ref uv
//	outcome    seq uv | ref uv | outcome u8 | flags u8 (1: failed, 2: here) | annotations bytes
//	return     seq uv
//	late       seq uv | ref uv | outcome u8 | flags u8 (1: failed, 2: here, 4: again) |
//	           failures uv | annotations bytes
//	sent       seq uv
//	configure  queue uv | max deliveries uv           (the consumer's id is 0)
//
// A notice is its kind (u8), the consumer's id (uv), and
//
//	deliver    queue uv | seq uv | flags u8 | u8 (1: first acquirer, 2: of the count one is
//	           implied) | delivery count uv | deadline uv | arrived uv |
//	           annotations bytes | payload bytes
//	drained, confirmed, outcome-failed   ref uv
//	recall     seq uv
//	gone       -
//
// What may never change: the header. A node says which versions it knows as it joins
// (its level), and the cluster uses what all of them know.
const (
	relayVersion   = 1
	relayHeaderLen = 12

	relayInputs  = 1
	relayNotices = 2
	relaySeat    = 3
	relayUnseat  = 4
	relayAsk     = 5
)

// Kinds of inputs as they are written.
const (
	wireAttach = iota + 1
	wireDetach
	wireLimit
	wireDrain
	wireOutcome
	wireReturn
	wireConfigure
	wireLate
	wireSent
)

// Kinds of notices as they are written.
const (
	wireDeliver = iota + 1
	wireDrained
	wireConfirmed
	wireOutcomeFailed
	wireGone
	wireRecall
)

// relayHeader is what every message begins with.
type relayHeader struct {
	kind  uint8
	shard uint16
	term  uint64
}

func (h relayHeader) append(b []byte) []byte {
	b = append(b, relayVersion, h.kind)
	b = binary.BigEndian.AppendUint16(b, h.shard)
	return binary.BigEndian.AppendUint64(b, h.term)
}

func readRelayHeader(b []byte) (h relayHeader, items []byte, err error) {
	if len(b) < relayHeaderLen || b[0] != relayVersion {
		return h, nil, fmt.Errorf("broker: message between nodes of %d bytes: cut off or of an unknown version", len(b))
	}
	return relayHeader{b[1], binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint64(b[4:])}, b[relayHeaderLen:], nil
}

// appendInput writes one input of a consumer.
func appendInput(b []byte, in *dispatchInput) []byte {
	uv := binary.AppendUvarint
	head := func(kind byte) []byte { return uv(append(b, kind), uint64(in.consumer)) }
	switch in.kind {
	case inputAttach:
		a := in.attach
		b = append(uv(head(wireAttach), uint64(in.queue)), flag(a.options.Browse, 1))
		b = uv(uv(b, uint64(a.options.MaxUnsettled)), uint64(a.maxDeliveries))
		return uv(b, uint64(a.from))
	case inputDetach:
		return head(wireDetach)
	case inputLimit:
		return uv(head(wireLimit), in.limit)
	case inputDrain:
		return uv(uv(head(wireDrain), in.limit), in.ref)
	case inputOutcome:
		o := &in.outcome
		b = uv(uv(head(wireOutcome), uint64(in.seq)), in.ref)
		b = append(b, byte(o.Kind), outcomeFlags(o))
		return appendBytes(b, o.Annotations)
	case inputReturn:
		return uv(head(wireReturn), uint64(in.seq))
	case inputLate:
		o := &in.outcome
		b = uv(uv(head(wireLate), uint64(in.seq)), in.ref)
		b = append(b, byte(o.Kind), outcomeFlags(o)|flag(o.Again, 4))
		return appendBytes(uv(b, uint64(o.Failures)), o.Annotations)
	case inputSent:
		return uv(head(wireSent), uint64(in.seq))
	case inputConfigure:
		return uv(uv(head(wireConfigure), uint64(in.queue)), in.limit)
	}
	panic("broker: this input stays on its node")
}

func outcomeFlags(o *queue.Outcome) byte { return flag(o.Failed, 1) | flag(o.Here, 2) }

// appendNotice writes one notice.
func appendNotice(b []byte, e *queue.Effect) []byte {
	uv := binary.AppendUvarint
	head := func(kind byte) []byte { return uv(append(b, kind), uint64(e.Consumer)) }
	switch e.Kind {
	case queue.EffectDeliver:
		m := &e.Message
		b = uv(uv(head(wireDeliver), uint64(m.Queue)), uint64(m.Seq))
		b = append(b, byte(m.Flags), flag(m.FirstAcquirer, 1)|flag(m.Implied, 2))
		b = uv(uv(uv(b, uint64(m.DeliveryCount)), uint64(m.DeadlineMillis)), uint64(m.ArrivedMillis))
		return appendBytes(appendBytes(b, m.Annotations), m.Payload)
	case queue.EffectDrained:
		return uv(head(wireDrained), e.Ref)
	case queue.EffectConfirmed:
		return uv(head(wireConfirmed), e.Ref)
	case queue.EffectOutcomeFailed:
		return uv(head(wireOutcomeFailed), e.Ref)
	case queue.EffectRecall:
		return uv(head(wireRecall), uint64(e.Seq))
	case queue.EffectGone:
		return head(wireGone)
	}
	panic("broker: this effect stays on its node")
}

func appendBytes(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}
