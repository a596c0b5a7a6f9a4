package journal

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"entrepot/queue"
)

// DumpOptions say what Dump writes.
type DumpOptions struct {
	FS vfs.FS // default: the disk
	// Kinds are the first bytes of the keys that are wanted ("L", "QT"); empty:
	// all.
	Kinds string
	// Records also writes the records of packs, Payloads the first bytes of
	// messages.
	Records, Payloads bool
}

// maxShown is how much of a payload Dump shows.
const maxShown = 64

// Dump writes a stopped node's store to w, one line a row, for people to read.
// It changes nothing. A damaged row is shown as such.
//
// Errors: ErrLocked, fs.ErrNotExist, *CorruptionError if the store cannot be
// opened at all, what the disk and w say.
func Dump(dir string, w io.Writer, o DumpOptions) error {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	s, err := openReadOnly(o.FS, dir)
	if err != nil {
		return err
	}
	defer s.closeReadOnly()
	it, err := s.db.newIter(nil)
	if err != nil {
		return fmt.Errorf("journal: dump: %w", err)
	}
	defer it.Close()
	d := dumper{w: w, o: o}
	for ok := it.First(); ok && d.err == nil; ok = it.Next() {
		if len(it.Key()) > 0 && d.wants(it.Key()[0]) {
			d.row(it.Key(), it.Value())
		}
	}
	if d.err != nil {
		return d.err
	}
	if err := it.Error(); err != nil {
		return openError(err)
	}
	return nil
}

type dumper struct {
	w   io.Writer
	o   DumpOptions
	err error
}

func (d *dumper) wants(kind byte) bool {
	for i := range len(d.o.Kinds) {
		if d.o.Kinds[i] == kind {
			return true
		}
	}
	return d.o.Kinds == ""
}

func (d *dumper) printf(format string, args ...any) {
	if d.err == nil {
		_, d.err = fmt.Fprintf(d.w, format, args...)
	}
}

func (d *dumper) row(key, value []byte) {
	if err := checkRow(key, value); err != nil {
		d.printf("%s: DAMAGED: %v\n", describeKey(key), err)
		return
	}
	body := value[1:]
	if key[0] != kindDeadline {
		body = body[:len(body)-crcLen]
	}
	d.printf("%s: ", describeKey(key))
	switch key[0] {
	case kindLog:
		d.entry(key, value)
	case kindMessage:
		m, _ := decodeMessageValue(key, value)
		d.printf("%d bytes flags %d deadline %d arrived %d%s\n", len(m.payload), m.flags, m.deadlineMillis, m.arrivedMillis, d.shown(m.payload))
	case kindName:
		d.printf("q%d spec %q\n", binary.BigEndian.Uint32(body), body[4:])
	case kindID:
		d.printf("%q\n", body)
	case kindHead:
		d.state(body)
	case kindModified:
		d.printf("count %d annotations %x\n", binary.BigEndian.Uint32(body), body[4:])
	case kindDeadline:
		d.printf("%d bytes\n", binary.BigEndian.Uint32(body))
	case kindMark:
		d.mark(key, body)
	default:
		d.printf("%d bytes\n", len(body))
	}
}

func (d *dumper) shown(payload []byte) string {
	if !d.o.Payloads {
		return ""
	}
	return fmt.Sprintf(" %q", payload[:min(len(payload), maxShown)])
}

func (d *dumper) state(body []byte) {
	st, err := queue.DecodeState(body)
	if err != nil {
		d.printf("DAMAGED: %v\n", err)
		return
	}
	d.printf("head %d tail %d count %d bytes %d delivered up to %d\n", st.Head, st.Tail, st.Count, st.Bytes, st.DeliveredUpTo)
}

func (d *dumper) mark(key, body []byte) {
	if shardOf(key) == storeShard || string(key[3:]) != stateRowName {
		d.printf("%x\n", body)
		return
	}
	row, err := decodeStateRow(key, body)
	if err != nil {
		d.printf("DAMAGED: %v\n", err)
		return
	}
	d.printf("K %d W %d generation %d refused %d\n", row.durable, row.spilled, row.generation, len(row.refused))
}

func (d *dumper) entry(key, value []byte) {
	var e Entry
	_ = decodeLogValue(key, value, &e) // row has checked it
	d.printf("term %d type %d, %d bytes", e.Term, e.Type, len(e.Data))
	if e.Type != EntryPack {
		d.printf("\n")
		return
	}
	plain, err := PlainPack(e.Data)
	var r queue.PackReader
	if err == nil {
		r, err = queue.OpenPack(plain)
	}
	if err != nil {
		d.printf(", DAMAGED: %v\n", err)
		return
	}
	if len(plain) != len(e.Data) {
		d.printf(" (%d plain)", len(plain))
	}
	d.printf(", %d records at %d ms", r.Header().Count, r.Header().NowMillis)
	if o := r.Header().Origin; o.Node != 0 {
		d.printf(", pack %d of %016x", o.Seq, o.Node)
	}
	d.printf("\n")
	var rec queue.Record
	for d.o.Records {
		more, err := r.Next(&rec)
		if err != nil {
			d.printf("  DAMAGED: %v\n", err)
		}
		if err != nil || !more {
			return
		}
		d.record(&rec)
	}
}

func (d *dumper) record(rec *queue.Record) {
	d.printf("  %s", rec.Kind)
	if rec.Queue != 0 {
		d.printf(" q%d", rec.Queue)
	}
	switch rec.Kind {
	case queue.KindEnqueue:
		d.printf(" %d bytes deadline %d%s", len(rec.Payload), rec.DeadlineMillis, d.shown(rec.Payload))
	case queue.KindRemove:
		d.printf(" %s", rec.Reason)
		for _, run := range rec.Runs {
			d.printf(" #%d+%d", run.First, run.Count)
		}
	case queue.KindModify:
		d.printf(" #%d count %d", rec.Seq, rec.Count)
	case queue.KindDeclare:
		d.printf(" %q spec %q", rec.Name, rec.Spec)
	case queue.KindUpdate:
		d.printf(" spec %q", rec.Spec)
	case queue.KindMark:
		d.printf(" up to #%d epoch %d", rec.Seq, rec.Epoch)
	case queue.KindExpire:
		d.printf(" up to %d ms but %v", rec.DeadlineMillis, rec.Except)
	case queue.KindSetting:
		d.printf(" %q = %q", rec.Name, rec.Spec[:min(len(rec.Spec), maxShown)])
	}
	d.printf("\n")
}
