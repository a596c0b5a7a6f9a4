package cluster

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// followers is what the leader knows of the other members from their answers, in the
// present term: who has what (Stats), who is fed from a stream, up to where the log
// must stay for that, and who has promised us the lease.
//
// The lease: a member that has taken a message of ours as the leader's gives no vote
// to anybody for HeartbeatTimeout (which is at least LeaseTimeout) from then on, and
// that was after we sent the message. So if a majority has answered what was sent
// less than LeaseTimeout ago, nobody else leads. What could break it is excluded: a
// lead that we hand over ourselves (Transfer gives up the lease first), and a member
// that forgets by a restart (it gives no vote for LeaseTimeout after its start).
type followers struct {
	last func() uint64 // index of our log's end
	sent atomic.Uint64 // whole streams, since the start

	mu    sync.Mutex
	term  uint64
	peers map[string]*follower
}

type follower struct {
	match   uint64
	promise time.Time // when the last message was sent that it took as the leader's
	contact time.Time

	streaming      bool
	streamed, size int64
	// hold: entries from this index on, or from match if that is more, stay in the
	// log until the member has caught up, or until holdEnd: else what a long stream
	// was for would be gone when it ends. 0: none.
	hold    uint64
	holdEnd time.Time // zero while streaming
}

const (
	// holdTime is how long a member that was fed may take to make progress.
	holdTime = 30 * time.Second
	// holdSlack: a member that is so close needs no more than what stays anyway.
	holdSlack = 32
)

func newFollowers(last func() uint64) *followers {
	return &followers{last: last, peers: map[string]*follower{}}
}

// of gives a member's entry for a term, nil if the term is over. REQUIRES: f.mu.
func (f *followers) of(id string, term uint64) *follower {
	if term < f.term {
		return nil
	}
	if term > f.term {
		f.term = term
		clear(f.peers)
	}
	p := f.peers[id]
	if p == nil {
		p = &follower{}
		f.peers[id] = p
	}
	return p
}

// answered is told what a member answered to a message sent at that time.
func (f *followers) answered(id string, r *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse, sent time.Time) {
	if a.Term != r.Term {
		return // it knows of a newer leader
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.of(id, r.Term)
	if p == nil {
		return
	}
	p.contact = time.Now()
	if !a.Success {
		return
	}
	if sent.After(p.promise) {
		p.promise = sent
	}
	if match := r.PrevLogEntry + uint64(len(r.Entries)); match > p.match {
		p.match = match
		p.progress(f.last())
	}
}

// progress lets go of the log when the member has caught up.
func (p *follower) progress(last uint64) {
	switch {
	case p.hold == 0 || p.streaming:
	case p.match+holdSlack >= last:
		p.hold = 0
	default:
		p.holdEnd = time.Now().Add(holdTime)
	}
}

// promised counts the members among ids that promised us the lead after a moment.
func (f *followers) promised(term uint64, ids []Server, after time.Time) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if term != f.term {
		return 0
	}
	for _, s := range ids {
		if p := f.peers[s.ID]; s.Voter && p != nil && p.promise.After(after) {
			n++
		}
	}
	return n
}

// aware: all members but two, self and one that is excepted, know of the term.
func (f *followers) aware(term uint64, ids []Server, self, except string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if term != f.term {
		return false
	}
	for _, s := range ids {
		if p := f.peers[s.ID]; s.ID != self && s.ID != except && (p == nil || p.contact.IsZero()) {
			return false
		}
	}
	return true
}

// stream begins to feed a member with the state at index; progress and end are told
// of how it goes.
func (f *followers) stream(id string, term, index uint64, size int64) (progress func(n int), end func(ok bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.of(id, term)
	if p == nil {
		return func(int) {}, func(bool) {}
	}
	p.streaming, p.streamed, p.size, p.hold = true, 0, size, index
	progress = func(n int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		p.streamed += int64(n)
	}
	end = func(ok bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		p.streaming, p.holdEnd = false, time.Now().Add(holdTime)
		if ok {
			p.match = max(p.match, index)
		} else {
			p.hold = 0
		}
	}
	return progress, end
}

// keepFrom is the index from which on the log must stay, 0 if nothing is held.
func (f *followers) keepFrom() (index uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.peers {
		if p.hold > 0 && !p.streaming && time.Now().After(p.holdEnd) {
			p.hold = 0
		}
		if from := max(p.hold, p.match); p.hold > 0 && (index == 0 || from < index) {
			index = from
		}
	}
	return index
}

// forget is told that this node no longer leads.
func (f *followers) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.peers)
}

// stats lists all members but self, sorted by id.
func (f *followers) stats(members []Server, self string, entryBytes int64) (all []FollowerStat) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.last()
	for _, m := range members {
		if m.ID == self {
			continue
		}
		s := FollowerStat{ID: m.ID, Voter: m.Voter, LastContact: -1, LagEntries: last}
		if p := f.peers[m.ID]; p != nil {
			s.Match, s.LagEntries = p.match, last-min(p.match, last)
			if !p.contact.IsZero() {
				s.LastContact = time.Since(p.contact)
			}
			s.Streaming, s.StreamedBytes, s.StreamBytes = p.streaming, p.streamed, p.size
		}
		s.LagBytes = int64(s.LagEntries) * entryBytes
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}
