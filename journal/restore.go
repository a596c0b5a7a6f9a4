package journal

import "errors"

var (
	// ErrRestoring: another Restore of the shard is open.
	ErrRestoring = errors.New("journal: the shard is being restored")
	// ErrStaleStream: the log does not go on where the stream ends, because it
	// was truncated meanwhile. A newer stream will do.
	ErrStaleStream = errors.New("journal: the stream is older than the log")
)

// Restore replaces a shard's state by that of a stream. Write takes the bytes,
// Finish checks and keeps them, Commit makes them the shard's state; Abort at
// any time before ends it without a trace.
//
// Its methods are for one goroutine at a time.
type Restore struct{}

// NewRestore begins to restore the shard. Until Commit the shard goes on with
// the state it has.
//
// Errors: ErrRestoring, the store's failure.
func (s *Shard) NewRestore() (*Restore, error) { return nil, errors.New("journal: no restore yet") }

// Write takes the stream's next bytes. After an error only Abort may follow.
//
// Errors: *StreamError, the store's failure.
func (r *Restore) Write(p []byte) (int, error) { return 0, ErrClosed }

// Finish says that the stream has ended: it holds what was written against the
// stream's trailer and syncs it. The shard still has its old state. index is the
// stream's.
//
// Errors: *StreamError, the store's failure.
func (r *Restore) Finish() (index uint64, err error) { return 0, ErrClosed }

// Commit makes what was finished the state of the shard, in one step, and syncs:
// K and AppliedIndex are the stream's index then, the window is empty, no queue is
// active. The entries behind that index are to be applied again.
//
// REQUIRES: no Apply runs meanwhile. Readers may.
//
// Errors: ErrStaleStream (the old state stays, Abort follows), the store's failure.
func (r *Restore) Commit() error { return ErrClosed }

// Abort removes what was written. After Commit it does nothing.
func (r *Restore) Abort() error { return nil }

// StreamError reports a stream that is not what a Stream has written: cut off,
// changed on its way, or of a version that this binary does not know.
type StreamError struct {
	Offset int64 // of the frame, in bytes
	Reason string
}

func (e *StreamError) Error() string { return "journal: stream: " + e.Reason }
