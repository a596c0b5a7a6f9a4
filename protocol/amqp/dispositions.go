package amqp

import "entrepot/protocol/amqp/wire"

// maxPending is how many ranges of dispositions wait to be merged. Outcomes come in
// the order of the storage's answers, so few ranges are open at a time.
const maxPending = 8

// word is what a disposition says, without the deliveries. Two that are equal may
// merge. States with annotations have no word: they are sent at once.
type word struct {
	role    wire.Role
	settled bool
	kind    wire.StateKind
	failed  bool
	notHere bool
	err     *wire.Error
}

type pendingRange struct {
	first, last uint32
	word        word
}

// wordOf returns the word for a state, if it has one.
func wordOf(role wire.Role, settled bool, d *wire.DeliveryState) (word, bool) {
	w := word{role: role, settled: settled, kind: d.Kind}
	switch d.Kind {
	case wire.StateNone, wire.StateAccepted, wire.StateReleased:
	case wire.StateRejected:
		w.err = d.Rejected.Error
	case wire.StateModified:
		if d.Modified.MessageAnnotations != nil {
			return word{}, false
		}
		w.failed, w.notHere = d.Modified.DeliveryFailed, d.Modified.UndeliverableHere
	default:
		return word{}, false
	}
	return w, true
}

func (w word) state() wire.DeliveryState {
	d := wire.DeliveryState{Kind: w.kind}
	d.Rejected.Error = w.err
	d.Modified.DeliveryFailed, d.Modified.UndeliverableHere = w.failed, w.notHere
	return d
}

// dispose tells the peer the state of the deliveries first..last: later, merged
// with neighbours, if the state has a word, else at once.
func (s *Session) dispose(role wire.Role, first, last uint32, state *wire.DeliveryState, settled bool) {
	w, ok := wordOf(role, settled, state)
	if !ok {
		s.sendDisposition(role, first, last, state, settled)
		return
	}
	for i := range s.pending {
		p := &s.pending[i]
		if p.word != w {
			continue
		}
		if p.last+1 == first {
			p.last = last
			return
		}
		if last+1 == p.first {
			p.first = first
			return
		}
	}
	if len(s.pending) == maxPending {
		s.flushDispositions()
	}
	s.pending = append(s.pending, pendingRange{first, last, w})
	s.touch()
}

func (s *Session) flushDispositions() {
	for i := range s.pending {
		p := &s.pending[i]
		state := p.word.state()
		s.sendDisposition(p.word.role, p.first, p.last, &state, p.word.settled)
		p.word.err = nil
	}
	s.pending = s.pending[:0]
}

func (s *Session) sendDisposition(role wire.Role, first, last uint32, state *wire.DeliveryState, settled bool) {
	d := wire.Disposition{Role: role, First: first, Settled: settled, State: *state}
	if last != first {
		d.Last = wire.Some(last)
	}
	c := s.conn
	start := len(c.out)
	c.out = d.Append(wire.BeginFrame(c.out, wire.FrameAMQP, s.localChannel))
	wire.EndFrame(c.out, start)
	if len(c.out)-start <= int(c.peerFrame) {
		return
	}
	// The state is too long for the peer's frames: annotations or an error's info.
	// What matters is the outcome itself.
	d.State.Modified.MessageAnnotations = nil
	d.State.Rejected.Error = shortened(d.State.Rejected.Error)
	c.out = d.Append(wire.BeginFrame(c.out[:start], wire.FrameAMQP, s.localChannel))
	wire.EndFrame(c.out, start)
}
