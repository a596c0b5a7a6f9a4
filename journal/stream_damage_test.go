package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// contentOf makes a rig with a little of everything and more frames than one.
func contentOf(t testing.TB) *rig {
	r := newRig(t, memOptions())
	for q := queue.ID(1); q <= 3; q++ {
		r.declare(q)
	}
	r.do(func(b *queue.PackBuilder) {
		for i := range 12 {
			b.Enqueue(queue.ID(1+i%3), int64(5000*(i%2)), 0, bytes.Repeat([]byte{byte(i)}, 9000))
		}
	})
	r.remove(1, 2, 1)
	r.do(func(b *queue.PackBuilder) { b.Modify(1, 3, 2, []byte("note")) })
	return r
}

// boundaries are the offsets where frames begin, and the end.
func boundaries(t *testing.T, stream []byte) []int {
	at := []int{0, preambleLen}
	for n := preambleLen; n < len(stream); {
		f, err := readFrameHead(stream[n:])
		require.NoError(t, err)
		n += frameOver + int(f.length)
		at = append(at, n)
	}
	require.Greater(t, len(at), 5, "several frames")
	return at
}

// refused gives the stream in random pieces and wants a *StreamError, and afterwards
// the old state.
func refused(t *testing.T, r *rig, stream []byte, rng *rand.Rand, why string, args ...any) {
	t.Helper()
	hash := r.shard.Hash()
	x, err := r.shard.NewRestore()
	require.NoError(t, err)
	for err == nil && len(stream) > 0 {
		n := min(len(stream), 1+rng.IntN(40_000))
		_, err = x.Write(stream[:n])
		stream = stream[n:]
	}
	if err == nil {
		_, err = x.Finish()
	}
	var bad *StreamError
	require.ErrorAs(t, err, &bad, append([]any{why}, args...)...)
	_, err = x.Write([]byte("more"))
	require.Error(t, err)
	require.ErrorIs(t, x.Commit(), ErrClosed)
	require.NoError(t, x.Abort())
	require.Equal(t, hash, r.shard.Hash())
}

// TestDamagedStreams cuts a stream at and around every frame, changes bytes there,
// and takes frames out, doubles and swaps them: none is taken for a stream, and the
// shard keeps what it has.
func TestDamagedStreams(t *testing.T) {
	src := contentOf(t)
	stream := src.streamed()
	src.close()
	dst := newRig(t, memOptions())
	dst.declare(1)
	dst.enqueue(1, "mine")
	dst.spill()
	rng := rand.New(rand.NewPCG(1, 1))
	at := boundaries(t, stream)
	for i, b := range at {
		for _, off := range []int{-5, -4, -1, 0, 1, 5, 13, 16, 17, 18, 25} {
			if n := b + off; n >= 0 && n < len(stream) {
				refused(t, dst, stream[:n], rng, "cut at %d (frame %d%+d)", n, i-1, off)
				bad := bytes.Clone(stream)
				bad[n] ^= byte(1 + rng.IntN(255))
				refused(t, dst, bad, rng, "changed at %d (frame %d%+d)", n, i-1, off)
			}
		}
	}
	for i := 1; i+2 < len(at); i++ {
		a, b, c := at[i], at[i+1], at[i+2]
		refused(t, dst, bytes.Join([][]byte{stream[:a], stream[b:]}, nil), rng, "frame %d left out", i-1)
		refused(t, dst, bytes.Join([][]byte{stream[:b], stream[a:]}, nil), rng, "frame %d twice", i-1)
		refused(t, dst, bytes.Join([][]byte{stream[:a], stream[b:c], stream[a:b], stream[c:]}, nil), rng, "frames %d and %d swapped", i-1, i)
	}
	refused(t, dst, append(bytes.Clone(stream), 0), rng, "something behind the end")
	require.Equal(t, []string{"mine"}, payloads(dst.all(1, 10)))
	require.Equal(t, []uint8{firstGeneration}, mustGenerations(t, dst), "nothing is left behind")
	dst.restore(stream)
	dst.close()
}

func mustGenerations(t *testing.T, r *rig) []uint8 {
	t.Helper()
	all, err := r.store.generationsOf(0)
	require.NoError(t, err)
	return all
}

