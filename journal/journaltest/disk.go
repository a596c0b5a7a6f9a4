// Package journaltest has a disk to try journals on: it is in memory, and it can
// crash, be slow, stand still, fail, and lie. It is made for virtual time
// (testing/synctest), and works in real time as well.
package journaltest

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"entrepot/journal"
	"entrepot/journal/journaltest/crashfs"
)

// Disk is the disk of one machine. One process after the other has it mounted; a
// crash takes it away from one that goes on, as a ghost, on what nobody sees.
type Disk struct {
	mu     sync.Mutex // guards all that follows
	random *rand.Rand
	now    *mount // what the present process has
}

// ErrBroken is what a disk answers that was told to fail.
var ErrBroken = errors.New("journaltest: input/output error")

// NewDisk makes an empty disk. The seed decides what of unsynced data a crash leaves.
func NewDisk(seed uint64) *Disk {
	d := &Disk{random: rand.New(rand.NewPCG(seed, 0xd15c))}
	d.now = newMount(crashfs.New())
	return d
}

// FS is the disk as a process sees it that starts now.
func (d *Disk) FS() journal.FS {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// Crash is a power cut: what was synced stays, the rest is lost, or of what was
// written lately about unsyncedPercent of the blocks stay. Faults end with it, and so
// does everything that a process waited for.
func (d *Disk) Crash(unsyncedPercent int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.now
	d.now = newMount(old.disk.Crash(vfs.CrashCloneCfg{UnsyncedDataPercent: unsyncedPercent, RNG: d.random}))
	old.heal()
}

// Remount gives the disk to a new process after the old one has ended by itself:
// nothing is lost. Faults end with it.
func (d *Disk) Remount() { d.Crash(100) }

// Wipe is a new, empty disk.
func (d *Disk) Wipe() {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.now
	d.now = newMount(crashfs.New())
	old.heal()
}

// Slow makes every synced write take so long.
func (d *Disk) Slow(latency time.Duration) { d.mount().set(func(m *mount) { m.latency = latency }) }

// Freeze lets every synced write wait until Thaw, or until the crash.
func (d *Disk) Freeze() { d.mount().freeze() }

// Thaw ends Freeze.
func (d *Disk) Thaw() { d.mount().thaw() }

// Fault is a way to fail.
type Fault uint8

// The ways to fail. To the journal all errors in writing are alike (see its guardFS,
// whose test has the manifest's too), but for those of its own tables.
const (
	Well        Fault = iota
	FailSyncs         // fsync of the write-ahead log fails; nothing of it is on the disk
	FailWrites        // writing the write-ahead log fails
	FailTables        // making a table fails
	ForgetSyncs       // fsync says that it is done, and has done nothing
)

// Break makes the disk fail from now on, until the crash. Well ends it.
func (d *Disk) Break(how Fault) { d.mount().set(func(m *mount) { m.fault = how }) }

func (d *Disk) mount() *mount {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func isWAL(name string) bool { return strings.HasSuffix(name, ".log") }

// isTable: Pebble's tables, and the journal's own on their way to be ingested.
func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }
