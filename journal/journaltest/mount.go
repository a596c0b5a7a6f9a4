package journaltest

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"entrepot/journal/journaltest/crashfs"
)

// mount is the disk as one process sees it: a file system with gates and faults.
type mount struct {
	vfs.FS // disk
	disk   *crashfs.FS

	mu      sync.Mutex // guards all that follows
	latency time.Duration
	fault   Fault
	frozen  chan struct{} // closed by thaw; nil: not frozen
}

func newMount(disk *crashfs.FS) *mount { return &mount{FS: disk, disk: disk} }

func (m *mount) set(change func(*mount)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

func (m *mount) fails(how Fault) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fault == how
}

func (m *mount) freeze() {
	m.set(func(m *mount) {
		if m.frozen == nil {
			m.frozen = make(chan struct{})
		}
	})
}

func (m *mount) thaw() {
	m.set(func(m *mount) {
		if m.frozen != nil {
			close(m.frozen)
			m.frozen = nil
		}
	})
}

// heal ends all faults: a ghost is to end in peace.
func (m *mount) heal() {
	m.thaw()
	m.set(func(m *mount) { m.latency, m.fault = 0, Well })
}

// Pace implements journal.Pacer.
func (m *mount) Pace() {
	m.mu.Lock()
	latency, frozen := m.latency, m.frozen
	m.mu.Unlock()
	if latency > 0 {
		time.Sleep(latency)
	}
	if frozen != nil {
		<-frozen
	}
}

// Unwrap gives the file system below.
func (m *mount) Unwrap() vfs.FS { return m.FS }

func (m *mount) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if isTable(name) && m.fails(FailTables) {
		return nil, ErrBroken
	}
	f, err := m.FS.Create(name, c)
	return m.watched(name, f, err)
}

func (m *mount) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := m.FS.ReuseForWrite(from, to, c)
	return m.watched(to, f, err)
}

// watched is a file whose faults are ours.
func (m *mount) watched(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !isWAL(name) {
		return f, err
	}
	return &walFile{File: f, mount: m}, nil
}

// walFile is a file of the write-ahead log.
type walFile struct {
	vfs.File
	mount *mount
}

func (f *walFile) Write(p []byte) (int, error) {
	if f.mount.fails(FailWrites) {
		return 0, ErrBroken
	}
	return f.File.Write(p)
}

func (f *walFile) WriteAt(p []byte, off int64) (int, error) {
	if f.mount.fails(FailWrites) {
		return 0, ErrBroken
	}
	return f.File.WriteAt(p, off)
}

func (f *walFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *walFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *walFile) SyncTo(length int64) (full bool, err error) {
	err = f.sync(func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}

func (f *walFile) sync(do func() error) error {
	switch {
	case f.mount.fails(FailSyncs):
		return ErrBroken
	case f.mount.fails(ForgetSyncs):
		return nil
	}
	return do()
}
