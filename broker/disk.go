package broker

import (
	"syscall"
	"time"
)

// diskGauge tells how many bytes are free under a directory for this process.
type diskGauge func(dir string) (freeBytes uint64, err error)

func freeDisk(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// diskCheckEvery is how often free space is looked at. At 1 GiB/s of writes a node
// can be a second late, which is why disk_low should not be small.
const diskCheckEvery = 500 * time.Millisecond

// diskState is the hysteresis between the two marks: messages are refused from
// below low until the space is back above high, so that a node at its limit does
// not flap between the two with every log file that comes and goes.
type diskState struct {
	low, high uint64
	full      bool
}

// observe takes a reading and reports whether the state changed.
func (d *diskState) observe(free uint64) (changed bool) {
	was := d.full
	switch {
	case d.low == 0:
		d.full = false
	case free < d.low:
		d.full = true
	case free >= max(d.high, d.low):
		d.full = false
	}
	return d.full != was
}
