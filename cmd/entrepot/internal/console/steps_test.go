package console

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStepsOnATerminalAreOneLine(t *testing.T) {
	var out bytes.Buffer
	s := &Steps{out: &out, terminal: true}
	s.Show("catching up", 1, 2000)
	s.Show("catching up", 2000, 2000)
	s.Stop()
	s.Stop()
	require.Equal(t, "\r\x1b[Kcatching up: 1 of 2,000\r\x1b[Kcatching up: 2,000 of 2,000\r\x1b[K", out.String())
}

func TestStepsInAFileAreALineEach(t *testing.T) {
	var out bytes.Buffer
	s := ToSteps(&out)
	s.Show("looking", 0, 0)
	s.Show("catching up", 1, 2)
	s.Show("catching up", 2, 2)
	s.Show("done", 0, 0)
	s.Stop()
	require.Equal(t, "looking\ncatching up: 1 of 2\ndone\n", out.String())
}
