package procstat

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// DiskBytes is the space that everything under dir takes on disk: allocated
// blocks, not lengths, so preallocated files count in full. Files that vanish
// during the walk count nothing; so does a dir that is not there.
func DiskBytes(dir string) (uint64, error) {
	var sum uint64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				sum += uint64(info.Sys().(*syscall.Stat_t).Blocks) * 512
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return sum, err
}

// DeviceWritten is how many bytes have been written to the block device under dir
// since the machine started, by whomever: to be read twice on a machine that does
// nothing else, with a sync before. (write_bytes of /proc/PID/io would be the
// process's own, but it counts a whole folio, up to 512 KiB, for every byte that
// dirties it.) An error if dir is not on a block device of its own.
func DeviceWritten(dir string) (uint64, error) {
	var stat syscall.Stat_t
	if err := syscall.Stat(dir, &stat); err != nil {
		return 0, err
	}
	// dev_t of glibc and the kernel's sysfs: 12 bits major, 20 bits minor, interleaved.
	major := stat.Dev >> 8 & 0xfff
	minor := stat.Dev&0xff | stat.Dev>>12&0xfff00
	path := fmt.Sprintf("/sys/dev/block/%d:%d/stat", major, minor)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	const sectorsWritten, sectorBytes = 6, 512
	fields := strings.Fields(string(text))
	if len(fields) <= sectorsWritten {
		return 0, fmt.Errorf("%s: unexpected %q", path, text)
	}
	sectors, err := strconv.ParseUint(fields[sectorsWritten], 10, 64)
	return sectors * sectorBytes, err
}

// FsyncMedian writes and syncs one page of a preallocated file in dir n times and
// gives the median time of one round. It is the witness of what the disk was
// worth at that moment: these machines drift.
func FsyncMedian(dir string, n int) (time.Duration, error) {
	const page = 4096
	file, err := os.CreateTemp(dir, "fsync-probe-*")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	defer func() { _ = file.Close() }()

	if _, err := file.Write(make([]byte, n*page)); err != nil {
		return 0, err
	}
	if err := file.Sync(); err != nil {
		return 0, err
	}
	took := make([]time.Duration, n)
	block := make([]byte, page)
	for i := range took {
		block[0] = byte(i + 1)
		start := time.Now()
		if _, err := file.WriteAt(block, int64(i*page)); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return 0, err
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[n/2], nil
}
