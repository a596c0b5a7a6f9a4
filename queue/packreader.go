package queue

import (
	"encoding/binary"
	"math"
)

// Record is one decoded record of a pack. Which fields have a meaning depends
// on Kind; the others are zero. Byte slices alias the pack. Runs and Except
// are the record's own, used again by the next PackReader.Next.
type Record struct {
	Kind    Kind
	Version uint8
	NewID   bool // Declare: the Machine gives the id (version 2)
	Queue   ID   // all but Expire, Setting, Check, and Declare of version 2

	// Enqueue.
	Flags          Flags
	DeadlineMillis int64 // also Expire: swept up to here; 0: none
	Payload        []byte
	PayloadOffset  int // Payload is pack[PayloadOffset : PayloadOffset+len(Payload)]

	// Remove.
	Reason Reason
	Runs   []Run

	// Modify and Mark.
	Seq         Seq
	Count       uint32
	Annotations []byte
	Epoch       uint64

	// Declare and Update. Setting: its key and its value.
	Name []byte
	Spec []byte

	// Expire.
	Except []Ref
}

// PackReader reads the records of one pack in order.
//
// It never panics and never allocates by a number it has read: Runs and Except
// grow with bytes that are there.
type PackReader struct {
	header PackHeader
	pack   []byte
	off    int
	left   uint32
}

// OpenPack begins to read a pack of codec CodecNone. The error, as that of
// Next, is a *FormatError.
func OpenPack(p []byte) (PackReader, error) {
	h, err := ReadPackHeader(p)
	if err != nil {
		return PackReader{}, err
	}
	if h.Codec != CodecNone {
		return PackReader{}, formatErrorf(1, "pack: codec %d is not plain", h.Codec)
	}
	return PackReader{header: h, pack: p, off: h.Len(), left: h.Count}, nil
}

// Header is the header of the pack being read.
func (r *PackReader) Header() PackHeader { return r.header }

// Next decodes the next record into rec. more is false when all have been
// read; the pack must end there.
func (r *PackReader) Next(rec *Record) (more bool, err error) {
	if r.left == 0 {
		if r.off != len(r.pack) {
			return false, formatErrorf(r.off, "pack: %d bytes behind the last record", len(r.pack)-r.off)
		}
		return false, nil
	}
	if len(r.pack)-r.off < recordHeaderLen {
		return false, formatErrorf(r.off, "pack: cut off, %d records are missing", r.left)
	}
	head := r.pack[r.off:]
	*rec = Record{Kind: Kind(head[0]), Version: head[1], Runs: rec.Runs[:0], Except: rec.Except[:0]}
	length := binary.BigEndian.Uint32(head[2:])
	if uint64(length) > uint64(len(head)-recordHeaderLen) {
		return false, formatErrorf(r.off, "%s: length %d is more than the %d bytes that are there", rec.Kind, length, len(head)-recordHeaderLen)
	}
	d := decoder{p: r.pack[:r.off+recordHeaderLen+int(length)], off: r.off + recordHeaderLen}
	if err := d.record(rec); err != nil {
		return false, err
	}
	if rec.NewID && r.header.Flags&PackNames == 0 {
		return false, formatErrorf(r.off, "%s: the pack's flags do not tell of it", rec.Kind)
	}
	r.off = len(d.p)
	r.left--
	return true, nil
}

// record decodes the body behind d.off, which must end with d.p.
func (d *decoder) record(rec *Record) error {
	switch {
	case rec.Kind >= kindFirstReserved && rec.Kind <= kindLastReserved:
		return formatErrorf(d.off, "%s is of a later version", rec.Kind)
	case rec.Kind < KindEnqueue || rec.Kind > KindCheck:
		return formatErrorf(d.off, "unknown record: %s", rec.Kind)
	case rec.Version == recordVersion:
	case rec.Version == declareVersion && rec.Kind == KindDeclare:
		rec.NewID = true
	default:
		return formatErrorf(d.off, "%s: unknown version %d", rec.Kind, rec.Version)
	}
	d.what = rec.Kind.String()
	if rec.Kind < KindExpire && !rec.NewID {
		rec.Queue = ID(d.u32("queue"))
	}
	switch rec.Kind {
	case KindEnqueue:
		rec.Flags = Flags(d.u8("flags"))
		rec.DeadlineMillis = int64(d.u64("deadline"))
		rec.PayloadOffset = d.off
		rec.Payload = d.rest()
	case KindRemove:
		rec.Reason = Reason(d.u8("reason"))
		rec.Runs = d.runs(rec.Runs, rec.Reason)
	case KindModify:
		rec.Seq = Seq(d.u64("seq"))
		rec.Count = d.u32("count")
		rec.Annotations = d.rest()
	case KindDeclare:
		rec.Name = d.bytes("name", int(d.u16("name")))
		rec.Spec = d.rest()
	case KindUpdate:
		rec.Spec = d.rest()
	case KindMark:
		rec.Seq = Seq(d.u64("upTo"))
		rec.Epoch = d.u64("epoch")
	case KindExpire:
		rec.DeadlineMillis = int64(d.u64("upTo"))
		rec.Except = d.refs(rec.Except)
	case KindSetting:
		d.setting(rec)
	}
	return d.done()
}

// setting decodes a Setting.
func (d *decoder) setting(rec *Record) {
	rec.Name = d.bytes("key", int(d.u8("key length")))
	rec.Spec = d.rest()
	if len(rec.Name) == 0 || len(rec.Spec) > MaxSettingValue {
		d.fail("no key, or a value of %d bytes", len(rec.Spec))
	}
}

// runs decodes a Remove's runs behind dst.
func (d *decoder) runs(dst []Run, reason Reason) []Run {
	if !reason.Valid() {
		d.fail("unknown %s", reason)
	}
	for n := d.uvarint("runs"); n > 0 && d.err == nil; n-- {
		first, count, bytes := d.uvarint("first"), d.uvarint("count"), d.uvarint("bytes")
		if d.err == nil && (first == 0 || count == 0 || count > math.MaxUint32 || first > math.MaxUint64-count) {
			d.fail("run %d+%d is out of range", first, count)
		}
		dst = append(dst, Run{First: Seq(first), Count: uint32(count), Bytes: bytes})
	}
	return dst
}

// refs decodes an Expire's exceptions behind dst.
func (d *decoder) refs(dst []Ref) []Ref {
	for n := d.uvarint("exceptions"); n > 0 && d.err == nil; n-- {
		dst = append(dst, Ref{Queue: ID(d.u32("queue")), Seq: Seq(d.uvarint("seq"))})
	}
	return dst
}
