package broker

import (
	"sync"
	"sync/atomic"
	"time"

	"entrepot/cluster/mesh"
	"entrepot/queue"
)

// A relay takes what this node's consumers of one shard have for its dispatcher to
// wherever that is: here, while this node leads, or at another node; and it knows
// who they are, so that it can have them begin anew when the dispatcher changes.
//
// A dispatcher announces itself: see announce. Whoever hears of one with a later
// term than it knows turns to that. Each such change is a new posting. What a
// consumer sends carries the posting that it was attached under, and what is of an
// earlier one is dropped: it speaks of things the new dispatcher knows nothing of.
type relay struct {
	shard *shard
	// posting counts the changes. It is written under mu.
	posting atomic.Uint32
	// term is the latest that was heard of. It is written under mu.
	term atomic.Uint64

	mu sync.Mutex
	// here is the dispatcher, if it is on this node; else there is where it is, if it
	// is anywhere.
	here      *reign
	there     mesh.Peer
	consumers map[queue.ConsumerID]*attachRequest // attached under this posting
	told      told                                // to a dispatcher that is not here

	away      atomic.Int64 // how many consumers have their dispatcher elsewhere
	awayBytes int          // what is for them all, see aheadBytes
}

// The mesh takes 64 MiB before it gives a connection up, and one node may lead all
// shards. So of deliveries this much may be on its way from another node, about:
const (
	awayBytes    = 16 << 20 // for all consumers of a shard together
	awayBytesAll = 48 << 20 // of all shards
)

// aheadBytes is how many bytes of deliveries one consumer may have on their way.
func (r *relay) aheadBytes() int {
	if n := int(r.away.Load()); n > 0 {
		return max(1, min(aheadBytes, r.awayBytes/n))
	}
	return aheadBytes
}

// newRelay makes that of one of so many shards.
func newRelay(s *shard, shards int) *relay {
	r := &relay{
		shard: s, consumers: map[queue.ConsumerID]*attachRequest{},
		awayBytes: min(awayBytes, awayBytesAll/shards),
	}
	r.posting.Store(1)
	return r
}

// post passes on what connections have; inputs is the caller's again afterwards.
func (r *relay) post(inputs []dispatchInput) { r.moveOn(r.take(inputs)) }

// take is post without what must not be done under mu.
func (r *relay) take(inputs []dispatchInput) (left leftovers) {
	r.mu.Lock()
	defer r.mu.Unlock()
	posting := r.posting.Load()
	current := inputs[:0] // the caller clears what it gave us
	for i := range inputs {
		in := &inputs[i]
		switch {
		case in.posting != 0 && in.posting != posting:
			if in.kind == inputAttach {
				left.moved = append(left.moved, in.attach)
			}
			left.told = in.salvage(left.told)
			continue
		case in.kind == inputAttach:
			r.consumers[in.consumer] = in.attach
		case in.kind == inputDetach:
			delete(r.consumers, in.consumer)
		}
		if r.here == nil {
			r.told.note(r.shard, in)
		}
		if current = current[:len(current)+1]; len(current) <= i { // some before it were dropped
			current[len(current)-1] = *in
		}
	}
	left.told = append(left.told, r.pass(current)...)
	r.countAway()
	return left
}

// countAway takes note of how many share the way to another node. REQUIRES: r.mu.
func (r *relay) countAway() {
	n := 0
	if r.there.ID != "" {
		n = len(r.consumers)
	}
	r.away.Store(int64(n))
}

// pass hands over to the dispatcher; without one nothing is lost, for the next one
// is told of all consumers anew, and of the orphans. REQUIRES: r.mu.
func (r *relay) pass(inputs []dispatchInput) (orphans []toldOutcome) {
	switch {
	case len(inputs) == 0:
	case r.here != nil:
		if !r.here.mail.post(inputs...) { // it has just ended
			for i := range inputs {
				orphans = inputs[i].salvage(orphans)
			}
		}
	case r.there.ID != "":
		if err := r.shard.sendInputs(r.there, r.term.Load(), inputs); err != nil {
			r.shard.broker.unheard(r.there, err)
		}
	}
	return orphans
}

