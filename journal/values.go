package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"entrepot/queue"
)

// Values. Every value begins with the version of its format and, T excepted,
// ends with a CRC-32C over its key and everything before the checksum, so
// that a right value under a wrong key is found too. Big-endian.
//
//	L   | 1 | type u8 | term u64 | appended i64 ms | n u32 | extensions (n) | data ... | crc |
//	Q   | 1 | tag u8  | flags u8 | deadline i64 ms | arrived i64 ms | message ...       | crc |
//	S   | 1 | value ...                                                               | crc |
//	N   | 1 | q u32 | spec ...                                                        | crc |
//	I   | 1 | name ...                                                                | crc |
//	H   | 1 | the state, as package queue encodes it ...                              | crc |
//	B   | 1 | the page, as package queue encodes it ...                               | crc |
//	M   | 1 | delivery count u32 | annotations ...                                    | crc |
//	T   | 1 | size of the message u32 |
//
// The message in Q is the one that came, byte for byte, and arrived is the time
// of the pack that brought it. The tag of Q is 0: the message is inline. Other tags are kept for pointers
// to large bodies that stay elsewhere. T has no checksum: it is a hint, and
// what it names is looked up in the queue's state.
const (
	valueVersion = 1
	crcLen       = 4

	logHeaderLen     = 1 + 1 + 8 + 8 + 4
	messageHeaderLen = 1 + 1 + 1 + 8 + 8
	tagInline        = 0
	deadlineValueLen = 1 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal writes the checksum of key and v[:len(v)-crcLen] to the end of v.
func seal(key, v []byte) {
	body := len(v) - crcLen
	crc := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, v[:body])
	binary.BigEndian.PutUint32(v[body:], crc)
}

// sealed appends the checksum to v.
func sealed(key, v []byte) []byte {
	v = append(v, 0, 0, 0, 0)
	seal(key, v)
	return v
}

// unseal checks version and checksum of a value and gives what is between.
func unseal(key, v []byte) ([]byte, error) {
	if len(v) < 1+crcLen {
		return nil, corrupt(key, "the value has %d bytes", len(v))
	}
	if v[0] != valueVersion {
		return nil, corrupt(key, "unknown format version %d", v[0])
	}
	body := len(v) - crcLen
	crc := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, v[:body])
	if want := binary.BigEndian.Uint32(v[body:]); crc != want {
		return nil, corrupt(key, "checksum %08x, want %08x", crc, want)
	}
	return v[1:body], nil
}

func corrupt(key []byte, format string, args ...any) *CorruptionError {
	e := &CorruptionError{Key: describeKey(key), Reason: fmt.Sprintf(format, args...), Shard: storeShard}
	if len(key) >= 3 {
		e.Shard = shardOf(key)
	}
	if len(key) == logKeyLen && key[0] == kindLog {
		e.LogIndex = indexOf(key)
	}
	return e
}

// logValueLen is the size of an entry's value.
func logValueLen(e *Entry) int {
	return logHeaderLen + len(e.Extensions) + len(e.Data) + crcLen
}

// putLogValue fills v, which has logValueLen(e) bytes: the only copy of a pack
// that is made here.
func putLogValue(key, v []byte, e *Entry) {
	v[0], v[1] = valueVersion, e.Type
	binary.BigEndian.PutUint64(v[2:], e.Term)
	binary.BigEndian.PutUint64(v[10:], uint64(e.AppendedAtMillis))
	binary.BigEndian.PutUint32(v[18:], uint32(len(e.Extensions)))
	n := copy(v[logHeaderLen:], e.Extensions)
	copy(v[logHeaderLen+n:], e.Data)
	seal(key, v)
}

// decodeLogValue reads an entry; its slices alias v.
func decodeLogValue(key, v []byte, e *Entry) error {
	b, err := unseal(key, v)
	if err != nil {
		return err
	}
	if len(b) < logHeaderLen-1 {
		return corrupt(key, "cut off in the entry's header")
	}
	n := binary.BigEndian.Uint32(b[17:])
	rest := b[logHeaderLen-1:]
	if uint64(n) > uint64(len(rest)) {
		return corrupt(key, "extensions of %d bytes in %d", n, len(rest))
	}
	*e = Entry{
		Index:            indexOf(key),
		Type:             b[0],
		Term:             binary.BigEndian.Uint64(b[1:]),
		AppendedAtMillis: int64(binary.BigEndian.Uint64(b[9:])),
		Data:             rest[n:],
	}
	if n > 0 {
		e.Extensions = rest[:n:n]
	}
	return nil
}

