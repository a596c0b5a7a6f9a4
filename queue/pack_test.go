package queue

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// goldenPack has one record of each kind. Its bytes are a promise: a node must
// read what an older one has written.
const goldenPack = `
02 00 0001 0000000c 0000018bcfe56800 0102030405060708 000000000000012c
01 01 00000012 00000007 01 0000018bcfe56be8 68656c6c6f
02 01 0000000e 00000007 01 02 01 02 ac02 90 4e 01 0a
03 01 00000014 00000007 0000000000000009 00000003 6e6f7465
04 02 00000007 0003 612f62 7b7d
05 01 00000006 00000008 7b7d
06 01 00000004 00000008
07 01 00000004 00000007
08 01 00000014 00000007 0000000000000009 0000000000000005
09 01 0000000f 0000018bcfe56be8 01 00000007 ac02
0f 01 00000009 03 6b6579 76616c7565
10 01 00000000
01 01 0000000d 00000007 00 0000000000000000
`

// goldenPackV1 is the first version's: 16 bytes of header, and a Declare that
// brings the id.
const goldenPackV1 = `
01 00 0000 0000000a 0000018bcfe56800
01 01 00000012 00000007 01 0000018bcfe56be8 68656c6c6f
02 01 0000000e 00000007 01 02 01 02 ac02 90 4e 01 0a
03 01 00000014 00000007 0000000000000009 00000003 6e6f7465
04 01 0000000b 00000008 0003 612f62 7b7d
05 01 00000006 00000008 7b7d
06 01 00000004 00000008
07 01 00000004 00000007
08 01 00000014 00000007 0000000000000009 0000000000000005
09 01 0000000f 0000018bcfe56be8 01 00000007 ac02
01 01 0000000d 00000007 00 0000000000000000
`

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

var goldenOrigin = Origin{Node: 0x0102030405060708, Seq: 300}

func buildGolden() []byte {
	var b PackBuilder
	b.Reset(nil)
	b.Enqueue(7, 1700000001000, FlagDurable, []byte("hel"), []byte("lo"))
	b.Remove(7, Settled, []Run{{First: 1, Count: 2, Bytes: 300}, {First: 10000, Count: 1, Bytes: 10}})
	b.Modify(7, 9, 3, []byte("note"))
	b.Declare("a/b", []byte("{}"))
	b.Update(8, []byte("{}"))
	b.Delete(8)
	b.Purge(7)
	b.Mark(7, 9, 5)
	b.Expire(1700000001000, []Ref{{7, 300}})
	b.Setting("key", []byte("value"))
	b.Check()
	b.Enqueue(7, 0, 0)
	return b.Finish(1700000000000, goldenOrigin)
}

func TestPackGolden(t *testing.T) {
	require.Equal(t, hex.EncodeToString(unhex(t, goldenPack)), hex.EncodeToString(buildGolden()))
}

func readAll(p []byte) (records []Record, err error) {
	r, err := OpenPack(p)
	if err != nil {
		return nil, err
	}
	for {
		var rec Record
		more, err := r.Next(&rec)
		if err != nil || !more {
			return records, err
		}
		records = append(records, rec)
	}
}

// goldenRecords is what both golden packs say, but for what only one can.
func goldenRecords(declare Record, more ...Record) []Record {
	all := []Record{
		{Kind: KindEnqueue, Queue: 7, Flags: FlagDurable, DeadlineMillis: 1700000001000, Payload: []byte("hello")},
		{Kind: KindRemove, Queue: 7, Reason: Settled, Runs: []Run{{1, 2, 300}, {10000, 1, 10}}},
		{Kind: KindModify, Queue: 7, Seq: 9, Count: 3, Annotations: []byte("note")},
		declare,
		{Kind: KindUpdate, Queue: 8, Spec: []byte("{}")},
		{Kind: KindDelete, Queue: 8},
		{Kind: KindPurge, Queue: 7},
		{Kind: KindMark, Queue: 7, Seq: 9, Epoch: 5},
		{Kind: KindExpire, DeadlineMillis: 1700000001000, Except: []Ref{{7, 300}}},
	}
	return append(append(all, more...), Record{Kind: KindEnqueue, Queue: 7, Payload: []byte{}})
}

func requireRecords(t *testing.T, p []byte, want []Record) {
	t.Helper()
	records, err := readAll(p)
	require.NoError(t, err)
	for i := range records { // nil and empty are the same here
		if len(records[i].Payload) > 0 {
			o := records[i].PayloadOffset
			require.Equal(t, p[o:o+len(records[i].Payload)], records[i].Payload, "the offset is the payload's")
		}
		records[i].Version, records[i].PayloadOffset = 0, 0
	}
	require.Equal(t, want, records)
}

