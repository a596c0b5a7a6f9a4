package mesh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/cluster/mesh/memnet"
)

func TestMessagesComeInOrderBetweenUpAndDown(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.pairUp(nil)
		for i := range 100 {
			require.NoError(t, a.Send("b", chNormal, []byte("m"), fmt.Appendf(nil, "%d", i)))
		}
		r.settle()
		r.net.Cut("a", "b")
		r.settle()
		got := b.take()
		require.Len(t, got, 102)
		for i := range 100 {
			require.Equal(t, fmt.Sprintf("a: m%d", i), got[i])
		}
		require.Equal(t, []string{"down a", "up a"}, got[100:])
		require.Equal(t, []string{"down b", "up b"}, a.take())
	})
}

func TestSendNeedsAConnection(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a := r.start("a", nil)
		a.Start()
		require.ErrorIs(t, a.Send("b", chNormal, nil), ErrNotConnected)
		_, err := a.Call(t.Context(), "b", "x", nil)
		require.ErrorIs(t, err, ErrNotConnected)
		_, err = a.Stream(t.Context(), "b", "x", nil, 0, strings.NewReader(""))
		require.ErrorIs(t, err, ErrNotConnected)
	})
}

func TestSendToEndsWithItsSession(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.pairUp(nil)
		old, connected := a.Peer("b")
		require.True(t, connected)
		require.NoError(t, a.SendTo(old, chNormal, []byte("1")))
		r.settle()
		r.net.Cut("a", "b")
		r.settle()
		now, _ := a.Peer("b")
		require.Greater(t, now.Session, old.Session)
		require.Equal(t, old.Incarnation, now.Incarnation)
		require.ErrorIs(t, a.SendTo(old, chNormal, []byte("2")), ErrNotConnected)
		require.NoError(t, a.SendTo(now, chNormal, []byte("3")))
		r.settle()
		require.Equal(t, []string{"a: 1", "down a", "up a", "a: 3"}, b.take())
	})
}

// A message of 20 MiB is many frames, and more than is believed from a header.
func TestLargeMessages(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.pairUp(nil)
		for _, size := range []int{0, 1, copyBelow - 1, copyBelow, maxPart - 1, maxPart, maxPart + 1, 3*maxPart + 7, believed + maxPart} {
			body := bytes.Repeat([]byte("0123456789a"), size/11+1)[:size]
			parts := [][]byte{body[:size/3], body[size/3 : size/3], body[size/3:]}
			require.NoError(t, a.SendOwned("b", chNormal, parts...))
			r.pass(time.Second)
			events := b.take()
			require.Len(t, events, 1)
			require.True(t, events[0] == "a: "+string(body), "size %d", size)
		}
		require.ErrorIs(t, a.SendOwned("b", chNormal, make([]byte, MaxMessage), []byte{1}), ErrTooBig)
	})
}

// Send copies, whatever the size.
func TestSendCopies(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.pairUp(nil)
		r.net.Block("a", "b")
		for _, size := range []int{10, 100_000} {
			body := bytes.Repeat([]byte("x"), size)
			require.NoError(t, a.Send("b", chNormal, body[:5], body[5:]))
			clear(body)
		}
		r.net.Heal()
		r.settle()
		require.Equal(t, []string{"a: " + strings.Repeat("x", 10), "a: " + strings.Repeat("x", 100_000)}, b.take())
	})
}

func TestCongestion(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.pairUp(nil)
		r.net.Block("a", "b")
		body := make([]byte, 1<<20)
		sent := 0
		var err error
		for err == nil {
			err = a.SendOwned("b", chUnread, body)
			sent++
		}
		require.ErrorIs(t, err, ErrCongested)
		require.InDelta(t, queueBytes>>20, sent, 4)
		r.net.Heal()
		r.pass(time.Second)
		require.NoError(t, a.SendOwned("b", chUnread, body))
		require.Empty(t, b.take())
	})
}

