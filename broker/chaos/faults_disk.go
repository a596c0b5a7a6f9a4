package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"entrepot/broker/brokerproc"
	"entrepot/broker/crash/oracle"
)

// drawWipe loses a node's disk: the node is refused under its old id, removed, and
// replaced by an empty one under a new id.
func drawWipe(a *arena, r *rand.Rand) fault {
	nodes := a.nodes()
	victim := nodes[r.IntN(len(nodes))]
	if a.disk != nil && a.disk.node == victim.ID { // its disk is one of a kind
		victim = nodes[len(nodes)-1]
	}
	return fault{"wipe", victim.ID + " loses its disk and is replaced", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, wipeLimit)
		defer cancel()
		a.kill(victim)
		if err := a.cluster.Wipe(victim); err != nil {
			return err
		}
		if err := a.refuseWiped(ctx, victim); err != nil {
			return err
		}
		if _, err := a.operate(ctx, "remove", victim.ID); err != nil {
			return err
		}
		fresh, err := a.replace(victim)
		if err != nil {
			return err
		}
		if err := a.launch(fresh); err != nil {
			return err
		}
		if _, err := a.operate(ctx, "add", fresh.ID, fresh.Cluster); err != nil {
			return err
		}
		a.result.Wipes++
		if err := a.startAll(ctx); err != nil {
			return err
		}
		return a.caughtUp(ctx)
	}}
}

const (
	// wipeLimit is how long a replacement may take, all in all.
	wipeLimit = 3 * time.Minute
	// refuseLimit is how long a wiped node may take to see that it has no place.
	refuseLimit = 10 * time.Second
)

// smallDisk is a file system of its own under one node's data, that can be filled.
type smallDisk struct {
	node string
	dir  string
}

const smallDiskBytes = 3 << 30

// mountSmallDisk puts a node's data on a tmpfs. An error says why the machine does
// not allow that.
func mountSmallDisk(node, dir string) (*smallDisk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", int64(smallDiskBytes))); err != nil {
		return nil, fmt.Errorf("mount a tmpfs: %w", err)
	}
	return &smallDisk{node, dir}, nil
}

func (d *smallDisk) unmount() error { return syscall.Unmount(d.dir, syscall.MNT_DETACH) }

// ballast is the file that fills the disk.
func (d *smallDisk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill takes all space but so many bytes.
func (d *smallDisk) fill(leave uint64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &st); err != nil {
		return err
	}
	free := st.Bavail * uint64(st.Bsize)
	if free <= leave {
		return nil
	}
	f, err := os.Create(d.ballast())
	if err != nil {
		return err
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, int64(free-leave))
	if errors.Is(err, syscall.ENOSPC) { // the broker was quicker: it is full
		err = nil
	}
	return errors.Join(err, f.Close())
}

func (d *smallDisk) empty() error { return os.Remove(d.ballast()) }

// drawDiskFull fills the small disk: below the broker's own mark, where it accepts
// nothing but goes on, or to the last byte, where it may end.
func drawDiskFull(a *arena, r *rand.Rand) fault {
	lasts := between(r, 2*time.Second, 15*time.Second)
	leave := uint64(0)
	text := "to the last byte"
	if r.IntN(2) == 0 {
		leave = 100 << 20
		text = "but for 100 MiB"
	}
	return fault{"disk-full", fmt.Sprintf("the disk of %s is full %s for %v", a.disk.node, text, lasts), func(ctx context.Context) error {
		for _, n := range a.nodes() {
			if n.ID == a.disk.node {
				a.expect(n, false) // an I/O error is fatal, and says so
			}
		}
		if err := a.disk.fill(leave); err != nil {
			return fmt.Errorf("fill the disk: %w", err)
		}
		a.result.DisksFull++
		err := sleep(ctx, lasts)
		if err = errors.Join(err, a.disk.empty()); err != nil {
			return err
		}
		// Who has not ended by now may still do so by what it could not write.
		if err := sleep(ctx, diskGrace); err != nil {
			return err
		}
		if err := a.startAll(ctx); err != nil {
			a.oracle.Blame(oracle.Stuck, fmt.Sprintf("after a full disk: %v", err))
			return err
		}
		for _, n := range a.nodes() {
			a.expect(n, true)
		}
		return nil
	}}
}

const diskGrace = 2 * time.Second

// refuseWiped starts a node without its data: the cluster must not take it for the
// one that had promised and stored things.
func (a *arena) refuseWiped(ctx context.Context, n *brokerproc.Node) error {
	if err := a.cluster.Launch(n); err != nil {
		return err
	}
	a.expect(n, false)
	ready, cancel := context.WithTimeout(ctx, refuseLimit)
	defer cancel()
	if n.Process.WaitReady(ready) == nil {
		a.oracle.Blame(oracle.Unclean, n.ID+" was let in without its data under its old id")
	}
	a.kill(n)
	return a.cluster.Wipe(n)
}