func TestPackReadsWhatWasBuilt(t *testing.T) {
	p := buildGolden()
	h, err := ReadPackHeader(p)
	require.NoError(t, err)
	require.Equal(t, PackHeader{Version: 2, Flags: PackNames, Count: 12, NowMillis: 1700000000000, Origin: goldenOrigin}, h)
	requireRecords(t, p, goldenRecords(
		Record{Kind: KindDeclare, NewID: true, Name: []byte("a/b"), Spec: []byte("{}")},
		Record{Kind: KindSetting, Name: []byte("key"), Spec: []byte("value")},
		Record{Kind: KindCheck}))
}

// TestPackReadsVersion1: stores of the first release are full of them.
func TestPackReadsVersion1(t *testing.T) {
	p := unhex(t, goldenPackV1)
	h, err := ReadPackHeader(p)
	require.NoError(t, err)
	require.Equal(t, PackHeader{Version: 1, Count: 10, NowMillis: 1700000000000}, h)
	require.Equal(t, 16, h.Len())
	require.Equal(t, p[:16], h.Append(nil), "a store can put it back")
	requireRecords(t, p, goldenRecords(
		Record{Kind: KindDeclare, Queue: 8, Name: []byte("a/b"), Spec: []byte("{}")}))
}

// TestStampTime changes the time and nothing else, in each version and codec.
func TestStampTime(t *testing.T) {
	for _, golden := range []string{goldenPack, goldenPackV1} {
		for _, codec := range []Codec{CodecNone, CodecS2} {
			p := unhex(t, golden)
			p[1] = byte(codec)
			want := slices.Clone(p)
			copy(want[8:], []byte{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88})
			StampTime(p, 0x1122334455667788)
			require.Equal(t, want, p)
			h, err := ReadPackHeader(p)
			require.NoError(t, err)
			require.Equal(t, int64(0x1122334455667788), h.NowMillis)
		}
	}
}

// TestPackCutOff: a pack that ends early is an error at every byte.
func TestPackCutOff(t *testing.T) {
	for _, p := range [][]byte{buildGolden(), unhex(t, goldenPackV1)} {
		for n := range len(p) {
			_, err := readAll(p[:n])
			require.ErrorAs(t, err, new(*FormatError), "%d bytes", n)
		}
		_, err := readAll(append(slices.Clone(p), 0))
		require.ErrorContains(t, err, "1 bytes behind the last record")
	}
}

// one is a pack of one record with any body.
func one(k Kind, version uint8, body string) []byte {
	var b PackBuilder
	b.Reset(nil)
	at := b.beginRecord(k, version)
	b.buf = append(b.buf, body...)
	b.end(at)
	b.flags = PackNames
	return b.Finish(1, Origin{})
}

// TestPackRefuses names each thing that a reader of this version must refuse.
func TestPackRefuses(t *testing.T) {
	change := func(at int, to byte) []byte {
		p := buildGolden()
		p[at] = to
		return p
	}
	const first = packHeaderLen
	remove := first + recordHeaderLen + enqueueFixedLen + 5
	for _, c := range []struct {
		p    []byte
		want string
	}{
		{change(0, 3), "unknown version 3"},
		{change(1, 1), "codec 1 is not plain"},
		{change(2, 1), "unknown flags 0x100"},
		{change(3, 3), "unknown flags 0x2"},
		{change(3, 0), "declare: the pack's flags do not tell of it"},
		{append([]byte{1, 0, 0, 1}, unhex(t, goldenPackV1)[4:]...), "unknown flags 0x1"},
		{one(KindSetting, 1, "\x00value"), "setting: no key"},
		{one(KindSetting, 1, "\x06value"), "setting: cut off in key"},
		{one(KindSetting, 1, "\x01k"+strings.Repeat("v", MaxSettingValue+1)), "a value of 65537 bytes"},
		{one(KindSetting, 2, "\x01kv"), "setting: unknown version 2"},
		{one(KindCheck, 1, "x"), "check: 1 bytes too many"},
		{one(KindDeclare, 3, ""), "declare: unknown version 3"},
		{one(KindCheck+1, 1, ""), "unknown record: kind(17)"},
		{one(14, 1, ""), "kind(14) is of a later version"},
		{change(first, 0), "unknown record: none"},
		{change(first, 10), "kind(10) is of a later version"},
		{change(first, 99), "unknown record: kind(99)"},
		{change(first+1, 2), "enqueue: unknown version 2"},
		{change(first+2, 0xff), "enqueue: length"},
		{change(remove+recordHeaderLen+4, 9), "remove: unknown reason(9)"},
		{change(remove+recordHeaderLen+6, 0), "remove: run 0+2 is out of range"},
		{change(remove+recordHeaderLen+7, 0), "remove: run 1+0 is out of range"},
		{change(remove+recordHeaderLen+5, 9), "remove: cut off or too long"},
		{change(remove+recordHeaderLen+5, 1), "remove: 4 bytes too many"},
	} {
		_, err := readAll(c.p)
		require.ErrorContains(t, err, c.want)
	}
}

