package sim

import (
	"bytes"
	"sync"
	"sync/atomic"
)

// journalOfRun keeps the last lines that the brokers and the world logged.
type journalOfRun struct {
	mu    sync.Mutex // guards all that follows
	lines [][]byte
	next  int // where the next line goes, once there are maxLines
}

const maxLines = 20_000

// Write takes one line, as slog's handlers give it.
func (j *journalOfRun) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	line := bytes.Clone(p)
	if len(j.lines) < maxLines {
		j.lines = append(j.lines, line)
	} else {
		j.lines[j.next] = line
		j.next = (j.next + 1) % maxLines
	}
	return len(p), nil
}

// String gives the lines from the oldest on.
func (j *journalOfRun) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var b bytes.Buffer
	for i := range j.lines {
		b.Write(j.lines[(j.next+i)%len(j.lines)])
	}
	return b.String()
}

// counter gives numbers from 1 on.
type counter struct{ atomic.Uint32 }

func (c *counter) next() uint32 { return c.Add(1) }
