package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"entrepot/queue"
)

// telemetry is what a fleet of devices sends: JSON with few names and many
// numbers.
func telemetry(rng *rand.Rand, size int) []byte {
	b := fmt.Appendf(nil, `{"tenant":"acme","device":"sensor-%06d","ts":%d,"seq":%d,"values":{`,
		rng.IntN(5000), 1_700_000_000_000+rng.Int64N(1e9), rng.IntN(1e6))
	for i := 0; len(b) < size-60; i++ {
		b = fmt.Appendf(b, `"channel_%02d":{"value":%.3f,"unit":"celsius","ok":%t},`, i, rng.NormFloat64()*10+20, rng.IntN(50) > 0)
	}
	return append(bytes.TrimSuffix(b, []byte(",")), '}', '}')
}

func noise(rng *rand.Rand, size int) []byte {
	b := make([]byte, 0, size+8)
	for len(b) < size {
		b = binary.LittleEndian.AppendUint64(b, rng.Uint64())
	}
	return b[:size]
}

// packOf fills a pack with messages.
func packOf(body func(*rand.Rand, int) []byte, size, packBytes int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b queue.PackBuilder
	b.Reset(make([]byte, 0, packBytes+size+64))
	for b.Size() < packBytes {
		b.Enqueue(queue.ID(1+rng.IntN(100)), 0, 0, body(rng, size))
	}
	return b.Finish(1_700_000_000_000, queue.Origin{Node: 7, Seq: 9})
}

func sameBytes(a, b []byte) bool {
	return unsafe.SliceData(a) == unsafe.SliceData(b) && len(a) == len(b)
}

func TestCompressPack(t *testing.T) {
	scratch := make([]byte, 1<<20)
	for _, size := range []int{1 << 10, 20 << 10, 256 << 10} {
		pack := packOf(telemetry, 1024, size)
		before := bytes.Clone(pack)
		small := CompressPack(scratch, pack)
		require.Equal(t, before, pack, "the pack stays as it is")
		require.Less(t, len(small), len(pack)*3/4)
		require.Same(t, unsafe.SliceData(scratch), unsafe.SliceData(small), "in the scratch")
		want, err := queue.ReadPackHeader(pack)
		require.NoError(t, err)
		got, err := queue.ReadPackHeader(small)
		require.NoError(t, err)
		want.Codec = queue.CodecS2
		require.Equal(t, want, got, "the header stands in front, readable")
		plain, err := PlainPack(small)
		require.NoError(t, err)
		require.Equal(t, pack, plain)
		require.Equal(t, len(plain), cap(plain), "the window counts what it holds")
	}
}

func TestCompressPackLeavesAlone(t *testing.T) {
	random := packOf(noise, 1024, 256<<10)
	few := packOf(telemetry, 100, 100)
	half := packOf(noise, 1000, 2000) // below the size that is sampled
	squeezed := bytes.Clone(CompressPack(nil, packOf(telemetry, 1024, 20<<10)))
	require.Equal(t, byte(queue.CodecS2), squeezed[1])
	for name, p := range map[string][]byte{"random": random, "few": few, "half": half, "compressed": squeezed, "no pack": {1, 2, 3}} {
		require.True(t, sameBytes(p, CompressPack(nil, p)), name)
	}
	plain, err := PlainPack(random)
	require.NoError(t, err)
	require.True(t, sameBytes(random, plain), "a plain pack is not copied")
}

// TestCompressAnyPack: whatever is in a pack comes back, stamped or not.
func TestCompressAnyPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b queue.PackBuilder
		b.Reset(nil)
		for range rapid.IntRange(0, 20).Draw(t, "messages") {
			unit := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "unit")
			b.Enqueue(1, 0, 0, bytes.Repeat(unit, rapid.IntRange(0, 100).Draw(t, "times")))
		}
		pack := b.Finish(5, queue.Origin{Node: 1, Seq: 1})
		small := bytes.Clone(CompressPack(nil, pack))
		queue.StampTime(small, 77)
		queue.StampTime(pack, 77)
		plain, err := PlainPack(small)
		require.NoError(t, err)
		require.Equal(t, pack, plain)
	})
}

// TestPlainPackRefuses: damage is an error, and a length alone allocates nothing.
func TestPlainPackRefuses(t *testing.T) {
	good := bytes.Clone(CompressPack(nil, packOf(telemetry, 1024, 4<<10)))
	for n := range good[:len(good)-1] {
		_, err := PlainPack(good[:n])
		require.Error(t, err, "cut at %d", n)
	}
	head, err := queue.ReadPackHeader(good)
	require.NoError(t, err)
	huge := binary.AppendUvarint(head.Append(nil), 1<<31)
	_, err = PlainPack(append(huge, 0, 0, 0))
	require.ErrorContains(t, err, "s2 block")
	head.Codec = 9
	_, err = PlainPack(head.Append(nil))
	require.ErrorContains(t, err, "unknown codec 9")
}

func FuzzPlainPack(f *testing.F) {
	f.Add(bytes.Clone(CompressPack(nil, packOf(telemetry, 300, 1000))))
	f.Add(packOf(noise, 10, 100))
	f.Fuzz(func(t *testing.T, p []byte) {
		if h, err := queue.ReadPackHeader(p); err == nil && h.Codec == queue.CodecS2 {
			if n, err := s2.DecodedLen(p[h.Len():]); err == nil && n > 16<<20 {
				return // allowed, but slow here
			}
		}
		plain, err := PlainPack(p)
		if err != nil {
			return
		}
		again, err := PlainPack(bytes.Clone(CompressPack(nil, plain)))
		require.NoError(t, err)
		require.Equal(t, plain, again)
	})
}

// BenchmarkCompressPack is one pack of 256 KiB, or of one message.
func BenchmarkCompressPack(b *testing.B) {
	for _, c := range []struct {
		name string
		body func(*rand.Rand, int) []byte
		size int
	}{
		{"telemetry/256KiB", telemetry, 256 << 10},
		{"telemetry/32KiB", telemetry, 32 << 10},
		{"telemetry/1KiB", telemetry, 1 << 10},
		{"random/256KiB", noise, 256 << 10},
		{"random/32KiB", noise, 32 << 10},
		{"random/1KiB", noise, 1 << 10},
	} {
		pack := packOf(c.body, 1000, c.size)
		scratch := make([]byte, s2.MaxEncodedLen(len(pack))+64)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = CompressPack(scratch, pack)
			}
			b.ReportMetric(float64(len(out))/float64(len(pack))*100, "%size")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(float64(len(pack))/1024), "ns/KiB")
		})
		small := bytes.Clone(CompressPack(scratch, pack))
		b.Run("plain/"+c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := PlainPack(small); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(float64(len(pack))/1024), "ns/KiB")
		})
	}
}