// TestPackHeaderKeepsCodec: a store finds the codec of a pack that it wrote
// compressed, and puts the plain header back.
func TestPackHeaderKeepsCodec(t *testing.T) {
	for _, h := range []PackHeader{
		{Version: 1, Codec: CodecS2, Count: 3, NowMillis: 99},
		{Version: 2, Codec: CodecS2, Flags: PackNames, Count: 3, NowMillis: 99, Origin: Origin{1, 2}},
	} {
		b := h.Append(nil)
		require.Len(t, b, h.Len())
		got, err := ReadPackHeader(b)
		require.NoError(t, err)
		require.Equal(t, h, got)
	}
}

// TestPackAnyNumbers: what is built with any numbers is read back.
func TestPackAnyNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runs := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Run {
			count := rapid.Uint32Min(1).Draw(t, "count")
			return Run{Seq(rapid.Uint64Range(1, math.MaxUint64-uint64(count)).Draw(t, "first")), count, rapid.Uint64().Draw(t, "bytes")}
		})).Draw(t, "runs")
		payload := rapid.SliceOf(rapid.Byte()).Draw(t, "payload")
		cut := rapid.IntRange(0, len(payload)).Draw(t, "cut")
		var b PackBuilder
		b.Reset(make([]byte, 5))
		b.Remove(3, Discarded, runs)
		b.Enqueue(math.MaxUint32, math.MinInt64, 0xff, payload[:cut], nil, payload[cut:])
		require.Equal(t, 2, b.Len())
		size := b.Size()
		p := b.Finish(-1, Origin{})
		require.Len(t, p, size)
		records, err := readAll(p)
		require.NoError(t, err)
		require.Equal(t, runs, append([]Run{}, records[0].Runs...))
		require.Equal(t, payload, append([]byte{}, records[1].Payload...))
		require.Equal(t, int64(math.MinInt64), records[1].DeadlineMillis)
	})
}

// FuzzPack: no bytes make the reader panic, read beyond, or find more records
// than there is room for; and what it reads, the Machine can apply.
func FuzzPack(f *testing.F) {
	f.Add(buildGolden())
	f.Add(unhex(f, goldenPackV1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		m := NewMachine()
		m.Apply(&Record{Kind: KindDeclare, Queue: 7}, 0)
		hash := m.Hash()
		r, err := OpenPack(p)
		if err != nil {
			require.ErrorAs(t, err, new(*FormatError))
			return
		}
		head := r.Header()
		if m.BeginPack(&head) != PackFresh {
			require.Equal(t, hash, m.Hash(), "nothing is done")
			return
		}
		var rec Record
		for n := 0; ; n++ {
			require.LessOrEqual(t, n*recordHeaderLen, len(p))
			more, err := r.Next(&rec)
			if err != nil {
				require.ErrorAs(t, err, new(*FormatError))
				return
			}
			if !more {
				require.NoError(t, m.Check())
				requireMetaLoads(t, m)
				return
			}
			if rec.Kind == KindDeclare && rec.Queue > 1000 {
				continue // the slab's list of blocks grows with the id: see slab
			}
			m.Apply(&rec, r.Header().NowMillis)
		}
	})
}

// FuzzState: stored values of any bytes are refused or make a machine that
// holds its invariants or says which one it does not.
func FuzzState(f *testing.F) {
	full := new(page)
	full.fill()
	f.Add(AppendState(nil, &State{Head: 1, Tail: 5, Count: 4, Bytes: 9}), appendPage(nil, full))
	f.Fuzz(func(t *testing.T, state, page []byte) {
		m := NewMachine()
		m.nextID = 2
		if m.LoadState(1, state) != nil || m.LoadPage(1, 0, page) != nil || m.Check() != nil {
			return
		}
		m.Apply(&Record{Kind: KindRemove, Queue: 1, Reason: Settled, Runs: []Run{{First: 1, Count: 3}}}, 0)
		m.Apply(&Record{Kind: KindEnqueue, Queue: 1}, 0)
		require.NoError(t, m.Check())
	})
}
