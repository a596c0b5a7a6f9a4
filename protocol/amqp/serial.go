package amqp

// serialAfter tells that a comes after b in the serial number arithmetic of RFC
// 1982, which [amqp-transport 2.8.10] asks for: the numbers wrap, so that only a
// difference means something.
func serialAfter(a, b uint32) bool { return int32(a-b) > 0 }

// widen finds the 64-bit number whose low half is id and that lies nearest to
// near. Kept numbers are 64 bits wide so that their order never wraps.
func widen(id uint32, near uint64) uint64 {
	return near + uint64(int64(int32(id-uint32(near))))
}
