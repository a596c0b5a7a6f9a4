package journal

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKeysAreWhatTheyWere holds every key and value against literal bytes:
// what is on disks cannot change.
func TestKeysAreWhatTheyWere(t *testing.T) {
	s := space{sh: 0x0102, g: 3}
	for _, c := range []struct {
		want string
		got  []byte
	}{
		{"4c0102 0000000000000005", appendLogKey(nil, 0x0102, 5)},
		{"530102 6d61726b", appendMarkKey(nil, 0x0102, "mark")},
		{"4e010203 612f62", s.nameKey(nil, "a/b")},
		{"49010203 00000009", s.queueKey(nil, kindID, 9)},
		{"48010203 00000009", s.queueKey(nil, kindHead, 9)},
		{"42010203 00000009 0000000000000002", s.pageKey(nil, 9, 2)},
		{"4d010203 00000009 0000000000000007", s.seqKey(nil, kindModified, 9, 7)},
		{"51010203 00000009 0000000000000007", s.seqKey(nil, kindMessage, 9, 7)},
		{"54010203 00000000000003e8 00000009 0000000000000007", s.deadlineKey(nil, 1000, 9, 7)},
	} {
		require.Equal(t, unspaced(c.want), hex.EncodeToString(c.got))
	}
}

func TestValuesAreWhatTheyWere(t *testing.T) {
	key := []byte("key")
	e := Entry{Index: 5, Term: 6, Type: 2, AppendedAtMillis: 1000, Extensions: []byte("ex"), Data: []byte("data")}
	log := make([]byte, logValueLen(&e))
	putLogValue(key, log, &e)
	deadline := make([]byte, deadlineValueLen)
	putDeadlineValue(deadline, 1024)
	row := stateRow{generation: 1, durable: 9, spilled: 8, refused: []refusal{{9, 300}}, meta: []byte("meta")}
	skipped := stateRow{generation: 1, durable: 9, spilled: 8, refused: []refusal{{9, wholePack}}, meta: []byte("meta")}
	for _, c := range []struct {
		want string
		got  []byte
	}{
		{"01 02 0000000000000006 00000000000003e8 00000002 6578 64617461 cc23c28b", log},
		{"01 00 01 00000000000003e8 00000000000001f4 626f6479 98fa5382", appendMessageValue(nil, key, &storedMessage{1, 1000, 500, []byte("body")})},
		{"01 00000009 73706563 8d18a03b", nameValue(key, 9, []byte("spec"))},
		{"01 6e616d65 adf6d89e", plainValue(key, []byte("name"))},
		{"01 00000003 6e6f7465 b7df945a", modifiedValue(key, modification{count: 3, annotations: []byte("note")})},
		{"01 00000400", deadline},
		{"01 0000000000000009 0000000000000008 01 09 ac02 6d657461", row.append(nil)},
		{"01 0000000000000009 0000000000000008 01 09 ffffffff0f 6d657461", skipped.append(nil)},
	} {
		require.Equal(t, unspaced(c.want), hex.EncodeToString(c.got))
	}
}

// TestStreamsAreWhatTheyWere: nodes of other versions read them.
func TestStreamsAreWhatTheyWere(t *testing.T) {
	s := space{sh: 0x0102, g: 3}
	key := s.queueKey(nil, kindID, 9)
	rows := appendRow(beginFrame(nil), key, plainValue(key, []byte("name")))
	rows = endFrame(rows, 0, frameRows, 1, 1)
	end := (&rowTotals{rows: 1, bytes: 16}).append(beginFrame(nil))
	end = endFrame(end, 0, frameEnd, 2, 0)
	for _, c := range []struct {
		want string
		got  []byte
	}{
		{"45505354 5245414d", []byte(streamMagic)},
		{"72 00000001 00000001 00000010 08ebf96c 05 09 49 00000009 01 6e616d65 2f92bd83 051e821e", rows},
		{"65 00000002 00000000 00000010 b87c2e91 0000000000000001 0000000000000010 a6108bcd", end},
	} {
		require.Equal(t, unspaced(c.want), hex.EncodeToString(c.got))
	}
}

// TestCutValuesAreRefused cuts every value at every byte.
func TestCutValuesAreRefused(t *testing.T) {
	s := space{sh: 1, g: 1}
	e := Entry{Index: 1, Extensions: []byte("ex"), Data: []byte("data")}
	log := make([]byte, logValueLen(&e))
	logKey := appendLogKey(nil, 1, 1)
	putLogValue(logKey, log, &e)
	messageKey := s.seqKey(nil, kindMessage, 1, 1)
	nameKey := s.nameKey(nil, "n")
	modifiedKey := s.seqKey(nil, kindModified, 1, 1)
	for _, c := range []struct{ key, value []byte }{
		{logKey, log},
		{messageKey, appendMessageValue(nil, messageKey, &storedMessage{payload: []byte("body")})},
		{nameKey, nameValue(nameKey, 1, []byte("spec"))},
		{modifiedKey, modifiedValue(modifiedKey, modification{count: 1})},
		{s.deadlineKey(nil, 1, 1, 1), []byte{1, 0, 0, 0, 1}},
		{appendMarkKey(nil, 1, "m"), plainValue(appendMarkKey(nil, 1, "m"), []byte("v"))},
	} {
		require.NoError(t, checkRow(c.key, c.value))
		for n := range c.value {
			require.Error(t, checkRow(c.key, c.value[:n]), "%s cut at %d", describeKey(c.key), n)
			if c.key[0] == kindDeadline && n > 0 {
				continue // the only value without a checksum
			}
			bad := append([]byte(nil), c.value...)
			bad[n] ^= 0x10
			require.Error(t, checkRow(c.key, bad), "%s changed at %d", describeKey(c.key), n)
		}
	}
	row := stateRow{generation: 1, durable: 9, spilled: 8, refused: []refusal{{9, 300}}}
	whole := row.append(nil)
	for n := range whole {
		_, err := decodeStateRow(nil, whole[:n])
		require.Error(t, err, "cut at %d", n)
	}
	require.Error(t, checkRow(messageKey, appendMessageValue(nil, []byte("other"), &storedMessage{})), "a value under another key")
}

func TestPrefixEnd(t *testing.T) {
	require.Equal(t, []byte{1, 3}, prefixEnd([]byte{1, 2}))
	require.Equal(t, []byte{2}, prefixEnd([]byte{1, 0xFF, 0xFF}))
	require.Panics(t, func() { prefixEnd([]byte{0xFF}) })
}

func unspaced(s string) string {
	out := ""
	for _, r := range s {
		if r != ' ' {
			out += string(r)
		}
	}
	return out
}