// seated: the dispatcher of a term is at another node, as that says itself.
func (r *relay) seated(p mesh.Peer, term uint64) {
	r.mu.Lock()
	known := r.there == p && r.term.Load() == term
	r.mu.Unlock()
	if !known {
		r.turnTo(term, func() { r.there = p })
	}
}

// seatedHere: the dispatcher of a term is here.
func (r *relay) seatedHere(here *reign) {
	r.turnTo(here.term, func() { r.here = here })
}

// turnTo changes the dispatcher, if the term is not an old one.
func (r *relay) turnTo(term uint64, set func()) {
	r.mu.Lock()
	if term < r.term.Load() {
		r.mu.Unlock()
		return
	}
	r.term.Store(term)
	left := r.leave()
	set()
	r.mu.Unlock()
	r.moveOn(left)
}

// unseatedHere: this node leads no more.
func (r *relay) unseatedHere(was *reign) {
	r.leaveIf(func() bool { return r.here == was })
}

// unseated: the connection to a node has ended.
func (r *relay) unseated(p mesh.Peer) {
	r.leaveIf(func() bool { return r.there == p })
}

// unseatedAt: a node says that it leads no more.
func (r *relay) unseatedAt(p mesh.Peer, term uint64) {
	r.leaveIf(func() bool { return r.there == p && r.term.Load() == term })
}

// leaveIf ends the posting, if it is the one that is meant.
func (r *relay) leaveIf(meant func() bool) {
	r.mu.Lock()
	var left leftovers
	if meant() {
		left = r.leave()
	}
	r.mu.Unlock()
	r.moveOn(left)
}

// leftovers are what a posting leaves behind, or comes too late for one: consumers that
// must begin anew, and outcomes that may be lost.
type leftovers struct {
	moved []*attachRequest
	told  []toldOutcome
}

// leave ends a posting. REQUIRES: r.mu.
func (r *relay) leave() leftovers {
	moved := make([]*attachRequest, 0, len(r.consumers))
	for _, req := range r.consumers {
		moved = append(moved, req)
	}
	clear(r.consumers)
	r.here, r.there = nil, mesh.Peer{}
	r.away.Store(0)
	r.posting.Add(1)
	return leftovers{moved, r.told.take(r.shard)}
}

func (r *relay) moveOn(left leftovers) {
	r.shard.removeTold(left.told)
	moveAll(left.moved)
}

// mayDeliver: what came from the dispatcher under a posting may go to a client at this
// moment. A client may take long to have room for it, and this node may be cut off
// meanwhile: then the messages are with others, and settled perhaps.
func (r *relay) mayDeliver(posting uint32, now time.Time) bool {
	return posting == r.posting.Load() && r.shard.group.InTouch(r.term.Load(), now)
}

// linksAway is how many links of this node have to do with another one.
func (r *relay) linksAway() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.there.ID == "" {
		return 0
	}
	return uint64(r.away.Load() + max(0, r.shard.producers.Load()))
}

// moveAll has consumers begin anew.
func moveAll(consumers []*attachRequest) {
	for _, req := range consumers {
		s := req.consumer
		s.conn.post(func() {
			if s.id == req.id { // else it has done so already
				s.moved()
			}
		})
	}
}

// heard takes notices from the dispatcher at another node to the connections. list
// carries ids of consumers only.
func (r *relay) heard(p mesh.Peer, term uint64, list []notice) {
	byConn := map[recipient]*notices{}
	r.mu.Lock()
	if r.there != p || r.term.Load() != term {
		r.mu.Unlock()
		return
	}
	for i := range list {
		n := &list[i]
		n.req = r.consumers[n.effect.Consumer]
		if n.req == nil {
			continue // it has gone, and said so
		}
		b := byConn[n.req.to]
		if b == nil {
			b = &notices{}
			byConn[n.req.to] = b
		}
		b.list = append(b.list, *n)
	}
	r.mu.Unlock()
	for to, b := range byConn {
		to.tell(b)
	}
}