// reframe changes the rows of a stream and gives it checksums that fit: what is
// refused now is refused for what it says.
func reframe(t *testing.T, stream []byte, change func(key, value []byte) (keep bool)) []byte {
	out := bytes.Clone(stream[:preambleLen])
	var totals rowTotals
	for at := preambleLen; at < len(stream); {
		f, err := readFrameHead(stream[at:])
		require.NoError(t, err)
		payload := bytes.Clone(stream[at+frameHeadLen : at+frameHeadLen+int(f.length)])
		at += frameOver + int(f.length)
		begin := len(out)
		out = beginFrame(out)
		switch f.kind {
		case frameHead:
			out = append(out, payload...)
		case frameEnd:
			out = totals.append(out)
		case frameRows:
			f.rows = 0
			for len(payload) > 0 {
				key, value, rest, err := readRow(payload)
				require.NoError(t, err)
				row := payload[:len(payload)-len(rest)]
				if change(key, value) {
					out = append(out, row...)
					totals.add(len(row))
					f.rows++
				}
				payload = rest
			}
		}
		out = endFrame(out, begin, f.kind, f.number, f.rows)
	}
	return out
}

// TestStreamsThatDoNotFit: whole frames, but rows that are damaged, missing or
// without each other.
func TestStreamsThatDoNotFit(t *testing.T) {
	src := contentOf(t)
	stream := src.streamed()
	src.close()
	dst := newRig(t, memOptions())
	defer dst.close()
	rng := rand.New(rand.NewPCG(1, 1))
	require.Equal(t, stream, reframe(t, stream, func(_, _ []byte) bool { return true }))
	for _, kind := range []byte(streamKinds) {
		n := 0
		refused(t, dst, reframe(t, stream, func(key, value []byte) bool {
			if key[0] == kind {
				n++
				if n == 1 {
					value[0] ^= 1
				}
			}
			return true
		}), rng, "a damaged %c row", kind)
		require.NotZero(t, n, "the stream has %c rows", kind)
	}
	for _, kind := range []byte("HBIQ") {
		n := 0
		refused(t, dst, reframe(t, stream, func(key, _ []byte) bool {
			if key[0] == kind {
				n++
			}
			return key[0] != kind || n != 2 && (kind != kindPage || n != 1)
		}), rng, "a %c row is missing", kind)
	}
	for range 300 { // any byte of any row
		at, n := rng.IntN(45), 0
		var hit byte
		changed := reframe(t, stream, func(key, value []byte) bool {
			if n++; n-1 == at {
				hit = key[0]
				row := value
				if rng.IntN(2) == 0 {
					row = key
				}
				row[rng.IntN(len(row))] ^= byte(1 + rng.IntN(255))
			}
			return true
		})
		if hit != kindDeadline && hit != 0 { // those have no checksum, being hints
			refused(t, dst, changed, rng, "a changed %c row", hit)
		}
	}
	other := bytes.Clone(stream)
	head := other[preambleLen:]
	binary.BigEndian.PutUint16(head[frameHeadLen:], 9)
	n := int(binary.BigEndian.Uint32(head[9:]))
	binary.BigEndian.PutUint32(head[frameHeadLen+n:], crc32.Checksum(head[frameHeadLen:frameHeadLen+n], castagnoli))
	refused(t, dst, other, rng, "another shard's")
}

// nowhere takes a stream and keeps nothing.
type nowhere struct{}

func (nowhere) head(stateRow) error   { return nil }
func (nowhere) row(_, _ []byte) error { return nil }
func (nowhere) end() error            { return nil }

// FuzzStream: whatever comes, the reader takes it or refuses it. The checksums of
// frames are made to fit, so that more than those is tried.
func FuzzStream(f *testing.F) {
	r := contentOf(f)
	b := r.streamed()
	r.close()
	f.Add(b[:2000], uint16(100))
	f.Add(b[len(b)-200:], uint16(7))
	f.Fuzz(func(t *testing.T, b []byte, chunk uint16) {
		whole := append([]byte(streamMagic), streamVersion)
		for number := uint32(0); len(b) > 6; number++ {
			n := min(int(binary.BigEndian.Uint16(b[4:])), len(b)-6)
			at := len(whole)
			whole = append(beginFrame(whole), b[6:6+n]...)
			whole = endFrame(whole, at, b[0], number, uint32(b[1]))
			b = b[6+n:]
		}
		var in streamReader
		for len(whole) > 0 {
			n := min(len(whole), 1+int(chunk))
			if err := in.write(whole[:n], nowhere{}); err != nil {
				var bad *StreamError
				require.ErrorAs(t, err, &bad)
				return
			}
			whole = whole[n:]
		}
	})
}
