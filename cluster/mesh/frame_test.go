package mesh

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// encode gives the bytes of messages, as a writer would.
func encode(o *outbox, limit int) (out []byte) {
	for {
		batch := o.take(nil)
		if len(batch) == 0 {
			return out
		}
		for _, s := range batch {
			out = append(out, s.b...)
		}
		o.written(batch)
		if limit--; limit == 0 {
			return out
		}
	}
}

func (o *outbox) add(h header, parts ...[]byte) {
	for _, p := range parts {
		h.total += len(p)
	}
	o.push(h, checksOf(nil, h.class, parts), parts)
}

// The bytes of version 1.
func TestFrameBytes(t *testing.T) {
	var o outbox
	o.add(header{kind: kindMessage, channel: 7, class: normal}, []byte("he"), []byte("llo"))
	require.Equal(t, "01070101"+"00000005"+"00000005"+"9a71bb4c"+"0a2b47cd"+"68656c6c6f", hex.EncodeToString(encode(&o, 0)))
}

// Whatever the sizes, classes and cuts: what goes in comes out, each class in order.
func TestOutboxAndReader(t *testing.T) {
	for seed := range uint64(15) {
		random := rand.New(rand.NewPCG(seed, 1))
		var o outbox
		var sent [classes][][]byte
		var wire []byte
		for range 60 {
			size := []int{0, 3, 100, copyBelow, 20_000, partBytes[bulk] + 1, maxPart, 2*maxPart + 5}[random.IntN(8)]
			body := make([]byte, size)
			for i := range body {
				body[i] = byte(random.Uint32())
			}
			k := class(random.IntN(int(classes)))
			cut := random.IntN(size + 1)
			o.add(header{kind: kindMessage, channel: Channel(k), class: k}, body[:cut], body[cut:])
			sent[k] = append(sent[k], body)
			if random.IntN(4) == 0 {
				wire = append(wire, encode(&o, 1)...)
			}
		}
		wire = append(wire, encode(&o, 0)...)
		require.Zero(t, o.bytes)
		for k := range o.lanes {
			require.Nil(t, o.lanes[k].open, "an idle connection holds no buffer")
			require.Empty(t, o.lanes[k].segments)
		}
		var from io.Reader = bytes.NewReader(wire)
		if seed%2 == 0 {
			from = iotest.HalfReader(from)
		}
		r := newFrameReader(from)
		for {
			m, err := r.next()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			require.True(t, bytes.Equal(sent[m.channel][0], m.data))
			sent[m.channel] = sent[m.channel][1:]
		}
		for k := range sent {
			require.Empty(t, sent[k])
		}
	}
}

// A changed bit anywhere, or an end anywhere, is an error; nothing wrong is handed over.
func TestDamageIsSeen(t *testing.T) {
	var o outbox
	o.add(header{kind: kindMessage, class: urgent}, []byte("first"))
	o.add(header{kind: kindCall, class: normal}, []byte("second"))
	good := encode(&o, 0)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		var err error
		for r := newFrameReader(bytes.NewReader(bad)); err == nil; {
			_, err = r.next()
		}
		require.ErrorIs(t, err, errFrame, "byte %d", i)
		for r, err := newFrameReader(bytes.NewReader(good[:i])), error(nil); ; {
			if _, err = r.next(); err != nil {
				whole := i == 0 || i == headerBytes+len("first")
				require.Equal(t, whole, err == io.EOF, "end at %d: %v", i, err)
				break
			}
		}
	}
}

func TestHeadersThatNoOneWrites(t *testing.T) {
	for _, h := range []header{
		{kind: 0, first: true}, {kind: 1, class: classes, first: true},
		{kind: 1, first: true, total: MaxMessage + 1, part: 1}, {kind: 1, first: true, total: 2 * maxPart, part: maxPart + 1},
		{kind: 1, first: true, total: 1, part: 2}, {kind: 1, first: true, total: 1}, {kind: 1, total: 1, part: 1},
	} {
		b := make([]byte, headerBytes+2*maxPart)
		h.check = checksum(0, b[headerBytes:headerBytes+h.part])
		h.put(b)
		_, err := newFrameReader(bytes.NewReader(b)).next()
		require.ErrorIs(t, err, errFrame, "%+v", h)
	}
}

// An announced size is not allocated before its bytes come.
func TestAnAnnouncedSizeIsNotBelieved(t *testing.T) {
	body := []byte{1}
	h := header{kind: kindMessage, first: true, total: MaxMessage, part: 1, check: checksum(0, body)}
	b := make([]byte, headerBytes, headerBytes+1)
	h.put(b)
	r := newFrameReader(bytes.NewReader(append(b, body...)))
	_, err := r.next()
	require.Error(t, err)
	require.Equal(t, believed, cap(r.open[0].data))
}

func FuzzFrameReader(f *testing.F) {
	var o outbox
	o.add(header{kind: kindMessage, class: urgent}, []byte("first"))
	o.add(header{kind: kindStreamData, class: bulk}, make([]byte, 300))
	two := encode(&o, 0)
	f.Add(two, false)
	f.Add(two, true)
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if fix { // or the check would hide all that is behind it
			for at := 0; at+headerBytes <= len(b); {
				binary.BigEndian.PutUint32(b[at+16:], checksum(0, b[at:at+16]))
				at += headerBytes + int(binary.BigEndian.Uint32(b[at+8:])%maxPart)
			}
		}
		total := 0
		for r := newFrameReader(bytes.NewReader(b)); ; {
			m, err := r.next()
			if err != nil {
				return
			}
			if total += headerBytes + len(m.data); total > len(b) {
				t.Fatalf("%d bytes came out of %d", total, len(b))
			}
		}
	})
}

func FuzzPreamble(f *testing.F) {
	for _, p := range []preamble{{word: wordHello, node: "a", wanted: "b", incarnation: 5, hello: []byte("x")}, {word: wordReady}, {word: wordRefusal, node: "n", hello: []byte("no")}} {
		f.Add(p.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readPreamble(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := readPreamble(bytes.NewReader(p.append(nil)))
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}
