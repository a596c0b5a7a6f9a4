package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExitCodes(t *testing.T) {
	require.Equal(t, ExitOK, ExitCode(nil))
	require.Equal(t, ExitFailed, ExitCode(errors.New("x")))
	err := WithCode(ExitNotFound, errors.New("no such queue"))
	require.Equal(t, ExitNotFound, ExitCode(fmt.Errorf("queue show: %w", err)))
	require.EqualError(t, err, "no such queue")
}

func TestFormatIsAFlag(t *testing.T) {
	var f Format
	require.NoError(t, f.Set("json"))
	require.Equal(t, "json", f.String())
	require.NoError(t, f.Set("table"))
	require.Equal(t, Text, f)
	require.ErrorContains(t, f.Set("xml"), `"xml" is not "text" or "json"`)
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	text := func(w io.Writer) { fmt.Fprintln(w, "five <") }
	require.NoError(t, Print(&out, Text, map[string]string{"n": "5 <"}, text))
	require.NoError(t, Print(&out, JSON, map[string]string{"n": "5 <"}, text))
	require.Equal(t, "five <\n{\"n\":\"5 <\"}\n", out.String())
}

func TestThousands(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		require.Equal(t, want, Thousands(n))
	}
}

// In virtual time: 100 things in each half second.
func TestTheProgressLineShowsCountAndRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := startProgress(&out, "messages", 10_000, 500*time.Millisecond)
		for range 2 {
			p.Count(1000)
			time.Sleep(500 * time.Millisecond)
			synctest.Wait()
		}
		sum := p.Stop()
		require.Equal(t, Summary{Count: 2000, Seconds: 1, Rate: 2000}, sum)
		lines := strings.Split(out.String(), "\r\x1b[K")
		require.Equal(t, []string{"", "1,000 of 10,000 messages, 2,000/s", "2,000 of 10,000 messages, 2,000/s", ""}, lines)
	})
}

func TestShortWorkShowsNoLine(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		var out bytes.Buffer
		startProgress(&out, "messages", 0, time.Second).Stop()
		require.Empty(t, out.String())
	})
}
