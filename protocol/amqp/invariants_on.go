//go:build invariants

package amqp

// scribble overwrites bytes that the owner must not look at any more, so that a
// test build shows at once who keeps a slice of an Event beyond the next Next.
func scribble(b []byte) {
	for i := range b {
		b[i] = 0xdd
	}
}

// assert panics: a bug is here or at the owner, never at the peer.
func assert(holds bool, invariant string) {
	if !holds {
		panic("amqp: " + invariant)
	}
}
