package main

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker/brokerproc"
	"entrepot/broker/crash/oracle"
)

// A checker that never finds anything proves nothing. Here a real broker gets an
// old copy of its disk, as if it had lied about its fsyncs: what was accepted since
// is lost, what was settled since is back.
func TestTheCheckerSeesADiskThatWentBack(t *testing.T) {
	if testing.Short() {
		t.Skip("runs real processes for some seconds")
	}
	binary, err := brokerproc.Build(t.Context(), "../..", t.TempDir())
	require.NoError(t, err)
	h, err := newHarness(settings{seed: 1, nodes: 1, faults: "kill"}, binary, t.TempDir(), t.Logf)
	require.NoError(t, err)
	h.tempo = tempo{grace: 500 * time.Millisecond, rest: time.Second, quiet: time.Second}

	backup := filepath.Join(t.TempDir(), "backup")
	strikes := 0
	var then oracle.Report // when the copy was made
	h.faults.process = []kind{{name: "liar", weight: 1, nodes: 1, draw: func(a *arena, _ *rand.Rand) fault {
		return fault{"liar", "the disk goes back", func(ctx context.Context) error {
			n := a.nodes()[0]
			if strikes++; strikes == 2 {
				// There must be something that the copy does not have: there is always more in
				// the queues than has been settled since.
				ctx, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				for now := then; now.Accepted < then.Accepted+200 || now.Settled < then.Settled+200; now = a.oracle.Interim() {
					if err := sleep(ctx, retryPause); err != nil {
						return err
					}
				}
			}
			a.kill(n)
			if strikes == 1 {
				then = a.oracle.Interim()
				if err := os.CopyFS(backup, os.DirFS(n.DataDir)); err != nil {
					return err
				}
			} else if strikes == 2 {
				if err := os.RemoveAll(n.DataDir); err != nil {
					return err
				}
				if err := os.CopyFS(n.DataDir, os.DirFS(backup)); err != nil {
					return err
				}
			}
			return a.startAll(ctx)
		}}
	}}}
	result, err := h.run(t.Context(), 5*time.Second)
	require.NoError(t, err)
	require.GreaterOrEqual(t, strikes, 2)
	require.False(t, result.OK())
	require.Positive(t, result.Counts[oracle.Lost])
	require.Positive(t, result.Counts[oracle.Resurrected])
	require.Zero(t, result.Counts[oracle.Unclean])
}
