package queue

import "slices"

// PackVerdict is whether a pack's records are to be applied.
type PackVerdict uint8

const (
	PackFresh     PackVerdict = iota // apply its records
	PackDuplicate                    // it was applied before: nothing is done
	PackGap                          // an earlier one of its origin is missing: nothing is done
)

var verdictNames = [...]string{"fresh", "duplicate", "gap"}

// String is the verdict as logs and dumps show it.
func (v PackVerdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return "verdict?"
}

// BeginPack decides, before the first record of a pack, whether it is applied.
// A node may send a pack as often as it likes, to whoever leads: the packs of
// an origin are applied in the order of their numbers, each at most once. A pack
// without an origin is always fresh. A fresh one's time becomes the shard's.
//
// An origin that is not known begins with number 1; any other of it is a gap.
// That is also the fate of an origin that was forgotten, because maxOrigins
// others have been heard of since it last was: its node must take a new one.
func (m *Machine) BeginPack(h *PackHeader) PackVerdict {
	if h.Origin.Node != 0 {
		if v := m.origins.admit(h.Origin); v != PackFresh {
			return v
		}
	}
	m.nowMillis = max(m.nowMillis, h.NowMillis)
	return PackFresh
}

// OriginSeq is the number of the last pack of an origin that was applied.
func (m *Machine) OriginSeq(node uint64) (last uint64, known bool) {
	if i := m.origins.find(node); i >= 0 {
		return m.origins[i].Seq, true
	}
	return 0, false
}

// maxOrigins bounds what is remembered. An origin lives as long as a process
// does, so this is how often the nodes of a cluster may restart while one of
// them forwards nothing.
const maxOrigins = 1024

// origins is the last pack of each origin, in the order of their last use, the
// latest last: those that are in use are found at once, and what is forgotten
// does not depend on any clock.
type origins []Origin

// find gives the place of an origin, -1 if it is not known.
func (t origins) find(node uint64) int {
	for i := len(t) - 1; i >= 0; i-- {
		if t[i].Node == node {
			return i
		}
	}
	return -1
}

// admit decides about a pack and remembers it if it is fresh.
func (t *origins) admit(o Origin) PackVerdict {
	i := t.find(o.Node)
	var last uint64
	if i >= 0 {
		last = (*t)[i].Seq
	}
	switch {
	case o.Seq <= last:
		return PackDuplicate
	case o.Seq-last > 1:
		return PackGap
	case i >= 0:
		*t = slices.Delete(*t, i, i+1)
	case len(*t) == maxOrigins:
		*t = slices.Delete(*t, 0, 1)
	}
	*t = append(*t, o)
	return PackFresh
}
