package console

import (
	"fmt"
	"io"
	"os"
)

// Steps tells on standard error how far long work is: on a terminal in one
// line that is written anew, else in a line for each step.
type Steps struct {
	out      io.Writer
	terminal bool
	last     string // step that was shown
	shown    bool   // a line stands on the terminal
}

// ToSteps writes to out, which is a terminal or is not.
func ToSteps(out io.Writer) *Steps {
	f, ok := out.(*os.File)
	return &Steps{out: out, terminal: ok && IsTerminal(f)}
}

// Show tells of a step, of which done of total is done; total 0: not known.
func (s *Steps) Show(step string, done, total uint64) {
	line := step
	if total > 0 {
		line = fmt.Sprintf("%s: %s of %s", step, Thousands(done), Thousands(total))
	}
	switch {
	case s.terminal:
		fmt.Fprintf(s.out, "\r\x1b[K%s", line)
		s.shown = true
	case step != s.last:
		fmt.Fprintln(s.out, line)
	}
	s.last = step
}

// Stop leaves the line to what comes next.
func (s *Steps) Stop() {
	if s.shown {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
	s.shown = false
}
