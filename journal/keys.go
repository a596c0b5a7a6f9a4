package journal

import (
	"encoding/binary"
	"fmt"

	"entrepot/queue"
)

// Keys. All numbers are big-endian, so that the order of bytes is the order
// of numbers. sh is the shard, g the live generation of its state, q a queue.
//
//	0    1        3
//	+----+--------+------------+
//	| L  | sh u16 | index u64  |                        a log entry
//	+----+--------+------------+
//	| S  | sh u16 | name       |                        a mark; the shard's row
//	+----+--------+----+-------+
//	| N  | sh u16 | g  | name  |                        declaration by name
//	+----+--------+----+-------+----+
//	| I  | sh u16 | g  | q u32      |                   name by queue
//	| H  | sh u16 | g  | q u32      |                   state of a queue
//	+----+--------+----+------------+---------------+
//	| B  | sh u16 | g  | q u32      | page u64      |   which of its messages live
//	| M  | sh u16 | g  | q u32      | seq u64       |   delivery count, annotations
//	| Q  | sh u16 | g  | q u32      | seq u64       |   a message
//	+----+--------+----+------------+--------+------+-------+
//	| T  | sh u16 | g  | deadline u64, ms    | q u32 | seq u64 |
//	+----+--------+----+---------------------+-------+---------+
//
// C (cursors of subscriptions) and P (identifiers of producers) are spoken
// for. The generation is in the key because a follower that is refilled from a
// stream writes a new one beside the old and then flips.
//
// Q keys are written by ingested tables only, never through a memtable; see
// table.go.
const (
	kindLog      = 'L'
	kindMark     = 'S'
	kindName     = 'N'
	kindID       = 'I'
	kindHead     = 'H'
	kindPage     = 'B'
	kindModified = 'M'
	kindMessage  = 'Q'
	kindDeadline = 'T'
)

// storeShard is the shard number under which S rows of the whole store live.
const storeShard = 0xFFFF

func appendShard(b []byte, kind byte, sh uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, kind), sh)
}

func appendLogKey(b []byte, sh uint16, index uint64) []byte {
	return binary.BigEndian.AppendUint64(appendShard(b, kindLog, sh), index)
}

func appendMarkKey(b []byte, sh uint16, name string) []byte {
	return append(appendShard(b, kindMark, sh), name...)
}

// space is the keys of one generation of one shard's state.
type space struct {
	sh uint16
	g  uint8
}

func (s space) prefix(b []byte, kind byte) []byte {
	return append(appendShard(b, kind, s.sh), s.g)
}

func (s space) nameKey(b []byte, name string) []byte {
	return append(s.prefix(b, kindName), name...)
}

// queueKey makes an I or H key, or the prefix of a B, M or Q key.
func (s space) queueKey(b []byte, kind byte, q queue.ID) []byte {
	return binary.BigEndian.AppendUint32(s.prefix(b, kind), uint32(q))
}

func (s space) pageKey(b []byte, q queue.ID, page queue.PageNo) []byte {
	return binary.BigEndian.AppendUint64(s.queueKey(b, kindPage, q), uint64(page))
}

// seqKey makes an M or Q key.
func (s space) seqKey(b []byte, kind byte, q queue.ID, seq queue.Seq) []byte {
	return binary.BigEndian.AppendUint64(s.queueKey(b, kind, q), uint64(seq))
}

func (s space) deadlineKey(b []byte, millis int64, q queue.ID, seq queue.Seq) []byte {
	b = binary.BigEndian.AppendUint64(s.prefix(b, kindDeadline), uint64(millis))
	b = binary.BigEndian.AppendUint32(b, uint32(q))
	return binary.BigEndian.AppendUint64(b, uint64(seq))
}

// Lengths of the keys with a fixed one.
const (
	spaceLen       = 4
	logKeyLen      = 3 + 8
	queueKeyLen    = spaceLen + 4
	pageKeyLen     = queueKeyLen + 8
	seqKeyLen      = queueKeyLen + 8
	deadlineKeyLen = spaceLen + 8 + 4 + 8
)

// prefixEnd gives the first key behind all keys that begin with p. p must not
// be all 0xFF.
func prefixEnd(p []byte) []byte {
	end := append([]byte(nil), p...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	panic("journal: a prefix without an end")
}

func queueOf(key []byte) queue.ID {
	return queue.ID(binary.BigEndian.Uint32(key[spaceLen:]))
}

// seqOf reads the sequence number of an M or Q key.
func seqOf(key []byte) queue.Seq {
	return queue.Seq(binary.BigEndian.Uint64(key[queueKeyLen:]))
}

func pageOf(key []byte) queue.PageNo {
	return queue.PageNo(binary.BigEndian.Uint64(key[queueKeyLen:]))
}

func indexOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[3:]) }

func deadlineOf(key []byte) (millis int64, q queue.ID, seq queue.Seq) {
	return int64(binary.BigEndian.Uint64(key[spaceLen:])),
		queue.ID(binary.BigEndian.Uint32(key[spaceLen+8:])),
		queue.Seq(binary.BigEndian.Uint64(key[spaceLen+12:]))
}

// describeKey prints a key as Dump and CorruptionError show it.
func describeKey(k []byte) string {
	if len(k) < 3 {
		return fmt.Sprintf("%q", k)
	}
	kind, sh := k[0], binary.BigEndian.Uint16(k[1:])
	if kind == kindMark {
		return fmt.Sprintf("S %d %q", sh, k[3:])
	}
	if kind == kindLog && len(k) == logKeyLen {
		return fmt.Sprintf("L %d %d", sh, indexOf(k))
	}
	if len(k) < spaceLen {
		return fmt.Sprintf("%q", k)
	}
	at := fmt.Sprintf("%c %d.%d", kind, sh, k[3])
	switch {
	case kind == kindName:
		return fmt.Sprintf("%s %q", at, k[spaceLen:])
	case (kind == kindID || kind == kindHead) && len(k) == queueKeyLen:
		return fmt.Sprintf("%s q%d", at, queueOf(k))
	case kind == kindPage && len(k) == pageKeyLen:
		return fmt.Sprintf("%s q%d page %d", at, queueOf(k), pageOf(k))
	case (kind == kindModified || kind == kindMessage) && len(k) == seqKeyLen:
		return fmt.Sprintf("%s q%d #%d", at, queueOf(k), seqOf(k))
	case kind == kindDeadline && len(k) == deadlineKeyLen:
		millis, q, seq := deadlineOf(k)
		return fmt.Sprintf("%s %d ms q%d #%d", at, millis, q, seq)
	}
	return fmt.Sprintf("%q", k)
}

func shardOf(key []byte) uint16 { return binary.BigEndian.Uint16(key[1:]) }
