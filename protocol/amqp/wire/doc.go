// Package wire is the codec of AMQP 1.0: the type system, the performatives,
// the SASL frames, the frame header and the sections of a message. It turns
// bytes into Go values and back and decides nothing else; the protocol's rules
// live in protocol/amqp.
//
// Sections in brackets, like [amqp-transport 2.7.5], are those of the OASIS
// standard AMQP 1.0 (parts types, transport, messaging, transactions, security).
//
// # Who owns the memory
//
// Flow, Transfer, Disposition, Header and everything that Reader hands out as
// []byte or Raw alias the input: they are good as long as it is, and decoding
// them allocates nothing. All other composites, and every value that ReadAny
// returns, own what they hold and may be kept.
//
// # Limits
//
// A Reader never panics and never allocates by a size that it was only told:
// counts are held against the bytes that are there. Values nest at most MaxDepth
// deep, and an array of elements without bytes (null, true, uint0, list0...) has
// at most MaxEmptyElements of them. What is decoded into Go values takes at most
// about 48 bytes per byte of input, so the frame size bounds it.
package wire
