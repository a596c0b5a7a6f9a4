package queue

import (
	"encoding/binary"
	"math"
)

// PackBuilder appends records straight into one growing buffer; a record costs
// no allocation once the buffer has its size. The zero value needs a Reset.
//
// It checks nothing about queues: whoever fills it is the leader and knows.
// Lengths that the format cannot hold are bugs of the caller and panic.
type PackBuilder struct {
	buf   []byte
	count uint32
	flags PackFlags
}

// Reset begins a new pack in buf, whose contents are overwritten (nil: a new
// buffer). The builder owns buf until Finish.
func (b *PackBuilder) Reset(buf []byte) {
	b.buf = PackHeader{Version: packVersion}.Append(buf[:0])
	b.count, b.flags = 0, 0
}

// Len is the number of records, Size the bytes of the pack so far.
func (b *PackBuilder) Len() int  { return int(b.count) }
func (b *PackBuilder) Size() int { return len(b.buf) }

// Finish closes the pack with the leader's time (see also StampTime) and its
// origin, and gives it away. The builder needs a Reset before its next record.
func (b *PackBuilder) Finish(nowMillis int64, origin Origin) []byte {
	p := b.buf
	PackHeader{Version: packVersion, Flags: b.flags, Count: b.count, NowMillis: nowMillis, Origin: origin}.Append(p[:0])
	b.buf, b.count, b.flags = nil, 0, 0
	return p
}

// Enqueue appends a message to q: the parts, one behind the other, are the
// message as it came. deadlineMillis is absolute Unix time, 0 for none.
func (b *PackBuilder) Enqueue(q ID, deadlineMillis int64, flags Flags, parts ...[]byte) {
	at := b.begin(KindEnqueue, q)
	b.buf = append(b.buf, byte(flags))
	b.buf = binary.BigEndian.AppendUint64(b.buf, uint64(deadlineMillis))
	for _, p := range parts {
		b.buf = append(b.buf, p...)
	}
	b.end(at)
}

// Remove takes runs of messages out of q. Reason must be Valid; no run may be
// empty. Runs may come in any order and may be gone already.
func (b *PackBuilder) Remove(q ID, reason Reason, runs []Run) {
	at := b.begin(KindRemove, q)
	b.buf = append(b.buf, byte(reason))
	b.buf = binary.AppendUvarint(b.buf, uint64(len(runs)))
	for _, r := range runs {
		b.buf = binary.AppendUvarint(b.buf, uint64(r.First))
		b.buf = binary.AppendUvarint(b.buf, uint64(r.Count))
		b.buf = binary.AppendUvarint(b.buf, r.Bytes)
	}
	b.end(at)
}

// Modify sets the stored delivery count of a message (see Effect.Count) and,
// unless they are empty, replaces its annotations.
func (b *PackBuilder) Modify(q ID, seq Seq, count uint32, annotations []byte) {
	at := b.begin(KindModify, q)
	b.buf = binary.BigEndian.AppendUint64(b.buf, uint64(seq))
	b.buf = binary.BigEndian.AppendUint32(b.buf, count)
	b.buf = append(b.buf, annotations...)
	b.end(at)
}

// Declare makes a queue with a name (at most MaxNameLen bytes) and a
// specification that is opaque here. The Reply tells its id, or that of the
// queue that has the name already (Exists).
func (b *PackBuilder) Declare(name string, spec []byte) {
	if len(name) > math.MaxUint16 {
		panic("queue: name is longer than the format can hold")
	}
	at := b.beginRecord(KindDeclare, declareVersion)
	b.buf = binary.BigEndian.AppendUint16(b.buf, uint16(len(name)))
	b.buf = append(b.buf, name...)
	b.buf = append(b.buf, spec...)
	b.flags |= PackNames
	b.end(at)
}

// Update replaces the specification of q.
func (b *PackBuilder) Update(q ID, spec []byte) {
	at := b.begin(KindUpdate, q)
	b.buf = append(b.buf, spec...)
	b.end(at)
}

// Delete ends q and all that is in it.
func (b *PackBuilder) Delete(q ID) { b.end(b.begin(KindDelete, q)) }

// Purge removes everything that is in q when the record is applied.
func (b *PackBuilder) Purge(q ID) { b.end(b.begin(KindPurge, q)) }

// Mark says that messages of q up to and including upTo have been delivered at
// least once, by the leader of this epoch (its Raft term).
func (b *PackBuilder) Mark(q ID, upTo Seq, epoch uint64) {
	at := b.begin(KindMark, q)
	b.buf = binary.BigEndian.AppendUint64(b.buf, uint64(upTo))
	b.buf = binary.BigEndian.AppendUint64(b.buf, epoch)
	b.end(at)
}

// Expire says that every message of the shard whose deadline is at or before
// upToMillis has been removed by records up to here, but for the ones in
// except: those were out with a consumer and must be looked at again.
func (b *PackBuilder) Expire(upToMillis int64, except []Ref) {
	at := b.beginRecord(KindExpire, recordVersion)
	b.buf = binary.BigEndian.AppendUint64(b.buf, uint64(upToMillis))
	b.buf = binary.AppendUvarint(b.buf, uint64(len(except)))
	for _, r := range except {
		b.buf = binary.BigEndian.AppendUint32(b.buf, uint32(r.Queue))
		b.buf = binary.AppendUvarint(b.buf, uint64(r.Seq))
	}
	b.end(at)
}

// Setting gives a setting of the cluster a value; the last one wins, and an
// empty one deletes the setting. key has 1 to MaxSettingKey bytes, value at most
// MaxSettingValue.
func (b *PackBuilder) Setting(key string, value []byte) {
	if len(key) == 0 || len(key) > MaxSettingKey || len(value) > MaxSettingValue {
		panic("queue: setting is longer than the format allows, or has no key")
	}
	at := b.beginRecord(KindSetting, recordVersion)
	b.buf = append(b.buf, byte(len(key)))
	b.buf = append(b.buf, key...)
	b.buf = append(b.buf, value...)
	b.end(at)
}

// Check makes each replica note the hash of its state at this place in the log.
func (b *PackBuilder) Check() { b.end(b.beginRecord(KindCheck, recordVersion)) }

// begin opens a record about queue q and gives the place of its header.
func (b *PackBuilder) begin(k Kind, q ID) int {
	at := b.beginRecord(k, recordVersion)
	b.buf = binary.BigEndian.AppendUint32(b.buf, uint32(q))
	return at
}

func (b *PackBuilder) beginRecord(k Kind, version uint8) int {
	at := len(b.buf)
	b.buf = append(b.buf, byte(k), version, 0, 0, 0, 0)
	return at
}

// end writes the length of the record that begins at byte at.
func (b *PackBuilder) end(at int) {
	n := len(b.buf) - at - recordHeaderLen
	if n > math.MaxUint32 {
		panic("queue: record is longer than the format can hold")
	}
	binary.BigEndian.PutUint32(b.buf[at+2:], uint32(n))
	b.count++
}
