package broker

import (
	"encoding/binary"
	"errors"

	"entrepot/queue"
)

// errRelayItem: the other node has written what this one can't read.
var errRelayItem = errors.New("broker: message between nodes: an item is cut off or unknown")

// relayReader reads items. A fault makes all that follow zero; see bad.
type relayReader struct {
	b   []byte
	bad bool
}

func (r *relayReader) more() bool { return len(r.b) > 0 && !r.bad }

func (r *relayReader) uv() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *relayReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// bytes aliases the message; nil if there are none.
func (r *relayReader) bytes() []byte {
	n := r.uv()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	if n == 0 {
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// input reads one input. Of an attach, to is left to the caller.
func (r *relayReader) input() (in dispatchInput, err error) {
	kind := r.byte()
	in.consumer = queue.ConsumerID(r.uv())
	switch kind {
	case wireAttach:
		in.kind, in.queue = inputAttach, queue.ID(r.uv())
		in.attach = &attachRequest{id: in.consumer}
		in.attach.options.Browse = r.byte()&1 != 0
		in.attach.options.MaxUnsettled = uint32(r.uv())
		in.attach.maxDeliveries = uint32(r.uv())
		in.attach.from = queue.Seq(r.uv())
	case wireDetach:
		in.kind = inputDetach
	case wireLimit:
		in.kind, in.limit = inputLimit, r.uv()
	case wireDrain:
		in.kind, in.limit, in.ref = inputDrain, r.uv(), r.uv()
	case wireOutcome:
		in.kind, in.seq, in.ref = inputOutcome, queue.Seq(r.uv()), r.uv()
		in.outcome, _ = r.outcome()
		in.outcome.Annotations = r.bytes()
	case wireReturn:
		in.kind, in.seq = inputReturn, queue.Seq(r.uv())
	case wireLate:
		in.kind, in.seq, in.ref = inputLate, queue.Seq(r.uv()), r.uv()
		var flags byte
		in.outcome, flags = r.outcome()
		in.outcome.Again = flags&4 != 0
		in.outcome.Failures, in.outcome.Annotations = uint32(r.uv()), r.bytes()
	case wireSent:
		in.kind, in.seq = inputSent, queue.Seq(r.uv())
	case wireConfigure:
		in.kind, in.queue, in.limit = inputConfigure, queue.ID(r.uv()), r.uv()
	default:
		r.bad = true
	}
	if r.bad || !in.says() {
		return in, errRelayItem
	}
	return in, nil
}

// outcome reads kind and flags.
func (r *relayReader) outcome() (o queue.Outcome, flags byte) {
	o.Kind = queue.OutcomeKind(r.byte())
	flags = r.byte()
	o.Failed, o.Here = flags&1 != 0, flags&2 != 0
	return o, flags
}

// says tells whether what an outcome says is known.
func (in *dispatchInput) says() bool {
	switch in.kind {
	case inputOutcome:
		return in.outcome.Kind >= queue.Accepted && in.outcome.Kind <= queue.RejectedKind
	case inputLate:
		_, settles := reasonOf(in.outcome.Kind)
		return settles || in.outcome.Recorded()
	}
	return true
}

// effect reads one notice. Its message aliases what is read.
func (r *relayReader) effect() (e queue.Effect, err error) {
	kind := r.byte()
	e.Consumer = queue.ConsumerID(r.uv())
	switch kind {
	case wireDeliver:
		e.Kind = queue.EffectDeliver
		m := &e.Message
		m.Queue, m.Seq = queue.ID(r.uv()), queue.Seq(r.uv())
		m.Flags = queue.Flags(r.byte())
		acquired := r.byte()
		m.FirstAcquirer, m.Implied = acquired&1 != 0, acquired&2 != 0
		m.DeliveryCount, m.DeadlineMillis, m.ArrivedMillis = uint32(r.uv()), int64(r.uv()), int64(r.uv())
		m.Annotations, m.Payload = r.bytes(), r.bytes()
	case wireDrained:
		e.Kind, e.Ref = queue.EffectDrained, r.uv()
	case wireConfirmed:
		e.Kind, e.Ref = queue.EffectConfirmed, r.uv()
	case wireOutcomeFailed:
		e.Kind, e.Ref = queue.EffectOutcomeFailed, r.uv()
	case wireRecall:
		e.Kind, e.Seq = queue.EffectRecall, queue.Seq(r.uv())
	case wireGone:
		e.Kind = queue.EffectGone
	default:
		r.bad = true
	}
	if r.bad {
		return e, errRelayItem
	}
	return e, nil
}
