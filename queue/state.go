package queue

import "encoding/binary"

// State is what is true of one queue, at rest: 72 bytes. Its name and
// specification are in the store only; which messages are alive between Head
// and Tail is in the live set.
//
// Invariant: 1 <= Head <= Tail. Head is the first live message, or Tail.
// Invariant: Count is the number of live messages; Count 0 means Bytes 0.
// Invariant: SuspectUpTo <= DeliveredUpTo < Tail.
type State struct {
	Head  Seq
	Tail  Seq // what the next message will get
	Count uint64
	Bytes uint64 // the live messages' sizes; see Machine.Apply for how exact

	// DeliveredUpTo is the highest message known to have been delivered, by the
	// leader of MarkEpoch or an earlier one; SuspectUpTo what it was when that
	// leader's first Mark came. See Suspect.
	DeliveredUpTo Seq
	SuspectUpTo   Seq
	MarkEpoch     uint64

	live  *liveSet // nil: all of [Head, Tail) is alive
	flags stateFlags
}

type stateFlags uint8

const (
	stateExists stateFlags = 1 << iota // the slab's place is taken
	stateDirty                         // it is in Machine.dirtyQueues
)

// Suspect is the highest message that may have been delivered by an earlier
// leader than the one of epoch, who did not learn its outcome: a live message
// up to here has been tried once more than its stored count says.
func (s *State) Suspect(epoch uint64) Seq {
	if s.MarkEpoch == epoch {
		return s.SuspectUpTo
	}
	return s.DeliveredUpTo
}

// A state as a stored value (the store adds its checksum):
//
//	version u8 = 1 | head uv | tail-head uv | count uv | bytes uv |
//	deliveredUpTo uv | suspectUpTo uv | markEpoch uv
const stateVersion = 1

// AppendState appends s as a stored value to b.
func AppendState(b []byte, s *State) []byte {
	b = append(b, stateVersion)
	for _, v := range [...]uint64{
		uint64(s.Head), uint64(s.Tail - s.Head), s.Count, s.Bytes,
		uint64(s.DeliveredUpTo), uint64(s.SuspectUpTo), s.MarkEpoch,
	} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// DecodeState reads what AppendState wrote. The error is a *FormatError.
func DecodeState(p []byte) (State, error) {
	d := decoder{p: p, what: "state"}
	if v := d.u8("version"); v != stateVersion {
		d.fail("unknown version %d", v)
	}
	s := State{flags: stateExists}
	s.Head = Seq(d.uvarint("head"))
	s.Tail = s.Head + Seq(d.uvarint("tail"))
	s.Count = d.uvarint("count")
	s.Bytes = d.uvarint("bytes")
	s.DeliveredUpTo = Seq(d.uvarint("deliveredUpTo"))
	s.SuspectUpTo = Seq(d.uvarint("suspectUpTo"))
	s.MarkEpoch = d.uvarint("markEpoch")
	if err := d.done(); err != nil {
		return State{}, err
	}
	if what := s.wrong(); what != "" {
		return State{}, formatErrorf(0, "state: %s", what)
	}
	return s, nil
}

// wrong names the first invariant of State that does not hold.
func (s *State) wrong() string {
	switch {
	case s.Head < 1 || s.Head > s.Tail:
		return "head is out of range"
	case s.Count > uint64(s.Tail-s.Head) || (s.Count == 0) != (s.Head == s.Tail):
		return "count does not fit head and tail"
	case s.Count == 0 && s.Bytes != 0:
		return "bytes without messages"
	case s.SuspectUpTo > s.DeliveredUpTo || s.DeliveredUpTo >= s.Tail:
		return "deliveredUpTo is out of range"
	}
	return ""
}