// appendMessageValue appends the value of m.
func appendMessageValue(b, key []byte, m *storedMessage) []byte {
	at := len(b)
	b = append(b, valueVersion, tagInline, byte(m.flags))
	b = binary.BigEndian.AppendUint64(b, uint64(m.deadlineMillis))
	b = binary.BigEndian.AppendUint64(b, uint64(m.arrivedMillis))
	b = append(b, m.payload...)
	b = append(b, 0, 0, 0, 0)
	seal(key, b[at:])
	return b
}

// storedMessage is what a Q value holds; decoded, payload aliases the value.
type storedMessage struct {
	flags          queue.Flags
	deadlineMillis int64
	arrivedMillis  int64
	payload        []byte
}

func decodeMessageValue(key, v []byte) (storedMessage, error) {
	b, err := unseal(key, v)
	if err != nil {
		return storedMessage{}, err
	}
	if len(b) < messageHeaderLen-1 {
		return storedMessage{}, corrupt(key, "cut off in the message's header")
	}
	if b[0] != tagInline {
		return storedMessage{}, corrupt(key, "unknown tag %d", b[0])
	}
	return storedMessage{
		flags:          queue.Flags(b[1]),
		deadlineMillis: int64(binary.BigEndian.Uint64(b[2:])),
		arrivedMillis:  int64(binary.BigEndian.Uint64(b[10:])),
		payload:        b[messageHeaderLen-1:],
	}, nil
}

func nameValue(key []byte, q queue.ID, spec []byte) []byte {
	v := binary.BigEndian.AppendUint32([]byte{valueVersion}, uint32(q))
	return sealed(key, append(v, spec...))
}

func decodeNameValue(key, v []byte) (q queue.ID, spec []byte, err error) {
	b, err := unseal(key, v)
	if err != nil {
		return 0, nil, err
	}
	if len(b) < 4 {
		return 0, nil, corrupt(key, "cut off in the queue's id")
	}
	return queue.ID(binary.BigEndian.Uint32(b)), b[4:], nil
}

// plainValue is the value of S, I, H and B rows.
func plainValue(key, body []byte) []byte {
	v := make([]byte, 0, 1+len(body)+crcLen)
	return sealed(key, append(append(v, valueVersion), body...))
}

// modification is what Modify records said of a message: the highest count, and the
// annotations of the last one that had any.
type modification struct {
	count       uint32
	annotations []byte
	// inherits: the annotations are those of an older modification. Never in
	// a row.
	inherits bool
}

// over gives m as it is on top of an older modification.
func (m modification) over(older modification) modification {
	m.count = max(m.count, older.count)
	if m.inherits {
		m.annotations, m.inherits = older.annotations, older.inherits
	}
	return m
}

func modifiedValue(key []byte, m modification) []byte {
	v := binary.BigEndian.AppendUint32([]byte{valueVersion}, m.count)
	return sealed(key, append(v, m.annotations...))
}

func decodeModifiedValue(key, v []byte) (modification, error) {
	b, err := unseal(key, v)
	if err != nil {
		return modification{}, err
	}
	return decodeModified(key, b)
}

// decodeModified reads what unseal gave. It copies: modifications outlive the
// iterator.
func decodeModified(key, b []byte) (modification, error) {
	if len(b) < 4 {
		return modification{}, corrupt(key, "cut off in the delivery count")
	}
	return modification{count: binary.BigEndian.Uint32(b), annotations: clone(b[4:])}, nil
}

func putDeadlineValue(v []byte, size int) {
	v[0] = valueVersion
	binary.BigEndian.PutUint32(v[1:], uint32(min(size, math.MaxUint32)))
}

func decodeDeadlineValue(key, v []byte) (size uint32, err error) {
	if len(v) != deadlineValueLen || v[0] != valueVersion {
		return 0, corrupt(key, "not a value of version %d: %x", valueVersion, v)
	}
	return binary.BigEndian.Uint32(v[1:]), nil
}
