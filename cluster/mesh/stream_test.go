package mesh

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/cluster/mesh/memnet"
)

// streams is two nodes; b's handler of "in" is f.
func streams(t *testing.T, f StreamHandler, test func(t *testing.T, r *rig, a, b *node)) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.start("a", nil), r.start("b", nil)
		b.HandleStream("in", f)
		r.link("a", "b")
		r.settle()
		test(t, r, a, b)
		r.settle()
		for _, n := range r.nodes {
			for _, p := range n.Peers() {
				if s := n.route(p.ID); s != nil {
					require.Empty(t, s.asked, "requests are left")
					require.Empty(t, s.serving, "handlers are left")
				}
			}
		}
	})
}

func digest(_ context.Context, _ Peer, head []byte, _ int64, r io.Reader) ([]byte, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return h.Sum(head), err
}

func TestStream(t *testing.T) {
	streams(t, digest, func(t *testing.T, r *rig, a, b *node) {
		for _, size := range []int{0, 1, streamPart, streamPart + 1, streamWindow, 3*streamWindow + 17} {
			body := bytes.Repeat([]byte("stream"), size/6+1)[:size]
			want := sha256.Sum256(body)
			for _, announced := range []int64{int64(size), -1} {
				for _, reader := range []io.Reader{bytes.NewReader(body), iotest.HalfReader(bytes.NewReader(body)), iotest.DataErrReader(bytes.NewReader(body))} {
					got, err := a.Stream(t.Context(), "b", "in", []byte("head"), announced, reader)
					require.NoError(t, err)
					require.Equal(t, "head"+string(want[:]), string(got))
				}
			}
		}
	})
}

func TestStreamSizeIsExact(t *testing.T) {
	streams(t, digest, func(t *testing.T, r *rig, a, b *node) {
		for _, size := range []int64{5, 7, 10 << 20} {
			_, err := a.Stream(t.Context(), "b", "in", nil, size, strings.NewReader("123456"))
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}
		fault := errors.New("disk")
		_, err := a.Stream(t.Context(), "b", "in", nil, -1, iotest.ErrReader(fault))
		require.ErrorIs(t, err, fault)
		_, err = a.Stream(t.Context(), "b", "unknown", nil, -1, strings.NewReader(""))
		require.ErrorContains(t, err, "no such stream")
	})
}

// A reader that does not read stops the sender at the window, and nothing else.
func TestASlowReaderHoldsUpItsStreamOnly(t *testing.T) {
	gate := make(chan struct{})
	streams(t, func(ctx context.Context, from Peer, head []byte, size int64, r io.Reader) ([]byte, error) {
		if string(head) == "slow" {
			<-gate
		}
		return digest(ctx, from, nil, size, r)
	}, func(t *testing.T, r *rig, a, b *node) {
		gate = make(chan struct{})
		read := &counter{r: io.LimitReader(zeros{}, 20<<20)}
		done := make(chan error, 1)
		go func() {
			_, err := a.Stream(context.Background(), "b", "in", []byte("slow"), 20<<20, read)
			done <- err
		}()
		r.settle()
		require.Equal(t, streamWindow, read.n)
		_, err := a.Stream(t.Context(), "b", "in", nil, 20<<20, io.LimitReader(zeros{}, 20<<20))
		require.NoError(t, err)
		require.NoError(t, a.Send("b", chNormal, []byte("x")))
		r.settle()
		require.Contains(t, b.take(), "a: x")
		close(gate)
		require.NoError(t, <-done)
		require.Equal(t, 20<<20, read.n)
	})
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// The handler may have enough before the end, or fail: the sender stops reading.
func TestTheHandlerEndsTheStream(t *testing.T) {
	streams(t, func(_ context.Context, _ Peer, head []byte, _ int64, r io.Reader) ([]byte, error) {
		if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
			return nil, err
		}
		if string(head) == "fail" {
			return nil, errors.New("disk full")
		}
		return []byte("have it"), nil
	}, func(t *testing.T, r *rig, a, b *node) {
		for _, head := range []string{"fail", "enough"} {
			read := &counter{r: zeros{}}
			got, err := a.Stream(t.Context(), "b", "in", []byte(head), -1, read)
			if head == "fail" {
				require.EqualError(t, err, "b: in: disk full")
			} else {
				require.NoError(t, err)
				require.Equal(t, "have it", string(got))
			}
			require.LessOrEqual(t, read.n, streamWindow)
		}
	})
}

// What ends a stream in its midst is an error on both sides, never io.EOF.
func TestABrokenStreamIsAnErrorOnBothSides(t *testing.T) {
	for name, end := range map[string]func(r *rig, cancel func()){
		"cancelled": func(_ *rig, cancel func()) { cancel() },
		"cut":       func(r *rig, _ func()) { r.net.Cut("a", "b") },
		"sender":    func(r *rig, _ func()) { r.nodes["a"].Close() },
		"receiver":  func(r *rig, _ func()) { r.nodes["b"].Drop("a") },
		"partition": func(r *rig, _ func()) { r.net.Partition([]string{"a"}, []string{"b"}) },
	} {
		t.Run(name, func(t *testing.T) {
			var fault error
			var ended error
			streams(t, func(ctx context.Context, _ Peer, _ []byte, _ int64, r io.Reader) ([]byte, error) {
				_, fault = io.Copy(io.Discard, r)
				ended = ctx.Err()
				return nil, fault
			}, func(t *testing.T, r *rig, a, b *node) {
				r.net.SetLink("a", "b", memnet.Link{BytesPerSecond: 1 << 20})
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				done := make(chan error, 1)
				go func() {
					_, err := a.Stream(ctx, "b", "in", nil, 1<<40, zeros{})
					done <- err
				}()
				r.pass(10 * time.Second)
				end(r, cancel)
				err := <-done
				if name == "cancelled" {
					require.ErrorIs(t, err, context.Canceled)
				} else {
					require.ErrorIs(t, err, ErrLost)
				}
				r.pass(30 * time.Second)
				require.Error(t, fault)
				require.NotErrorIs(t, fault, io.EOF)
				require.Error(t, ended)
			})
		})
	}
}

// A read after the handler's end is an error, not somebody else's data.
func TestReadingAfterTheHandler(t *testing.T) {
	var kept io.Reader
	streams(t, func(_ context.Context, _ Peer, _ []byte, _ int64, r io.Reader) ([]byte, error) {
		kept = r
		return nil, nil
	}, func(t *testing.T, r *rig, a, b *node) {
		_, err := a.Stream(t.Context(), "b", "in", nil, 3, strings.NewReader("abc"))
		require.NoError(t, err)
		_, err = kept.Read(make([]byte, 10))
		require.Error(t, err)
	})
}
