package console

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// progressEvery is how often the line is written anew. Work that is done
// sooner shows none.
const progressEvery = 500 * time.Millisecond

// Progress counts things and, on a terminal, shows how many there are and how
// fast they come. Count may be called from any goroutine.
type Progress struct {
	done  atomic.Uint64
	stop  func()
	begun time.Time
}

// StartProgress begins to show a line on standard error, if that is a
// terminal: "12,000 of 50,000 messages, 24,100/s". total 0 is not known.
func StartProgress(what string, total uint64) *Progress {
	out := io.Discard
	if IsTerminal(os.Stderr) {
		out = io.Writer(os.Stderr)
	}
	return startProgress(out, what, total, progressEvery)
}

func startProgress(out io.Writer, what string, total uint64, every time.Duration) *Progress {
	p := &Progress{begun: time.Now()}
	quit, ended := make(chan struct{}), make(chan struct{})
	p.stop = sync.OnceFunc(func() { close(quit); <-ended })
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		shown := false
		last, lastAt := uint64(0), p.begun
		for {
			select {
			case now := <-ticker.C:
				done := p.done.Load()
				rate := float64(done-last) / now.Sub(lastAt).Seconds()
				fmt.Fprintf(out, "\r\x1b[K%s", progressLine(what, done, total, rate))
				last, lastAt, shown = done, now, true
			case <-quit:
				if shown {
					fmt.Fprint(out, "\r\x1b[K") // leaves the line to what comes next
				}
				return
			}
		}
	}()
	return p
}

func progressLine(what string, done, total uint64, rate float64) string {
	of := ""
	if total > 0 {
		of = " of " + Thousands(total)
	}
	return fmt.Sprintf("%s%s %s, %s/s", Thousands(done), of, what, Thousands(uint64(rate)))
}

// Count adds n things.
func (p *Progress) Count(n uint64) { p.done.Add(n) }

// Stop takes the line away and tells what there was: how many, how long, how
// many a second. It may be called again.
func (p *Progress) Stop() Summary {
	p.stop()
	seconds := time.Since(p.begun).Seconds()
	done := p.done.Load()
	return Summary{Count: done, Seconds: seconds, Rate: float64(done) / max(seconds, 1e-9)}
}

// Summary is a count with its time.
type Summary struct {
	Count   uint64
	Seconds float64
	Rate    float64
}

// IsTerminal reports whether somebody looks at f.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Thousands writes a number with a comma after each three digits.
func Thousands(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
