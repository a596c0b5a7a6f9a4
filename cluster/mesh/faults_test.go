package mesh

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/cluster/mesh/memnet"
)

// Three nodes talk while lines stall, break and nodes restart. Each session must give
// its messages in order without gap from the first on, between its up and its
// down; when the faults stop, all are connected by one connection a pair.
func TestFaults(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			in(t, func(t *testing.T, r *rig) {
				random := rand.New(rand.NewPCG(seed, 7))
				r.net.SetLink(memnet.Any, memnet.Any, memnet.Link{Latency: time.Millisecond, Jitter: 3 * time.Millisecond, BytesPerSecond: 20 << 20})
				ids := []string{"a", "b", "c"}
				for _, id := range ids {
					r.start(id, nil)
				}
				r.link(ids...)
				sent := map[string]uint64{} // way and session: how many
				for range 100 {
					r.fault(random, ids)
					for range 20 {
						from, to := ids[random.IntN(3)], ids[random.IntN(3)]
						if p, connected := r.nodes[from].Peer(to); connected {
							way := fmt.Sprintf("%s>%s/%d/%d", from, to, r.nodes[from].cfg.Incarnation, p.Session)
							text := fmt.Sprintf("%s %d", way, sent[way])
							pad := strings.Repeat(" ", random.IntN(2)*random.IntN(100_000))
							if r.nodes[from].SendTo(p, chNormal, []byte(text), []byte(pad)) == nil {
								sent[way]++
							}
						}
					}
					r.pass(time.Duration(random.IntN(300)) * time.Millisecond)
				}
				r.net.Heal()
				r.pass(20 * time.Second)
				require.Equal(t, 6, r.net.Connections(memnet.Any))
				for _, n := range r.nodes {
					for _, p := range n.Peers() {
						require.True(t, p.Connected, "%s to %s: %s", n.id, p.ID, p.LastError)
					}
					n.checkEvents(t)
				}
			})
		})
	}
}

// fault does something bad, or ends it.
func (r *rig) fault(random *rand.Rand, ids []string) {
	x, y := ids[random.IntN(3)], ids[random.IntN(3)]
	switch random.IntN(12) {
	case 0:
		r.net.Cut(x, y)
	case 1:
		r.net.Block(x, y)
	case 2:
		r.net.Partition([]string{x}, []string{y})
	case 3:
		r.nodes[x].checkEvents(r.t)
		r.crash(x)
		n := r.start(x, nil)
		for _, id := range ids {
			n.SetAddress(id, address(id))
		}
		n.Start()
	case 4:
		r.nodes[x].Drop(y)
	case 5, 6, 7:
		r.net.Heal()
	}
}

// checkEvents holds what a node has seen against the promise of Watch and Send.
func (n *node) checkEvents(t *testing.T) {
	messages := 0
	up, next := map[string]bool{}, map[string]int{}
	way := map[string]string{}
	for _, e := range n.take() {
		e = strings.TrimRight(e, " ")
		switch word, rest, _ := strings.Cut(e, " "); word {
		case "up":
			require.False(t, up[rest], "%s: up twice", rest)
			up[rest], way[rest] = true, ""
		case "down":
			require.True(t, up[rest], "%s: down twice", rest)
			up[rest] = false
		default:
			peer := strings.TrimSuffix(word, ":")
			require.True(t, up[peer], "a message outside of a session")
			session, number, _ := strings.Cut(rest, " ")
			if way[peer] != session {
				require.Empty(t, way[peer], "two of the sender's sessions in one of ours")
				require.Zero(t, next[session])
				way[peer] = session
			}
			require.Equal(t, fmt.Sprint(next[session]), number, session)
			next[session]++
			messages++
		}
	}
	t.Logf("%s: %d messages in %d sessions", n.id, messages, len(next))
}
