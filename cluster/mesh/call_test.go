package mesh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCalls(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.start("a", nil), r.start("b", nil)
		b.HandleCall("echo", func(_ context.Context, from Peer, req []byte) ([]byte, error) {
			return append([]byte(from.ID+": "), req...), nil
		})
		b.HandleCall("fail", func(context.Context, Peer, []byte) ([]byte, error) { return nil, errors.New("no room") })
		r.link("a", "b")
		r.settle()

		got, err := a.Call(t.Context(), "b", "echo", []byte("hello"))
		require.NoError(t, err)
		require.Equal(t, "a: hello", string(got))

		large := strings.Repeat("x", 3<<20)
		got, err = a.Call(t.Context(), "b", "echo", []byte(large))
		require.NoError(t, err)
		require.True(t, string(got) == "a: "+large)

		var remote *RemoteError
		_, err = a.Call(t.Context(), "b", "fail", nil)
		require.ErrorAs(t, err, &remote)
		require.Equal(t, RemoteError{"b", "fail", "no room"}, *remote)

		_, err = a.Call(t.Context(), "b", "unknown", nil)
		require.ErrorAs(t, err, &remote)
		require.Contains(t, err.Error(), "no such call")

		_, err = a.Call(t.Context(), "b", strings.Repeat("m", 256), nil)
		require.ErrorContains(t, err, "at most 255")
	})
}

// Calls run beside each other: one that waits holds up no other, nor any message.
func TestCallsRunBesideEachOther(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.start("a", nil), r.start("b", nil)
		gate := make(chan struct{})
		b.HandleCall("wait", func(context.Context, Peer, []byte) ([]byte, error) { <-gate; return nil, nil })
		b.HandleCall("now", func(_ context.Context, _ Peer, req []byte) ([]byte, error) { return req, nil })
		r.link("a", "b")
		r.settle()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				_, err := a.Call(context.Background(), "b", "wait", nil)
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		for i := range 50 {
			got, err := a.Call(t.Context(), "b", "now", fmt.Append(nil, i))
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), string(got))
		}
		close(gate)
		all.Wait()
	})
}

func TestACancelledCallEndsItsHandler(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.start("a", nil), r.start("b", nil)
		ended := make(chan error, 1)
		b.HandleCall("wait", func(ctx context.Context, _ Peer, _ []byte) ([]byte, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		})
		r.link("a", "b")
		r.settle()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Call(ctx, "b", "wait", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, <-ended, context.Canceled)
		require.Empty(t, a.route("b").asked)
	})
}

// Whatever ends the connection ends the call at both sides.
func TestALostConnectionEndsCalls(t *testing.T) {
	ways := map[string]func(r *rig){
		"cut":       func(r *rig) { r.net.Cut("a", "b") },
		"caller":    func(r *rig) { r.nodes["a"].Close() },
		"callee":    func(r *rig) { r.nodes["b"].Drop("a") },
		"power":     func(r *rig) { r.net.Block("b", "a"); r.net.Crash("b") },
		"partition": func(r *rig) { r.net.Partition([]string{"a"}, []string{"b"}) },
		"dropped":   func(r *rig) { r.nodes["a"].Drop("b") },
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				a, b := r.start("a", nil), r.start("b", nil)
				var ended atomic.Int64
				b.HandleCall("wait", func(ctx context.Context, _ Peer, _ []byte) ([]byte, error) {
					<-ctx.Done()
					ended.Add(1)
					return nil, nil
				})
				r.link("a", "b")
				r.settle()
				fault := make(chan error, 1)
				go func() {
					_, err := a.Call(context.Background(), "b", "wait", nil)
					fault <- err
				}()
				r.settle()
				end(r)
				require.ErrorIs(t, <-fault, ErrLost)
				r.pass(10 * time.Second)
				require.EqualValues(t, 1, ended.Load())
			})
		})
	}
}

func TestTooManyCallsAreRefused(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.start("a", nil), r.start("b", nil)
		b.HandleCall("wait", func(ctx context.Context, _ Peer, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, nil })
		r.link("a", "b")
		r.settle()
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range mostServed {
			all.Go(func() { _, _ = a.Call(ctx, "b", "wait", nil) })
		}
		synctest.Wait()
		_, err := a.Call(t.Context(), "b", "wait", nil)
		require.ErrorContains(t, err, "more than 1024")
		cancel()
		all.Wait()
	})
}

// The small and the large go over one connection: nothing is mixed up.
func TestCallsOfAllSizesAtOnce(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.start("a", nil), r.start("b", nil)
		for _, n := range []*node{a, b} {
			n.HandleCall("echo", func(_ context.Context, _ Peer, req []byte) ([]byte, error) { return req, nil })
		}
		r.link("a", "b")
		r.settle()
		var all sync.WaitGroup
		for i := range 200 {
			from, to := a, "b"
			if i%2 == 1 {
				from, to = b, "a"
			}
			all.Go(func() {
				body := bytes.Repeat([]byte{byte(i)}, i*i*37%700_000)
				got, err := from.Call(context.Background(), to, "echo", body)
				require.NoError(t, err)
				require.True(t, bytes.Equal(body, got))
			})
		}
		all.Wait()
	})
}
