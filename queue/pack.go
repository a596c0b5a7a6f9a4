package queue

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// A pack, as it stands in a Raft log entry. All numbers are big-endian; uv is
// an unsigned varint (encoding/binary), at most 10 bytes.
//
//	0        1       2           4          8                16
//	+--------+-------+-----------+----------+----------------+--
//	|version | codec | flags u16 | count u32| time i64, ms   | ...
//	+--------+-------+-----------+----------+----------------+--
//	16                   24                  32
//	+--------------------+-------------------+---------+--
//	| origin's node u64  | origin's seq u64  | records ...
//	+--------------------+-------------------+---------+--
//
//	version  2. A pack of version 1 ends its header at byte 16 (it has no
//	         origin) and has no flags; it is read for ever. A reader refuses
//	         what it does not know.
//	codec    0: records as they are. 1: everything after the header is one s2
//	         block. This package reads and writes codec 0 only; whoever stores
//	         packs compresses and decompresses.
//	flags    bit 0, PackNames: there is a Declare of version 2 in it, so names
//	         must be looked up to apply it. The others are zero.
//	count    number of records
//	time     the leader's clock when the pack was proposed, Unix milliseconds
//	origin   who made the pack, and its number there: see Origin. Node 0: nobody
//	         who would send it again
//
// A record:
//
//	0      1         2             6
//	+------+---------+-------------+----------------+
//	| kind | version | length u32  | body (length)  |
//	+------+---------+-------------+----------------+
//
// Bodies, of version 1 but for Declare (q is the queue's id, u32, and comes
// first where a record is about one queue that exists):
//
//	Enqueue   q | flags u8 | deadline i64 ms, 0: none | the message as it came
//	Remove    q | reason u8 | n uv | n * (first uv, count uv, bytes uv)
//	Modify    q | seq u64 | count u32 | annotations (may be empty)
//	Declare   version 2: name length u16 | name | spec
//	          version 1: q | name length u16 | name | spec
//	Update    q | spec
//	Delete    q
//	Purge     q
//	Mark      q | upTo u64 | epoch u64
//	Expire    upTo i64 ms | n uv | n * (queue u32, seq uv)
//	Setting   key length u8 | key | value (empty: the setting is deleted)
//	Check     nothing
//
// What may never change: the places of version, codec and time; the record
// header; the numbers of kinds and reasons. A body changes
// by a new record version, a pack by a new pack version.
const (
	packVersion     = 2
	packHeaderLen   = 32
	packHeaderLenV1 = 16
	packTimeAt      = 8 // in every version

	recordVersion   = 1
	declareVersion  = 2 // of a Declare that leaves the id to the Machine
	recordHeaderLen = 6

	enqueueFixedLen = 4 + 1 + 8 // body of an Enqueue before the message
)

// PackOverhead and EnqueueOverhead are the bytes that a pack and each Enqueue
// in it add to the messages themselves.
const (
	PackOverhead    = packHeaderLen
	EnqueueOverhead = recordHeaderLen + enqueueFixedLen
)

// Codec says how the bytes behind a pack's header are stored.
type Codec uint8

const (
	CodecNone Codec = 0
	CodecS2   Codec = 1
)

// Kind is what a record does. Its numbers are part of the format.
type Kind uint8

const (
	KindEnqueue Kind = 1  // a message is appended to a queue
	KindRemove  Kind = 2  // runs of messages are gone
	KindModify  Kind = 3  // a message came back, counted or with other annotations
	KindDeclare Kind = 4  // a queue begins to exist
	KindUpdate  Kind = 5  // a queue's specification is replaced
	KindDelete  Kind = 6  // a queue ends, with all that is in it
	KindPurge   Kind = 7  // a queue is emptied
	KindMark    Kind = 8  // messages up to here have been delivered at least once
	KindExpire  Kind = 9  // the shard has been swept for deadlines up to a time
	KindSetting Kind = 15 // a setting of the cluster has a new value
	KindCheck   Kind = 16 // replicas note the hash of their state, for comparison

	// Numbers that are spoken for. A reader of this version refuses them.
	//
	//	10 Part       a message in parts: one that is bigger than a pack
	//	11 Subscribe  a subscription of a topic begins, changes or ends
	//	12 Cursor     a subscription's floor and holes
	//	13 Producer   a producer's last identifier, for deduplication
	//	14 Txn        prepare, commit and roll-back of a transaction
	kindFirstReserved Kind = 10
	kindLastReserved  Kind = 14
)