// On a slow line a heartbeat passes what is queued, also in the midst of a message.
func TestUrgentPassesLargeMessages(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		arrived, streamed := map[Channel]time.Time{}, make(chan time.Time, 1)
		a := r.start("a", nil)
		b := r.start("b", nil)
		for _, ch := range []Channel{chUrgent, chNormal} {
			b.Handle(ch, func(Peer, []byte) { arrived[ch] = time.Now() })
		}
		b.HandleStream("in", func(_ context.Context, _ Peer, _ []byte, _ int64, r io.Reader) ([]byte, error) {
			_, err := io.Copy(io.Discard, r)
			streamed <- time.Now()
			return nil, err
		})
		r.link("a", "b")
		r.settle()
		r.net.SetLink("a", "b", memnet.Link{BytesPerSecond: 10 << 20})
		began := time.Now()
		body := make([]byte, 10<<20)
		go func() { _, _ = a.Stream(t.Context(), "b", "in", nil, int64(len(body)), bytes.NewReader(body)) }()
		synctest.Wait()
		require.NoError(t, a.SendOwned("b", chNormal, make([]byte, 10<<20)))
		require.NoError(t, a.SendOwned("b", chUrgent, []byte("beat")))
		r.pass(5 * time.Second)
		require.Less(t, arrived[chUrgent].Sub(began), 200*time.Millisecond)
		require.Less(t, arrived[chNormal].Sub(began), 1600*time.Millisecond)
		stream := <-streamed
		require.Less(t, stream.Sub(began), 2100*time.Millisecond)
		require.True(t, stream.After(arrived[chNormal]))
	})
}

// However often the line breaks, and whoever dials first, one connection remains.
func TestBothDialOneConnectionRemains(t *testing.T) {
	for _, latency := range []time.Duration{0, time.Millisecond, 30 * time.Millisecond, 200 * time.Millisecond} {
		t.Run(latency.String(), func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				r.net.SetLink("*", "*", memnet.Link{Latency: latency, Jitter: latency})
				ids := []string{"a", "b", "c"}
				for _, id := range ids {
					r.start(id, nil)
				}
				r.link(ids...)
				for range 20 {
					r.pass(5 * time.Second)
					require.Equal(t, 6, r.net.Connections("*"))
					for _, id := range ids {
						for _, p := range r.nodes[id].Peers() {
							require.True(t, p.Connected)
							require.NoError(t, r.nodes[id].Send(p.ID, chNormal, []byte("x")))
						}
					}
					r.net.Cut("a", "*")
				}
				ups := 0
				for _, e := range r.nodes["a"].take() {
					if strings.HasPrefix(e, "up ") {
						ups++
					}
				}
				require.LessOrEqual(t, ups, 44, "connections come and go")
			})
		})
	}
}

// Only one side knows the other's address.
func TestOneSideDials(t *testing.T) {
	for _, dials := range []string{"a", "b"} {
		in(t, func(t *testing.T, r *rig) {
			a, b := r.start("a", nil), r.start("b", nil)
			a.Start()
			b.Start()
			other := map[string]string{"a": "b", "b": "a"}[dials]
			r.nodes[dials].SetAddress(other, address(other))
			r.settle()
			require.Equal(t, []string{"up b"}, a.take())
			require.Equal(t, []string{"up a"}, b.take())
			r.nodes[dials].SetAddress(other, "")
			r.nodes[dials].Drop(other)
			r.pass(10 * time.Second)
			require.Equal(t, []string{"down b"}, a.take())
			require.Empty(t, a.Peers())
			require.Empty(t, b.Peers())
		})
	}
}

func TestAPeerThatMovesIsFoundAtItsNewAddress(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, _ := r.pairUp(nil)
		r.crash("b")
		r.pass(30 * time.Second) // the back-off is at its longest
		l, err := r.net.Listen("elsewhere:1")
		require.NoError(t, err)
		b := r.start("b", func(n *node, cfg *Config) {
			require.NoError(t, cfg.Listener.Close())
			cfg.Listener, cfg.Dial = l, r.net.Dialer("elsewhere")
		})
		b.Start()
		require.Equal(t, []string{"down b"}, a.take())
		a.SetAddress("b", "elsewhere:1")
		r.settle()
		require.Equal(t, []string{"up b"}, a.take())
		p, _ := a.Peer("b")
		require.Equal(t, b.cfg.Incarnation, p.Incarnation)
	})
}

func TestARestartedPeerReplacesItsOldConnection(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.pairUp(nil)
		r.net.Block("b", "a") // a does not hear that b is gone
		r.net.Crash("b")
		b.Close()
		b = r.start("b", nil)
		r.net.Heal()
		b.SetAddress("a", address("a"))
		b.Start()
		r.settle()
		require.Equal(t, []string{"down b", "up b"}, a.take())
		require.Equal(t, []string{"up a"}, b.take())
	})
}

