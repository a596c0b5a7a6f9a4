package mesh

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// On real sockets senders write themselves when the line is quiet: whoever writes,
// every channel keeps its order, also when the kernel takes only a part.
func TestOrderOnTCP(t *testing.T) {
	for name, configs := range map[string]map[string]*tls.Config{"plain": nil, "tls": certificates(t, "a", "b")} {
		t.Run(name, func(t *testing.T) {
			const senders, each = 8, 2000
			var all sync.WaitGroup
			all.Add(senders * each)
			var next [senders]uint64
			a, _ := tcpPair(t, configs, func(_, b *Mesh) {
				for ch := range Channel(senders) {
					b.Handle(ch, func(_ Peer, data []byte) {
						if n := binary.BigEndian.Uint64(data); n != next[ch] {
							t.Errorf("channel %d: %d came, not %d", ch, n, next[ch])
						}
						next[ch]++
						all.Done()
					})
				}
				b.HandleStream("in", func(_ context.Context, _ Peer, _ []byte, _ int64, r io.Reader) ([]byte, error) {
					_, err := io.Copy(io.Discard, r)
					return nil, err
				})
			})
			for ch := range Channel(senders) {
				go func() {
					for i := range uint64(each) {
						body := binary.BigEndian.AppendUint64(nil, i)
						if i%100 == 0 {
							body = append(body, make([]byte, 200_000)...)
						}
						for a.SendOwned("b", ch, body) != nil {
							if _, err := a.Stream(t.Context(), "b", "in", nil, -1, io.LimitReader(zeros{}, 1)); err != nil {
								t.Error(err) // a round trip behind what is queued
								return
							}
						}
					}
				}()
			}
			_, err := a.Stream(t.Context(), "b", "in", nil, 5<<20, io.LimitReader(zeros{}, 5<<20))
			require.NoError(t, err)
			all.Wait()
		})
	}
}

// Close in the midst of traffic, from both sides, leaves nothing behind (TestMain).
func TestCloseUnderLoad(t *testing.T) {
	for range 20 {
		a, b := tcpPair(t, nil, func(_, b *Mesh) {
			b.HandleStream("in", func(_ context.Context, _ Peer, _ []byte, _ int64, r io.Reader) ([]byte, error) {
				_, err := io.Copy(io.Discard, r)
				return nil, err
			})
		})
		var all sync.WaitGroup
		begun := make(chan struct{}, 3)
		all.Go(func() {
			begun <- struct{}{}
			for a.Send("b", chNormal, make([]byte, 1000)) != ErrNotConnected {
			}
		})
		all.Go(func() {
			begun <- struct{}{}
			for b.SendOwned("a", chUrgent, make([]byte, 100_000)) != ErrNotConnected {
			}
		})
		all.Go(func() {
			begun <- struct{}{}
			_, err := a.Stream(t.Context(), "b", "in", nil, -1, zeros{})
			require.Error(t, err)
		})
		for range 3 {
			<-begun
		}
		all.Go(a.Close)
		all.Go(b.Close)
		all.Wait()
	}
}

// A direct write of which the kernel takes a part is finished by the writer, in order.
func TestPartOfADirectWrite(t *testing.T) {
	for name, configs := range map[string]map[string]*tls.Config{"plain": nil, "tls": certificates(t, "a", "b")} {
		t.Run(name, func(t *testing.T) {
			gate := make(chan struct{})
			came := make(chan []byte, 10_000)
			a, _ := tcpPair(t, configs, func(_, b *Mesh) {
				b.Handle(chNormal, func(_ Peer, data []byte) {
					<-gate
					came <- data
				})
			})
			o := &a.route("b").out
			sent := uint64(0)
			for full := false; !full; sent++ {
				body := append(binary.BigEndian.AppendUint64(nil, sent), make([]byte, 11_000)...)
				require.NoError(t, a.SendOwned("b", chNormal, body))
				for quiet := false; !quiet && !full; { // until the next send may write itself
					o.mu.Lock()
					quiet = !o.writing && time.Since(o.wrote) > quietFor
					full = o.writing && time.Since(o.wrote) > 100*time.Millisecond
					o.mu.Unlock()
				}
			}
			require.NoError(t, a.SendOwned("b", chNormal, binary.BigEndian.AppendUint64(nil, sent)))
			close(gate)
			for i := range sent + 1 {
				require.Equal(t, i, binary.BigEndian.Uint64(<-came))
			}
		})
	}
}