var kindNames = [...]string{"none", "enqueue", "remove", "modify", "declare", "update", "delete", "purge", "mark", "expire", KindSetting: "setting", KindCheck: "check"}

// String is the kind's name as errors and dumps show it.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// Flags of an Enqueue, carried through to the Message untouched.
type Flags uint8

const (
	// FlagDurable: the sender's header said durable=true.
	FlagDurable Flags = 1 << 0
)

// PackFlags say about a pack what one wants to know before reading it.
type PackFlags uint16

// PackNames: to apply the pack, names must be looked up (it has a Declare that
// leaves the id to the Machine).
const PackNames PackFlags = 1 << 0

// Origin says who made a pack: Node is a number that a process draws at random
// when it starts, Seq counts its packs of the shard: 1, 2, 3 and so on without a
// gap. It is what makes sending a pack again harmless, see Machine.BeginPack.
// Node 0 is no origin.
type Origin struct{ Node, Seq uint64 }

// PackHeader is what stands before a pack's records.
type PackHeader struct {
	Version   uint8
	Codec     Codec
	Flags     PackFlags
	Count     uint32
	NowMillis int64
	Origin    Origin // version 1: none
}

// Len is how many bytes the header takes.
func (h *PackHeader) Len() int {
	if h.Version == 1 {
		return packHeaderLenV1
	}
	return packHeaderLen
}

// ReadPackHeader reads the header alone. Unlike OpenPack it accepts every
// codec, so that a store can tell what to decompress. The error is a
// *FormatError.
func ReadPackHeader(p []byte) (PackHeader, error) {
	if len(p) < packHeaderLenV1 {
		return PackHeader{}, formatErrorf(len(p), "pack: header is cut off: %d of %d bytes", len(p), packHeaderLen)
	}
	h := PackHeader{
		Version:   p[0],
		Codec:     Codec(p[1]),
		Flags:     PackFlags(binary.BigEndian.Uint16(p[2:])),
		Count:     binary.BigEndian.Uint32(p[4:]),
		NowMillis: int64(binary.BigEndian.Uint64(p[packTimeAt:])),
	}
	known := PackNames
	switch h.Version {
	case 1:
		known = 0
	case packVersion:
		if len(p) < packHeaderLen {
			return h, formatErrorf(len(p), "pack: header is cut off: %d of %d bytes", len(p), packHeaderLen)
		}
		h.Origin = Origin{Node: binary.BigEndian.Uint64(p[16:]), Seq: binary.BigEndian.Uint64(p[24:])}
	default:
		return h, formatErrorf(0, "pack: unknown version %d", h.Version)
	}
	if h.Flags&^known != 0 {
		return h, formatErrorf(2, "pack: unknown flags %#x", h.Flags&^known)
	}
	return h, nil
}

// Append writes the header to b: what a store needs to put a compressed body
// under the same header, or the plain one back.
func (h PackHeader) Append(b []byte) []byte {
	b = append(b, h.Version, byte(h.Codec))
	b = binary.BigEndian.AppendUint16(b, uint16(h.Flags))
	b = binary.BigEndian.AppendUint32(b, h.Count)
	b = binary.BigEndian.AppendUint64(b, uint64(h.NowMillis))
	if h.Version == 1 {
		return b
	}
	b = binary.BigEndian.AppendUint64(b, h.Origin.Node)
	return binary.BigEndian.AppendUint64(b, h.Origin.Seq)
}

// StampTime writes the leader's time into a finished pack, in place, whatever
// its version and codec: a pack that came from another node gets its time from
// the leader who proposes it.
//
// REQUIRES: ReadPackHeader accepts the pack.
func StampTime(pack []byte, nowMillis int64) {
	binary.BigEndian.PutUint64(pack[packTimeAt:], uint64(nowMillis))
}

// FormatError is bytes that this package cannot be expected to have written:
// torn, corrupted, or of a later version.
type FormatError struct {
	Offset int // where in the input
	What   string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("queue: %s (at byte %d)", e.What, e.Offset)
}

func formatErrorf(offset int, format string, args ...any) error {
	return &FormatError{Offset: offset, What: fmt.Sprintf(format, args...)}
}
