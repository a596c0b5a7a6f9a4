package broker

import "testing"

func TestDiskStateHasHysteresis(t *testing.T) {
	d := diskState{low: 100, high: 200}
	steps := []struct {
		free uint64
		full bool
		why  string
	}{
		{1000, false, "plenty"},
		{100, false, "at the low mark there is still enough"},
		{99, true, "below the low mark"},
		{150, true, "between the marks nothing changes on the way up"},
		{199, true, "just below the high mark"},
		{200, false, "at the high mark messages are accepted again"},
		{150, false, "between the marks nothing changes on the way down"},
	}
	for _, s := range steps {
		before := d.full
		changed := d.observe(s.free)
		if d.full != s.full {
			t.Errorf("free %d: full = %v, want %v: %s", s.free, d.full, s.full, s.why)
		}
		if changed != (before != d.full) {
			t.Errorf("free %d: changed = %v, but full went from %v to %v", s.free, changed, before, d.full)
		}
	}
}

func TestDiskStateWithoutALowMarkIsNeverFull(t *testing.T) {
	var d diskState
	if d.observe(0) || d.full {
		t.Error("disk_low 0 means that free space is not watched")
	}
}

func TestFreeDiskOfARealDirectory(t *testing.T) {
	free, err := freeDisk(t.TempDir())
	if err != nil || free == 0 {
		t.Errorf("freeDisk = %d, %v; the directory that tests write to has space", free, err)
	}
	if _, err := freeDisk("/does/not/exist"); err == nil {
		t.Error("a directory that is not there must be an error, not zero bytes")
	}
}
