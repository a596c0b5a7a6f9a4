//go:build !linux

package mesh

import "syscall"

// limitUnsent: what the kernel holds unsent is its own affair here.
func limitUnsent(syscall.RawConn) {}
