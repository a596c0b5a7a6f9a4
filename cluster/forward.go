package cluster

import (
	"encoding/binary"
	"errors"

	"entrepot/queue"
)

// What nodes say to each other about packs. All begin with the header of messages,
// see hub.go; numbers are big-endian.
//
// A pack, on ChanPacks:
//
//	0            4       12
//	+------------+-------+----------------------------+
//	| header     | epoch | the pack                   |
//	| kindPack   | u64   |                            |
//	+------------+-------+----------------------------+
//
// An answer, on ChanUrgent:
//
//	0            4       12     20    28       29    37       45
//	+------------+-------+------+-----+--------+-------+------+---------------------+
//	| header     | epoch | node | seq | status | index | now  | replies (may be     |
//	| kindAnswer | u64   | u64  | u64 | u8     | u64   | i64  | empty: none)        |
//	+------------+-------+------+-----+--------+-------+------+---------------------+
//
//	epoch      the sender's, given back with the answer: see line.go
//	node, seq  the pack's origin
//	status     what became of it
//	index      of the entry that says so, 0 if there is none
//	now        the leader's time, Unix milliseconds; of no meaning if it does not lead
//	replies    of queue.AppendReplies, if the pack is fresh and they say anything
const (
	packHeadLen = headerLen + 8
	answerLen   = headerLen + 8 + 8 + 8 + 1 + 8 + 8
)

// answerStatus is what became of a pack.
type answerStatus uint8

const (
	answerFresh     answerStatus = 1 // applied
	answerDuplicate answerStatus = 2 // it was applied before
	answerGap       answerStatus = 3 // one before it is missing
	answerNotTaken  answerStatus = 4 // the node does not lead
)

// answer is what the leader says about a pack.
type answer struct {
	epoch     uint64
	origin    queue.Origin
	status    answerStatus
	index     uint64
	nowMillis int64
	replies   []queue.Reply
}

func appendAnswer(b []byte, shard uint16, a *answer) []byte {
	b = appendHeader(b, kindAnswer, shard)
	b = binary.BigEndian.AppendUint64(b, a.epoch)
	b = binary.BigEndian.AppendUint64(b, a.origin.Node)
	b = binary.BigEndian.AppendUint64(b, a.origin.Seq)
	b = append(b, byte(a.status))
	b = binary.BigEndian.AppendUint64(b, a.index)
	b = binary.BigEndian.AppendUint64(b, uint64(a.nowMillis))
	if a.replies != nil {
		b = queue.AppendReplies(b, a.replies)
	}
	return b
}

var errShort = errors.New("cluster: a message of another node is cut off")

func readAnswer(p []byte) (a answer, err error) {
	if len(p) < answerLen {
		return a, errShort
	}
	u64 := func(at int) uint64 { return binary.BigEndian.Uint64(p[headerLen+at:]) }
	a = answer{
		epoch: u64(0), origin: queue.Origin{Node: u64(8), Seq: u64(16)},
		status: answerStatus(p[headerLen+24]), index: u64(25), nowMillis: int64(u64(33)),
	}
	if len(p) > answerLen {
		a.replies, err = queue.ReadReplies(p[answerLen:])
	}
	return a, err
}

// forward sends a pack to the leader. It does not block.
func (g *Group) forward(leader string, epoch uint64, _ queue.Origin, data []byte) bool {
	head := binary.BigEndian.AppendUint64(appendHeader(nil, kindPack, g.cfg.Shard), epoch)
	return g.cfg.Hub.mesh.SendOwned(leader, ChanPacks, head, data) == nil
}
