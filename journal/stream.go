package journal

import (
	"context"
	"errors"
)

// Stream is the state of a shard at one index, as bytes for another replica.
// It must be closed. Read and Close may be called by different goroutines.
type Stream struct {
	// Index is K: the stream holds the effects of every entry up to it and of no
	// later one.
	Index uint64
	// Size is how many bytes Read will give before io.EOF, exactly.
	Size int64
}

// OpenStream writes all state to disk and opens a stream of it, as of that
// moment. Apply waits for a few milliseconds meanwhile; afterwards traffic goes
// on beside the stream.
//
// Errors: *CorruptionError if a row is damaged, ctx's, the store's failure.
func (s *Shard) OpenStream(ctx context.Context) (*Stream, error) {
	return nil, errors.New("journal: no streams yet")
}

// Read gives the stream's next bytes, io.EOF behind the last.
func (st *Stream) Read(p []byte) (int, error) { return 0, ErrClosed }

// Close gives back what the stream holds on to. It may be called twice.
func (st *Stream) Close() error { return nil }
