package mesh

import "syscall"

// unsentBytes is how much the kernel may hold of what it has not sent yet. By default
// that is megabytes, which on a slow line an urgent message would have to wait for
// however it is put in order here. What is on the line does not count.
const unsentBytes = 256 << 10

// limitUnsent is an improvement: without it, as on an old kernel, all works.
func limitUnsent(raw syscall.RawConn) {
	const tcpNotsentLowat = 25 // package syscall does not name it
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotsentLowat, unsentBytes)
	})
}