func TestASilentConnectionIsClosed(t *testing.T) {
	for _, way := range []string{"both", "a to b", "b to a"} {
		t.Run(way, func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				a, b := r.pairUp(nil)
				if way != "b to a" {
					r.net.Block("a", "b")
				}
				if way != "a to b" {
					r.net.Block("b", "a")
				}
				r.pass(4 * time.Second)
				require.Empty(t, a.take())
				r.pass(20 * time.Second)
				require.Equal(t, []string{"down b"}, a.take())
				require.Equal(t, []string{"down a"}, b.take())
				r.net.Heal()
				r.pass(3 * time.Second)
				require.Equal(t, []string{"up b"}, a.take())
				require.Equal(t, []string{"up a"}, b.take())
			})
		})
	}
}

func TestAShortStallEndsNothing(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, b := r.pairUp(nil)
		r.net.Partition([]string{"a"}, []string{"b"})
		require.NoError(t, a.Send("b", chNormal, []byte("late")))
		r.pass(3 * time.Second)
		r.net.Heal()
		r.settle()
		require.Empty(t, a.take())
		require.Equal(t, []string{"a: late"}, b.take())
	})
}

func TestRefusal(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		refuse := func(n *node, cfg *Config) {
			cfg.Hello = func() []byte { return []byte("hello of " + cfg.Node) }
			cfg.Admit = func(peer string, _ uint64, hello []byte, _ net.Addr) error {
				if cfg.Node == "b" && string(hello) == "hello of "+peer {
					return errors.New("wiped node")
				}
				return nil
			}
		}
		a, b := r.start("a", refuse), r.start("b", refuse)
		r.link("a", "b")
		r.pass(10 * time.Second)
		require.Empty(t, a.take())
		require.Empty(t, b.take())
		refusals := a.refusals()
		require.Greater(t, len(refusals), 5, "of either side's dial")
		require.Less(t, len(refusals), 40, "with a back-off")
		require.Equal(t, "b: wiped node", refusals[0])
		require.Contains(t, a.Peers()[0].LastError, "wiped node")
		require.Empty(t, b.refusals())
	})
}

func TestAWrongNodeAtTheAddress(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a, c := r.start("a", nil), r.start("c", nil)
		c.Start()
		a.SetAddress("b", address("c"))
		a.SetAddress("self", address("a"))
		a.Start()
		r.settle()
		require.Contains(t, a.refusals(), `b: this is node "c", not "b"`)
		require.Contains(t, a.refusals(), `self: node id "a": that is who we are`)
		require.Empty(t, c.take())
		for _, p := range a.Peers() {
			require.False(t, p.Connected)
			require.NotEmpty(t, p.LastError)
		}
	})
}

func TestStrangersAreTurnedAway(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		a := r.start("a", nil)
		a.Start()
		for _, said := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", magic, magic + "\x07\x09\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", magic + strings.Repeat("\xff", 100)} {
			c, err := r.net.Dialer("x")(t.Context(), address("a"))
			require.NoError(t, err)
			_, err = c.Write([]byte(said))
			require.NoError(t, err)
			r.pass(6 * time.Second)
			buf := make([]byte, 1000)
			for err == nil {
				_, err = c.Read(buf)
			}
			require.NoError(t, c.Close())
		}
		require.Empty(t, a.Peers())
	})
}

func TestStatus(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.net.SetLink("*", "*", memnet.Link{Latency: 10 * time.Millisecond})
		a, b := r.start("a", nil), r.start("b", nil)
		r.link("a", "b")
		r.pass(3 * time.Second)
		st := a.Peers()
		require.Len(t, st, 1)
		require.Equal(t, "b", st[0].ID)
		require.Equal(t, address("b"), st[0].Address)
		require.True(t, st[0].Connected)
		require.Equal(t, b.cfg.Incarnation, st[0].Incarnation)
		require.Equal(t, 20*time.Millisecond, st[0].RTT)
		require.NotZero(t, st[0].BytesIn)
		require.NotZero(t, st[0].BytesOut)
		require.Empty(t, st[0].LastError)
	})
}

func TestCloseWhileDialling(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.net.Block("a", "b")
		a := r.start("a", nil)
		r.start("b", nil)
		r.link("a", "b")
		r.settle()
		a.Close()
		a.Close()
		a.SetAddress("c", "c:1")
		a.Start()
		_, err := a.Call(context.Background(), "b", "x", nil)
		require.ErrorIs(t, err, ErrNotConnected)
	})
}

func TestNewChecks(t *testing.T) {
	_, err := New(Config{})
	require.Error(t, err)
	_, err = New(Config{Node: strings.Repeat("x", 256)})
	require.Error(t, err)
}
