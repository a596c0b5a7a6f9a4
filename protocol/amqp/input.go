package amqp

// maxWaiting is how many bytes are kept while the owner owes an answer
// (Authenticate, Open): enough for all that a client sends ahead, see
// [amqp-transport 2.4.2] on pipelined opens.
const maxWaiting = 256 << 10

// keepPartial is how large a buffer for partial frames stays while there is none.
const keepPartial = 4 << 10

// input is what has come and is not parsed. A frame that lies whole in what Receive
// handed over is never copied.
type input struct {
	// kept holds the beginning of a frame whose end has not come, or all that came
	// while the owner owed an answer. kept[:off] is consumed.
	kept []byte
	off  int
	// rest is what follows it, owned by the caller of Receive.
	rest []byte
}

// peek returns the next n bytes, or nil while they are not all there; then what is
// there has moved to kept. It stays valid until peek is called again.
// REQUIRES: n has been checked against a limit.
func (in *input) peek(n int) []byte {
	if len(in.kept) == in.off {
		in.kept, in.off = in.kept[:0], 0
		if len(in.rest) >= n {
			return in.rest[:n]
		}
	}
	if missing := n - (len(in.kept) - in.off); missing > 0 {
		take := min(missing, len(in.rest))
		// Grows with what has come, never by what the header announced.
		in.kept = append(in.kept, in.rest[:take]...)
		in.rest = in.rest[take:]
		if take < missing {
			return nil
		}
	}
	return in.kept[in.off : in.off+n]
}

// skip consumes the n bytes that peek has returned.
func (in *input) skip(n int) {
	if len(in.kept) > in.off {
		in.off += n
	} else {
		in.rest = in.rest[n:]
	}
}

// partial is what is kept of a unit that is not complete.
func (in *input) partial() []byte { return in.kept[in.off:] }

// hold keeps everything; false if that is too much.
func (in *input) hold() bool {
	if in.off > 0 {
		in.kept = in.kept[:copy(in.kept, in.kept[in.off:])]
		in.off = 0
	}
	if len(in.kept)+len(in.rest) > maxWaiting {
		return false
	}
	in.kept = append(in.kept, in.rest...)
	in.rest = nil
	return true
}

// discard forgets everything.
func (in *input) discard() { *in = input{} }

// shrink gives memory back that is not needed now.
func (in *input) shrink() {
	if len(in.kept) == in.off && cap(in.kept) > keepPartial {
		in.kept, in.off = nil, 0
	}
}
