package cluster

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// peerBook is what other nodes have said about themselves since this process began,
// and about us.
type peerBook struct {
	mu      sync.Mutex
	hellos  map[string]metPeer
	refused map[string]refusedAt
	dialled map[string]dialled
}

// metPeer is a hello and the process that said it.
type metPeer struct {
	hello
	incarnation uint64
	leaving     bool // it said that it is about to stop
}

type refusedAt struct {
	refusal
	at time.Time
}

// dialled is which of a peer's possible addresses is tried, and since when.
type dialled struct {
	address string
	since   time.Time
}

func newPeerBook() *peerBook {
	return &peerBook{hellos: map[string]metPeer{}, refused: map[string]refusedAt{}, dialled: map[string]dialled{}}
}

// met notes the hello of an admitted peer. Who admits us does not refuse us.
func (b *peerBook) met(h hello, incarnation uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.hellos[h.Node]
	b.hellos[h.Node] = metPeer{h, incarnation, before.leaving && before.incarnation == incarnation}
	delete(b.refused, h.Node)
}

func (b *peerBook) refusedBy(peer string, r refusal, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused[peer] = refusedAt{r, now}
}

// forgive forgets who refused us.
func (b *peerBook) forgive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.refused)
}

// holds notes which replicas of a peer are being repaired.
func (b *peerBook) holds(peer string, shards []uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.hellos[peer]
	p.Held = shards
	b.hellos[peer] = p
}

// leaves notes that a peer's present process is about to stop.
func (b *peerBook) leaves(peer string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.hellos[peer]
	p.leaving = true
	b.hellos[peer] = p
}

func (b *peerBook) get(peer string) (metPeer, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.hellos[peer]
	return p, ok
}

// refusals are what peers said to us last, by peer, of the word given.
func (b *peerBook) refusals(word string) map[string]refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]refusal{}
	for p, r := range b.refused {
		if r.word == word {
			all[p] = r.refusal
		}
	}
	return all
}

// addressPatience is how long one address of a peer that does not answer is tried
// before the next: more than the mesh's back-off.
const addressPatience = 4 * time.Second

// address says which of a peer's possible addresses to dial now. They are tried in
// turn as long as the peer is not connected: a node, or all of them, may have
// moved, and the operator's word may be older or newer than the cluster's.
func (b *peerBook) address(peer string, connected bool, candidates []string, now time.Time) string {
	candidates = slices.DeleteFunc(candidates, func(a string) bool { return a == "" })
	b.mu.Lock()
	defer b.mu.Unlock()
	d, known := b.dialled[peer]
	at := slices.Index(candidates, d.address)
	switch {
	case len(candidates) == 0:
		return d.address
	case !known || at < 0 && !connected:
		d = dialled{candidates[0], now}
	case connected:
		d.since = now
	case now.Sub(d.since) >= addressPatience:
		d = dialled{candidates[(at+1)%len(candidates)], now}
	}
	b.dialled[peer] = d
	return d.address
}

// forget ends the dialling of a peer.
func (b *peerBook) forget(peer string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.dialled, peer)
}

// known are the peers that have an address here, sorted.
func (b *peerBook) known() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.dialled))
}
