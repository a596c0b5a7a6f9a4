package broker

import (
	"context"
	"net"
	"time"

	"entrepot/cluster"
	"entrepot/journal"
)

// Surroundings are what a broker meets the world through. The zero value is this
// machine; a simulation has a disk, a network and a clock of its own.
type Surroundings struct {
	// FS has the journal; nil: the disk. Stable has a shard's term and vote; nil: a
	// file on the disk.
	FS     journal.FS
	Stable func(shard uint16) cluster.StableStore
	// Listen and Dial are for clients and for other nodes.
	Listen func(network, address string) (net.Listener, error)
	Dial   func(ctx context.Context, address string) (net.Conn, error)
	// Wall is the wall clock, which may jump.
	Wall func() time.Time
	// FreeDisk tells how many bytes are free under a directory.
	FreeDisk func(dir string) (freeBytes uint64, err error)
}

func (s Surroundings) withDefaults() Surroundings {
	if s.Listen == nil {
		s.Listen = net.Listen
	}
	if s.FreeDisk == nil {
		s.FreeDisk = freeDisk
	}
	return s
}
