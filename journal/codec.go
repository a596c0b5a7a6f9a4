package journal

import (
	"fmt"

	"github.com/klauspost/compress/s2"

	"entrepot/queue"
)

// Packs are compressed as a whole, by whoever makes them: messages of one kind
// have most in common with their neighbours. The log, and what nodes send each
// other, have the pack as it was made; the window and Q keys have it plain.
//
// Measured (BenchmarkCompressPack, 2 cores shared with others; JSON telemetry of
// 1 KB a message, and random bytes; CPU per KiB of plain pack):
//
//	pack      JSON: size  compress  plain again    random: compress
//	256 KiB         18 %    0.52 us      0.65 us             0.01 us
//	 32 KiB         21 %    0.50 us      0.78 us             0.06 us
//	  1 KiB         39 %    0.58 us      0.77 us             0.38 us
const (
	// A pack below minCompressed is left as it is: a record of some 20 bytes
	// has nothing to give.
	minCompressed = 256
	// sampleBytes at each of two places tell whether it is worth looking at
	// the rest.
	sampleBytes = 4 << 10
	// maxPlainPack bounds what a damaged length can make us allocate.
	maxPlainPack = 1 << 30
)

// pays: n bytes may take the place of plain ones. Reading them costs a copy.
func pays(n, plain int) bool { return n >= 0 && n < plain-plain/8 }

// CompressPack returns pack with its records as one s2 block, or pack itself if
// that saves less than an eighth. What it returns is pack, or in scratch, which
// is grown if it is too small.
//
// REQUIRES: pack is finished and plain.
func CompressPack(scratch, pack []byte) []byte {
	head, err := queue.ReadPackHeader(pack)
	if err != nil || head.Codec != queue.CodecNone || len(pack) < minCompressed {
		return pack
	}
	body := pack[head.Len():]
	if !promising(body) {
		return pack
	}
	limit := head.Len() + s2.MaxEncodedLen(len(body))
	if cap(scratch) < limit {
		scratch = make([]byte, limit)
	}
	head.Codec = queue.CodecS2
	out := head.Append(scratch[:0])
	block := s2.Encode(out[len(out):limit], body)
	if !pays(len(block), len(body)) {
		return pack
	}
	return out[:len(out)+len(block)]
}

// promising looks at samples: what was compressed or encrypted before costs no
// more than that.
func promising(body []byte) bool {
	if len(body) <= 4*sampleBytes {
		return true
	}
	for i := range 2 {
		at := (1 + 2*i) * len(body) / 4
		if pays(s2.EstimateBlockSize(body[at:at+sampleBytes]), sampleBytes) {
			return true
		}
	}
	return false
}

// PlainPack returns a pack of any codec as one of codec CodecNone: data itself
// if it is that. The error is a *queue.FormatError or says what s2 found.
func PlainPack(data []byte) ([]byte, error) {
	head, err := queue.ReadPackHeader(data)
	if err != nil {
		return nil, err
	}
	switch head.Codec {
	case queue.CodecNone:
		return data, nil
	case queue.CodecS2:
	default:
		return nil, fmt.Errorf("journal: pack: unknown codec %d", head.Codec)
	}
	block := data[head.Len():]
	n, err := s2.DecodedLen(block)
	if err != nil || n > maxPlainPack {
		return nil, fmt.Errorf("journal: pack: an s2 block of %d bytes can't be read: %w", n, err)
	}
	head.Codec = queue.CodecNone
	plain := head.Append(make([]byte, 0, head.Len()+n))
	if _, err := s2.Decode(plain[len(plain):cap(plain)], block); err != nil {
		return nil, fmt.Errorf("journal: pack: s2 block: %w", err)
	}
	return plain[:cap(plain)], nil
}
